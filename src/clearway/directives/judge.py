"""Due dates for many findings of one asset: the same answers as `timeline`, each worked out once."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from clearway.records.advisory import Kev, Ssvc
from clearway.records.errors import UsageError

from .clock import timeline
from .directive import UNKNOWN, Directive
from .facts import DetectedHow, from_records
from .standing import read_standing, word

_EXPOSED = {"public": "yes", "internal": "no", UNKNOWN: UNKNOWN, "": UNKNOWN}


class DueAnswer(Struct, frozen=True, kw_only=True):
    """When one finding is due. `due` None: the tier has no date, or it is out of scope.

    `tier` is the outcome's code ("3DF", "60D", "FSU", "out_of_scope"); `basis` as in
    `Decision`; `start` the day counted from; `wording` one sentence for the standing.
    """

    due: date | None
    tier: str
    basis: str
    row: int | None
    forensic_triage: bool
    reasons: tuple[str, ...]
    start: date | None = None
    wording: str = ""


class Judge:
    """One directive, policy and asset; asked about one flaw after the other."""

    def __init__(
        self,
        directive: Directive,
        policy: str = "",
        standing: str = "advisory",
        exposure: str = UNKNOWN,
        detected: date | None = None,
        as_of: date | None = None,
        *,
        detected_how: DetectedHow = "given",
        retier: str = "",
        ssvc_loaded: bool = True,
    ) -> None:
        """`exposure` is public, internal or unknown. Without `detected` it is `as_of`, which the reasons say.

        Raises UsageError for a name the directive does not have, and for a detection after `as_of`.
        """
        if exposure not in _EXPOSED:
            raise UsageError(f"no exposure {exposure!r}", mend="one of: public, internal, unknown")
        if as_of is None:
            raise UsageError("no day to judge on", mend="give `as_of`, today by the injected clock")
        if detected is not None and detected > as_of:
            raise UsageError(
                f"detected {detected} is after {as_of}, the day asked about", mend="give an earlier day"
            )
        self.directive = directive
        self.policy = directive.policy(policy).id
        self.retier = directive.retier(retier)
        self.standing = read_standing(standing)
        self.exposed = _EXPOSED[exposure]
        self.detected = as_of if detected is None else detected
        self.detected_how: DetectedHow = "assumed" if detected is None else detected_how
        self.as_of = as_of
        self.ssvc_loaded = ssvc_loaded
        notice = directive.notice(as_of)
        self._notice = (notice,) if notice else ()
        self._by_year = any(point.cve_year_since for point in directive.points)
        self._answers: dict[object, DueAnswer] = {}

    def due(self, cve: str, kev: Kev | None, kev_loaded: bool, ssvc: Ssvc | None) -> DueAnswer:
        """The answer for one flaw; `cve` "" when it has no CVE id.

        `kev` and `ssvc` None: not published for it, unless `kev_loaded` (or the judge's
        `ssvc_loaded`) is False: then nobody here can know, and the basis says so.
        """
        key = (
            cve[:9] if self._by_year else not cve,
            None if kev is None else (kev.date_added, kev.due_date),
            kev_loaded,
            None if ssvc is None else (ssvc.automatable, ssvc.technical_impact, ssvc.dated[:10]),
        )
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._judge(cve, kev, kev_loaded, ssvc)
        return answer

    def _judge(self, cve: str, kev: Kev | None, kev_loaded: bool, ssvc: Ssvc | None) -> DueAnswer:
        facts = from_records(
            cve=cve,
            kev=kev,
            kev_loaded=kev_loaded,
            ssvc=ssvc,
            ssvc_loaded=self.ssvc_loaded,
            exposed=self.exposed,
            detected=self.detected,
            detected_how=self.detected_how,
        )
        tier = timeline(self.directive, facts, self.policy, retier=self.retier, as_of=self.as_of).current
        decision = tier.decision
        return DueAnswer(
            due=tier.due,
            tier=decision.code,
            basis=decision.basis,
            row=decision.row,
            forensic_triage=decision.forensic_triage,
            reasons=tier.reasons + self._notice,
            start=tier.start,
            wording=word(self.directive, decision, tier.due, self.standing),
        )
