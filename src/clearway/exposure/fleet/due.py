"""Due dates of exposures: from dated facts, by the clock of `directives`; dated again when a fact changes.

A date is a function of what is known: when the flaw was listed in KEV, CISA's SSVC values, how exposed the
asset is since when, when the flaw was detected on it, and the organisation's directive, policy and option. What
was known when is kept beside (`flaw_history`, `asset_exposure.recorded`, `fleet_setting`, `fleet_state`), so that
`replay` can work out any day's date again; what was shown on that day is in `exposure_history`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from clearway.directives import Fact, Facts, Tier, from_records, timeline
from clearway.records.advisory import Kev, Ssvc
from clearway.records.errors import NotFoundError

from . import past, told
from .governed import Setting, of_clock, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from clearway.directives.facts import DetectedHow

__all__ = ["Clock", "Dated", "Dater", "FlawDates", "Loaded", "Said", "Setting", "Shown", "date_again", "exposed_on",
           "facts_of",            "loaded", "replay", "said", "settings", "tier_of"]  # fmt: skip

_EXPOSED = {"public": "yes", "internal": "no", "unknown": "unknown"}
SET_RIGHT = 2  # `exposure.how`: a person's word, which goes before every document's
_HOW: tuple[DetectedHow, ...] = ("kept", "given", "given")
_BATCH = 50_000
_CLOCKS = 2_000


class FlawDates(NamedTuple):
    """What dates a flaw."""

    id: str
    kev: date | None
    kev_due: date | None
    automatable: str
    impact: str
    ssvc_dated: str


class Loaded(NamedTuple):
    """Which sources were there to tell."""

    kev: bool = False
    ssvc: bool = False


# How exposed an asset was said to be, in the order in which it was said: (since, exposure).
Said = tuple[tuple[date, str], ...]


class Dated(NamedTuple):
    """A due date, and the number of the rule that gave it (table `clock`)."""

    due: date | None
    clock: int


class Clock(NamedTuple):
    """A rule that gives dates, as the table `clock` knows it."""

    directive: str
    policy: str
    retier: str
    tier: str
    row: int | None
    basis: str
    forensic: bool
    version_id: int | None = None


class Dater:
    """Dates many exposures as of one day; each combination of facts is worked out once."""

    def __init__(self, db: psycopg.Connection[Any], day: date, loaded: Loaded) -> None:
        self._db = db
        self.day = day
        self._loaded = loaded
        self._known: dict[object, Dated] = {}
        self._clocks: dict[Clock, int] | None = None

    def due(self, setting: Setting, flaw: FlawDates, said: Said, detected: date, how: int) -> Dated:
        """The date. Raises UsageError for a directive, policy or option that does not exist."""
        # Of its id a date takes the year alone.
        year = flaw.id[:9] if flaw.id.startswith("CVE-") else ""
        key = (setting, year, flaw[1:], said, detected, how)
        found = self._known.get(key)
        if found is None:
            alike = flaw._replace(id=year)
            due, clock, rank = _worked_out(setting, alike, said, detected, how, self._loaded, self.day)
            found = self._known[key] = Dated(due, self._clock(clock, rank))
        return found

    def _clock(self, clock: Clock, rank: int) -> int:
        if self._clocks is None:  # a few rows: read at once, and not one by one
            rows = self._db.execute(
                """select clock, directive, policy, retier, tier, "row", basis, forensic, version_id
                from clearway.clock order by clock desc limit %s""",
                (_CLOCKS,),
            )
            self._clocks = {Clock(*row): number for number, *row in rows}
        found = self._clocks.get(clock)
        if found is None:
            answer = self._db.execute(
                "select clearway.fleet_clock(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (*clock[:4], rank, *clock[4:]),
            )
            found = self._clocks[clock] = int((answer.fetchone() or (0,))[0])
        return found


@lru_cache(maxsize=8_192)
def _worked_out(
    setting: Setting, flaw: FlawDates, said: Said, detected: date, how: int, loaded: Loaded, day: date
) -> tuple[date | None, Clock, int]:
    """A date, the rule that gives it, and the rule's rank: what comes in today has the facts of what came before."""
    setting = setting.fitting()
    tier = tier_of(setting, flaw, said, detected, how, loaded, day)
    directive = setting.table
    decision = tier.decision
    clock = Clock(
        directive.id,
        setting.policy,
        setting.retier,
        decision.code,
        decision.row,
        decision.basis,
        decision.forensic_triage,
        setting.version_id,
    )
    dated = decision.days is not None or decision.row is not None
    return tier.due, clock, directive.rank(decision.code) if dated else -1


def tier_of(
    setting: Setting, flaw: FlawDates, said: Said, detected: date, how: int, loaded: Loaded, day: date
) -> Tier:
    """What holds on `day`, with its reasons: pure."""
    facts = facts_of(flaw, said, detected, how, loaded)
    return timeline(setting.table, facts, setting.policy, retier=setting.retier, as_of=day).current


def facts_of(flaw: FlawDates, said: Said, detected: date, how: int, loaded: Loaded) -> Facts:
    """The dated facts about one exposure."""
    cve = flaw.id if flaw.id.startswith("CVE-") else ""
    ssvc = None
    if flaw.automatable or flaw.impact:
        ssvc = Ssvc(
            cve=cve, automatable=flaw.automatable, technical_impact=flaw.impact, dated=flaw.ssvc_dated
        )
    kev = None if flaw.kev is None else Kev(cve=cve, date_added=flaw.kev, due_date=flaw.kev_due)
    facts = from_records(
        cve=cve,
        kev=kev,
        kev_loaded=loaded.kev,
        ssvc=ssvc,
        ssvc_loaded=loaded.ssvc,
        detected=detected,
        detected_how=_HOW[how],
    )
    return replace(facts, changes=(*_exposed(said), *facts.changes[1:]))


def _exposed(said: Said) -> list[Fact]:
    """The first statement holds from the beginning too: before it, nobody had said otherwise.

    One that nobody has said, it holds only there: what is said later of an earlier day is not undone by it.
    """
    if not said:
        return [Fact(point="exposed", value="unknown", by="given")]
    found = [Fact(point="exposed", value=_EXPOSED[said[0][1]], by="given")]
    if len(said) > 1:  # one of them alone has no day on which it changes anything
        found += [
            Fact(point="exposed", value=_EXPOSED[word], dated=since, by="given")
            for nth, (since, word) in enumerate(said)
            if nth or word != "unknown"
        ]
    return found


def exposed_on(said: Said, day: date) -> str:
    """How exposed an asset is on a day, as its dates see it: by the latest `since`, and of one day the last said.

    That nobody has said, as most assets begin, is no such word.
    """
    if not said:
        return "unknown"
    by_then = [
        (since, nth, word)
        for nth, (since, word) in enumerate(said)
        if since <= day and (nth or word != "unknown")
    ]
    return max(by_then)[2] if by_then else said[0][1]


def loaded(db: psycopg.Connection[Any], at: datetime | None = None) -> Loaded:
    """Which sources the fleet's answers rest on, now or at a moment."""
    row = db.execute(
        """select kev_loaded, ssvc_loaded from clearway.fleet_state
        where %s::timestamptz is null or at < %s order by state desc limit 1""",
        (at, at),
    ).fetchone()
    return Loaded(*row) if row else Loaded()


def said(db: psycopg.Connection[Any], assets: Iterable[int], at: datetime | None = None) -> dict[int, Said]:
    """Asset -> how exposed it was said to be, as known now or at a moment."""
    wanted = sorted(set(assets))
    found: dict[int, list[tuple[date, str]]] = defaultdict(list)
    rows = db.execute(
        """select asset, since, exposure from clearway.asset_exposure
        where asset = any(%s) and (%s::timestamptz is null or recorded < %s) order by asset, statement""",
        (wanted, at, at),
    )
    for asset, since, word in rows:
        found[asset].append((since, word))
    return {asset: tuple(found.get(asset, ())) for asset in wanted}


def date_again(
    db: psycopg.Connection[Any],
    day: date,
    *,
    flaws: Sequence[int] | None = None,
    assets: Sequence[int] | None = None,
    orgs: Sequence[int] | None = None,
) -> int:
    """Dates the standing exposures of these flaws, assets or organisations anew; returns how many changed.

    Without any of the three, all of them. The owner's transaction, or one that may do it for `assets`.
    """
    changed = 0
    last = 0
    dater = Dater(db, day, loaded(db))
    # Conditions that are not there, and not ones that are null: a plan that is kept fits every time.
    given = {"flaw": flaws, "asset": assets, "org": orgs}
    texts = "".join(f" and e.{column} = any(%({column})s)" for column, of in given.items() if of is not None)
    values = {column: list(of) for column, of in given.items() if of is not None}
    while True:
        rows = db.execute(
            f"""select e.exposure, e.asset, e.org, e.detected, e.how, e.due, e.clock,
                f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated
            from clearway.exposure e join clearway.flaw f on f.flaw = e.flaw
            where e.gone is null and e.exposure > %(last)s{texts}
            order by e.exposure limit %(limit)s""",  # noqa: S608 - constants
            {**values, "last": last, "limit": _BATCH},
        ).fetchall()
        if not rows:
            return changed
        last = rows[-1][0]
        set_for = settings(db, (r[2] for r in rows), day=day)
        said_of = said(db, (r[1] for r in rows))
        new, moved = [], []
        for exposure, asset, org, detected, how, due, clock, *facts in rows:
            dated = dater.due(set_for[org], FlawDates(*facts), said_of[asset], detected, how)
            if dated != (due, clock):
                new.append((exposure, dated.due, dated.clock))
                if dated.due != due:
                    moved.append(exposure)
        told.note(db, "dated", moved)
        if new:
            changed += int((db.execute(
                "select clearway.fleet_date(%s, %s, %s)",
                ([n[0] for n in new], [n[1] for n in new], [n[2] for n in new]),
            ).fetchone() or (0,))[0])  # fmt: skip


class Shown(Struct, frozen=True, kw_only=True):
    """How an exposure stood at the end of a day, as it was shown, and why its date was that.

    `directive` and `version` are of the table that governed on that day by what was known then.
    """

    exposure: int
    day: date
    flaw: str
    due: date | None
    tier: str
    basis: str
    status: int
    detected: date
    gone: bool
    directive: str
    version: str
    again: Tier  # the date worked out again from what was known then


def replay(db: psycopg.Connection[Any], exposure: int, day: date) -> Shown:
    """How `exposure` stood at the end of `day` (UTC). Raises as `replayed`."""
    return replayed(db, exposure, day)[0]


def replayed(db: psycopg.Connection[Any], exposure: int, day: date) -> tuple[Shown, Setting]:
    """The same, and by which setting its date is worked out again.

    That is the organisation's of that day; for a reader from outside it, the one that the date shown rests on.

    Raises:
        NotFoundError: it may not be seen, or was not there yet.
        InputError: the day is beyond the calendar.
    """
    end = past.end_of(day)
    row = db.execute(
        f"""select e.asset, e.org, e.how, f.id, e.due, c.tier, c.basis, e.status, e.detected, e.gone,
            case when k.until is null then f.kev else k.kev end,
            case when k.until is null then f.kev_due else k.kev_due end,
            coalesce(k.automatable, f.automatable), coalesce(k.impact, f.impact),
            coalesce(k.ssvc_dated, f.ssvc_dated), c.directive, c.policy, c.retier, c.version_id, c.clock < 0,
            case when clearway.actor() = 0 then true
                else e.org = any(clearway.my_orgs('read') || clearway.my_orgs('operate')) end
        from {past.EXPOSURES} e
        join clearway.flaw f on f.flaw = e.flaw
        join clearway.clock c on c.clock = e.clock
        left join lateral (select * from clearway.flaw_history k where k.flaw = f.flaw and k.until >= %(end)s
            order by k.until limit 1) k on true
        where e.exposure = %(exposure)s and e.first_seen < %(end)s""",  # noqa: S608 - constants
        {"end": end, "exposure": exposure},
    ).fetchone()
    if row is None:
        raise NotFoundError(f"no such exposure on {day}", where=f"exposure/{exposure}")
    asset, org, how, flaw_id, due, tier, basis, status, detected, gone, *facts = row
    *facts, directive, policy, retier, version_id, imported, within = facts
    if within:
        setting = settings(db, [org], end)[org]
    else:
        version = None if version_id is None else (version_id, 0, imported)
        setting = of_clock(db, directive, policy, retier, version)
    again = tier_of(
        setting,
        FlawDates(flaw_id, *facts),
        said(db, [asset], end)[asset],
        detected,
        how,
        loaded(db, end),
        day,
    )
    shown = Shown(
        exposure=exposure,
        day=day,
        flaw=flaw_id,
        due=due,
        tier=tier,
        basis=basis,
        status=status,
        detected=detected,
        gone=gone is not None and gone < end,
        directive=setting.directive,
        version=setting.table.version,
        again=again,
    )
    return shown, setting
