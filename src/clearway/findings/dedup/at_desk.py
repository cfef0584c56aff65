"""The desk's cross-runs: each of two findings' fixes tried on the other's proof. As the owner, in a job.

A fix counts that reached E3: it silences its own proof and breaks no test. So two runs tell, each three times as the
recipe says; what that is worth depends on what the fixes are (`fixes`). Nothing of the one finding becomes visible to
the other's reporter: the edge is for whom both are for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from clearway import ledger
from clearway.records.errors import ClearwayError, ConfigError, ConflictError, InputError, NotFoundError
from clearway.sandbox import backend
from clearway.store.scalar import scalar

from .. import artefact, kept
from ..validate import apart
from ..validate import at_desk as validate_desk
from ..validate import recipe as r
from ..validate.files import Folders
from ..validate.judge import Subject, judge
from . import edge, flaw
from .fixes import Fix, digest_of, fix_of, weighed
from .keys import VERSIONS
from .silence import Crossed, cross

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import psycopg

    from clearway.sandbox import Backend
    from clearway.store.jobs import Job

    from ..kept import Finding
    from ..vault import Vault

    Connection = psycopg.Connection[Any]

TASK = "findings.cross"
LEAST_LEVEL = 3
_MOST_TRIALS = 20  # of a finding that are looked at for its fix, the newest first


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its recipe, and the fix of it that reached E3, if there is one: a patch before a release."""

    finding: Finding
    recipe: r.Recipe
    fix: Fix | None


class Either:
    """The files of two findings."""

    def __init__(self, *files: Any) -> None:
        self._files = files

    def read(self, digest: str) -> bytes:
        """See `validate.files.Files`."""
        for files in self._files[:-1]:
            try:
                found: bytes = files.read(digest)
            except NotFoundError:
                continue
            return found
        last: bytes = self._files[-1].read(digest)
        return last


class Desk:
    """What cross-runs at one home."""

    def __init__(self, home: Path, vault: Vault, box: Callable[[], Backend] = backend) -> None:
        self.home, self.vault, self._box = home, vault, box

    def cross(self, job: Job, args: dict[str, Any]) -> None:
        """The task: runs both ways and keeps what that says. Twice gives the same edge."""
        one, other = int(args["one"]), int(args["other"])
        with job.owner() as db:
            a, b = self._proven(job, db, one), self._proven(job, db, other)
        if a is None or b is None or _product(a) != _product(b):
            return
        if not all(kept.starter_works(job, each.finding) for each in (a, b)):
            return
        rows: dict[int, dict[str, bool | None]] = {one: {}, other: {}}
        fixes = {each.fix.digest: each.fix for each in (a, b) if each.fix is not None}
        one_build = digest_of(a.recipe.target) == digest_of(b.recipe.target)
        alone: set[str] = set()  # fixes that were tried as their diffs alone
        for n, (fixed, tried) in enumerate(((a, b), (b, a))):
            job.progress(n, 2, "cross-runs")
            if fixed.fix is None:
                continue
            digest = fixed.fix.digest
            rows[fixed.finding.id][digest] = True
            if digest not in rows[tried.finding.id]:
                silent, diffs = self._tried(job, fixed.fix, fixed, tried, one_build)
                rows[tried.finding.id][digest] = silent
                alone |= {digest} if diffs else set()
        said = cross(rows[one], rows[other])
        with job.owner() as db:
            if said is not None:
                said = weighed(
                    said, fixes, alone=alone, one_build=one_build, one_state=_one_state(db, one, other)
                )
            _keep(db, a.finding, b.finding, said)

    def _tried(
        self, job: Job, fix: Fix, fixed: Proven, tried: Proven, one_build: bool
    ) -> tuple[bool | None, bool]:
        """Whether a fix silences the other finding's proof, and whether nothing but its diffs can be why.

        Where the other fired on another release, or with a harness of its own, the diffs are added to that, if they
        apply to the letter; else the whole of what the fix is built of is tried in its place.
        """
        if tried.fix is not None and tried.fix.digest == fix.digest:
            return True, one_build  # one fix of both is silent on both: that is what brought each to E3
        added = None if one_build else fix.added_to(tried.recipe.target)
        if added is not None and (silent := self._silences(job, fixed, tried, added)) is not None:
            return silent, True
        return self._silences(job, fixed, tried, fix.target), one_build

    def _silences(self, job: Job, fixed: Proven, tried: Proven, fix: r.Target) -> bool | None:
        """Whether the fix of one silences the proof of the other; None where this machine or the recipes can't tell, as
        where its diffs do not apply."""
        try:
            box = self._box()
            fetched = Folders(self.home / validate_desk.FETCHED)
            files = Either(
                validate_desk.Sealed(job, self.vault, tried.finding, fetched),
                validate_desk.Sealed(job, self.vault, fixed.finding, fetched),
            )
            recipe = msgspec.structs.replace(tried.recipe, patched=fix)
            subject = Subject(recipe=recipe, files=files, fix_of_another=True)
            with apart.builder(box, self.home, fetched.digests()) as builder:
                ladder = judge(box, builder, subject, upto=2).ladder
        except ConfigError:
            raise  # another machine may be able to
        except ClearwayError:
            return None
        step = next((s for s in ladder.steps if s.level == 2), None)
        if step is None or step.result == "not_tried":
            return None
        if step.result == "met":
            return True
        return False if step.why.startswith("it fires") else None

    def _proven(self, job: Job, db: Connection, number: int) -> Proven | None:
        """None without a recipe that can be read."""
        finding = kept.by_id(db, number)
        named = [
            a for a in artefact.listed(db, number, "attachment", "document") if a.name == validate_desk.RECIPE
        ]
        if not named:
            return None
        files = validate_desk.Sealed(job, self.vault, finding, Folders(self.home / validate_desk.FETCHED))
        rows = db.execute(
            """select v.recipe, encode(p.sha256, 'hex') from clearway.validation v
            left join clearway.artefact p on p.artefact = v.patch
            where v.finding = %s and v.state = 'done' and v.revoked is null and v.level >= %s
            order by v.level desc, v.validation desc limit %s""",
            (number, LEAST_LEVEL, _MOST_TRIALS),
        ).fetchall()
        shown: list[Proven] = []
        for judged, patch in rows:
            with suppress(InputError, NotFoundError):
                # What reached E3 is the recipe that was judged, whatever was sent since.
                of = artefact.by_sha256(db, number, judged) if judged else named[-1]
                raw = artefact.read(db, self.vault, of, logged=False)
                recipe = r.read(raw)
                fixed = (
                    recipe.patched if patch is None else r.read(validate_desk._with_patch(raw, patch)).patched
                )
                fix = None if fixed is None else fix_of(recipe.target, fixed, files)
                shown.append(Proven(finding=finding, recipe=recipe, fix=fix))
        if shown:
            return next((s for s in shown if s.fix is not None and s.fix.adds is not None), shown[0])
        try:
            recipe = r.read(artefact.read(db, self.vault, named[-1], logged=False))
        except (InputError, NotFoundError):
            return None
        return Proven(finding=finding, recipe=recipe, fix=None)


def ask(db: Connection, one: Finding, other: Finding) -> int:
    """Starts a cross-run of two findings; the number of the job. On the log.

    Raises:
        ForbiddenError: the caller is no desk, or another clearinghouse keeps the case of one of them.
        ConflictError: the fix of one has not reached E3.
    """
    if one.id == other.id:
        raise InputError("a finding is itself", where="with")
    for each in (one, other):
        kept.check_works(db, each)
    for each in (one, other):
        if each.level < LEAST_LEVEL:
            raise ConflictError(
                "its fix has not reached E3", where=each.subject, mend="validate both findings first"
            )
    aud = scalar(db, "select clearway.meet(%s)", (sorted({one.aud, other.aud}),))
    ledger.append(db, "duplicate.cross_asked", one.subject, {"with": other.handling}, aud=aud)
    return int(scalar(db, "select clearway.ask_cross(%s, %s)", (one.id, other.id)))


def start(owner: Connection, one: int, other: int) -> None:
    """Starts a cross-run of two findings, once while it waits; as the owner."""
    from clearway.store import jobs

    first, second = sorted((one, other))
    jobs.defer(owner, TASK, {"one": first, "other": second}, once=f"cross {first} {second}")


def start_waiting(db: Connection, finding: Finding, others: Iterable[int]) -> None:
    """Starts the cross-runs that a finding's keys suggest, once its own fix has reached E3; as the owner."""
    for other in others if finding.level >= LEAST_LEVEL else ():
        start(db, finding.id, other)


def _one_state(db: Connection, one: int, other: int) -> bool:
    """Whether a key of evidence is of both: the stack or the state in which they crash."""
    row = db.execute(
        """select 1 from clearway.finding_key a join clearway.finding_key b using (kind, version, value)
        where a.finding = %s and b.finding = %s and (a.kind, a.version) in (('stack', %s), ('crash', %s)) limit 1""",
        (one, other, VERSIONS["stack"], VERSIONS["crash"]),
    ).fetchone()
    return row is not None


def _keep(db: Connection, a: Finding, b: Finding, said: Crossed | None) -> None:
    one, other = a.id, b.id
    flaw.hold(db)  # two runs of one pair that end at once would both find nothing said yet
    before = db.execute(
        """select edge, verdict, one, score, reason from clearway.finding_edge where revoked is null
            and basis = 'cross-run' and one = any(%s) and other = any(%s)""",
        ([one, other], [one, other]),
    ).fetchall()
    if said is None:
        for number, *_, reason in before:
            if reason.endswith(edge.AGAIN):
                db.execute(
                    "select clearway.revoke_finding_edge(%s, %s)", (number, "run again, it says nothing")
                )
        return
    verdict = said.verdict
    if verdict == "contained":
        one, other, verdict = other, one, "contains"
    score = edge.CROSSED.get(verdict, 1.0)
    if any(
        stood == verdict
        and (first == one or verdict != "contains")
        and abs(scored - score) < 0.001
        and not reason.endswith(edge.AGAIN)
        for _, stood, first, scored, reason in before
    ):
        return  # it is known already
    with flaw.settling(db):
        for number, *_ in before:
            db.execute(
                "select clearway.revoke_finding_edge(%s, 'a newer cross-run says otherwise')", (number,)
            )
        edge.add(db, one, other, verdict, "cross-run", score=score, reason=said.reason)
    aud = scalar(db, "select clearway.meet(%s)", (sorted({a.aud, b.aud}),))
    content = {"findings": [a.handling, b.handling], "verdict": said.verdict, "reason": said.reason}
    for finding in (a, b):
        ledger.append(db, "duplicate.cross_ran", finding.subject, content, aud=aud)


def _product(proven: Proven) -> tuple[str, str]:
    return (type(proven.recipe.target).__name__, proven.recipe.target.name.lower())
