"""The desk's cross-runs: each of two findings' fixes tried on the other's proof. As the owner, in a job.

A fix counts that reached E3: it silences its own proof and breaks no test. Each finding needs one: a proof that nothing
of its own side silences is joined to nobody. Where their fixes tell the two not apart, those of the findings that are
one flaw with either are tried on both as well (`crossing`). Each run is three times, as the recipe says; what all of
it is worth depends on what the fixes are (`fixes`). Nothing of the one finding becomes visible to the other's reporter:
the edge is for whom both are for.
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
from . import crossing, edge, flaw
from .crossing import LEAST_LEVEL
from .fixes import Fix, digest_of, fix_of, weighed
from .silence import Crossed, cross

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import psycopg

    from clearway.sandbox import Backend
    from clearway.store.jobs import Job

    from ..kept import Finding
    from ..vault import Vault

    Connection = psycopg.Connection[Any]

TASK = "findings.cross"
_MOST_TRIALS = 20  # of a finding that are looked at for its fixes, the newest first
_MOST_OWN = 6  # fixes of one finding


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that reached E3, with the recipe that it did so by."""

    finding: Finding
    recipe: r.Recipe
    fix: Fix


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its recipe, and the fixes of it that reached E3: patches before releases."""

    finding: Finding
    recipe: r.Recipe
    fixes: tuple[Fixed, ...] = ()

    def named(self) -> dict[str, Fix]:
        """The fixes by their digests."""
        return {fixed.fix.digest: fixed.fix for fixed in self.fixes}


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
        pair = (min(one, other), max(one, other))
        with job.owner() as db:
            # Read before it is run: what reaches E3 meanwhile has the pair run again.
            tried = crossing.tried(db, pair)
            weighed_now = crossing.ran(db, pair) is not None
            found = kept.by_id(db, one), kept.by_id(db, other)
            a, b = self._proven(job, db, one), self._proven(job, db, other)
        if not all(kept.starter_works(job, each) for each in found):
            return
        said = None
        runs = a is not None and b is not None and _product(a) == _product(b) and bool(a.fixes and b.fixes)
        if a is not None and b is not None and runs:
            said = self._said(job, a, b, tried.findings)
        with job.owner() as db:
            _keep(db, *found, said, bare=not (runs and weighed_now))
            crossing.note(db, pair, tried.fixes)
            start_all(db, crossing.due(db, pair))  # who is joined by it brings fixes of its own

    def _said(self, job: Job, a: Proven, b: Proven, others: Sequence[int]) -> Crossed | None:
        rows: tuple[dict[str, bool | None], ...] = ({}, {})
        whole: set[str] = set()  # fixes that were tried on one of both as more than their diffs

        def run(fixes: Iterable[Fixed]) -> Crossed | None:
            for fixed in fixes:
                digest = fixed.fix.digest
                for row, each in zip(rows, (a, b), strict=True):
                    if digest in row:
                        continue
                    row[digest], diffs = self._tried(job, fixed, each)
                    whole.update(() if diffs else {digest})
            return cross(*rows)

        job.progress(0, 2, "cross-runs")
        said = run([*a.fixes, *b.fixes])
        if said is None or said.verdict != "same":
            return said
        job.progress(1, 2, "cross-runs with fixes of the same flaw")
        with job.owner() as db:
            more = [self._proven(job, db, number) for number in others]
        said = run(
            fixed
            for each in more
            if each is not None and _product(each) == _product(a)
            for fixed in each.fixes
        )
        if said is None:
            return None
        one_build = digest_of(a.recipe.target) == digest_of(b.recipe.target)
        return weighed(said, a.named(), b.named(), alone=rows[0].keys() - whole, one_build=one_build)

    def _tried(self, job: Job, fixed: Fixed, tried: Proven) -> tuple[bool | None, bool]:
        """Whether a fix silences a finding's proof, and whether nothing but its diffs can be why.

        Where the proof fired on another release than the fix is for, or with a harness of its own, the diffs are added
        to that, if they apply to the letter; else the whole of what the fix is built of is tried in its place.
        """
        one_build = digest_of(fixed.recipe.target) == digest_of(tried.recipe.target)
        if fixed.finding.id == tried.finding.id and fixed.recipe.proof == tried.recipe.proof:
            return True, True  # that is what brought it to E3
        if fixed.fix.digest in tried.named():
            return True, one_build  # one fix of both is silent on both
        fix = fixed.fix
        added = None if one_build else fix.added_to(tried.recipe.target)
        if added is not None and (silent := self._silences(job, fixed, tried, added)) is not None:
            return silent, True
        return self._silences(job, fixed, tried, fix.target), one_build

    def _silences(self, job: Job, fixed: Fixed, tried: Proven, fix: r.Target) -> bool | None:
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
        recipes: list[r.Recipe] = []
        found: dict[str, Fixed] = {}
        for judged, patch in rows:
            with suppress(InputError, NotFoundError):
                # What reached E3 is the recipe that was judged, whatever was sent since.
                of = artefact.by_sha256(db, number, judged) if judged else named[-1]
                raw = artefact.read(db, self.vault, of, logged=False)
                recipe = r.read(raw)
                fixed = (
                    recipe.patched if patch is None else r.read(validate_desk._with_patch(raw, patch)).patched
                )
                recipes.append(recipe)
                if fixed is not None:
                    fix = fix_of(recipe.target, fixed, files)
                    found.setdefault(fix.digest, Fixed(finding=finding, recipe=recipe, fix=fix))
        fixes = tuple(sorted(found.values(), key=lambda f: f.fix.adds is None)[:_MOST_OWN])
        if recipes:
            return Proven(finding=finding, recipe=fixes[0].recipe if fixes else recipes[0], fixes=fixes)
        try:
            recipe = r.read(artefact.read(db, self.vault, named[-1], logged=False))
        except (InputError, NotFoundError):
            return None
        return Proven(finding=finding, recipe=recipe)


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


def start_all(owner: Connection, pairs: Iterable[tuple[int, int]]) -> None:
    """Starts the cross-runs of these pairs (`crossing.due`); as the owner."""
    for one, other in pairs:
        start(owner, one, other)


def _keep(db: Connection, a: Finding, b: Finding, said: Crossed | None, *, bare: bool = False) -> None:
    """Keeps what a run has said; `bare`: one of both has no fix at E3, or an older rule weighed what was said of them,
    so that where this run says nothing, nothing joins them."""
    one, other = a.id, b.id
    flaw.hold(db)  # two runs of one pair that end at once would both find nothing said yet
    before = db.execute(
        """select edge, verdict, one, score, reason from clearway.finding_edge where revoked is null
            and basis = 'cross-run' and one = any(%s) and other = any(%s)""",
        ([one, other], [one, other]),
    ).fetchall()
    if said is None:
        with flaw.settling(db):
            for number, stood, *_, reason in before:
                if reason.endswith(edge.AGAIN) or (bare and stood in ("same", "likely")):
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
