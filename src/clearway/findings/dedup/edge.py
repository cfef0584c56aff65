"""What is said of two findings, kept with its reason, and the groups that follow.

Nothing is overwritten: an edge is revoked, with who and why, and an act of a person (`merge`, `split`) is undone by
another. An edge is for whom both findings are for, which for two organisations' findings is the desk alone. Findings
themselves are never touched, so that whatever is merged, each reporter keeps their report, its time and its credit.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError, TooLargeError
from clearway.store import events
from clearway.store.scalar import scalar

from .. import kept
from . import flaw
from .cluster import Basis, Verdict
from .flaw import group_of as group_of
from .flaw import groups_of as groups_of
from .undo import Row, Saying, base_of, change, in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from ..kept import Finding

    Connection = psycopg.Connection[Any]

# How strong a cross-run's word is; 1 for what is not here, and for what an older rule said.
CROSSED: dict[str, float] = {"same": 0.99, "likely": 0.6}
OLDER = "an older rule weighed this run"
AGAIN = "it is run again"  # ends the reason of what stands until then
MOST = 1_000  # findings of one group that one act may touch: as many as a case has


class Edge(Struct, frozen=True, kw_only=True):
    """One edge. `one` and `other` are handling ids; `revoked` null while it stands; `act` numbers a person's act.

    `id` and `act` are told to the desk alone (null for others).
    """

    id: int | None
    one: str
    other: str
    verdict: Verdict
    basis: Basis
    score: float
    reason: str
    at: datetime
    act: int | None
    revoked: datetime | None
    revoked_why: str


class Credit(Struct, frozen=True, kw_only=True):
    """Who reported it, and when: first come first."""

    handling: str
    organisation: str
    received: datetime
    level: int


_SELECT = """select e.edge, a.handling, b.handling, e.verdict, e.basis, e.score, e.reason, e.at, e.act, e.revoked,
    e.revoked_why from clearway.finding_edge e
    join clearway.finding a on a.finding = e.one join clearway.finding b on b.finding = e.other"""


def add(
    db: Connection,
    one: int,
    other: int,
    verdict: Verdict,
    basis: Basis,
    *,
    score: float,
    reason: str,
    act: int | None = None,
) -> int:
    """The number of the edge; of the one that stands already when it says the same. By the desk alone.

    Raises:
        ForbiddenError: the caller is no coordinator; or a person says what a run has to show.
        NotFoundError: the caller may not see one of them.
        ConflictError: a trial and a real report.
    """
    return scalar(
        db,
        "select clearway.add_finding_edge(%s, %s, %s, %s, %s::real, %s, %s)",
        (one, other, verdict, basis, score, reason[:2000], act),
    )


def of(db: Connection, finding: Finding, *, most: int = 200) -> list[Edge]:
    """All edges of a finding that the caller may see, standing ones first, then the newest."""
    rows = db.execute(
        f"{_SELECT} where e.one = %s or e.other = %s order by e.revoked is not null, e.edge desc limit %s",
        (finding.id, finding.id, most),
    )
    return [_edge(row) for row in rows]


def members(db: Connection, group: Sequence[int]) -> list[Finding]:
    """These findings, first received first."""
    found = [kept.by_id(db, number) for number in group[:MOST]]
    return sorted(found, key=lambda f: (f.received, f.id))


def credits_of(found: Iterable[Finding]) -> tuple[Credit, ...]:
    """Everybody who reported one of these, first come first; a merge takes nobody off it."""
    return tuple(
        Credit(handling=f.handling, organisation=f.organisation, received=f.received, level=f.level)
        for f in sorted(found, key=lambda f: (f.received, f.id))
        if f.state != "withdrawn"
    )


def merge(db: Connection, findings: Sequence[Finding], why: str) -> int:
    """Says that these and all that is one with them are one flaw; the number of the act.

    What a person said against it before is revoked by the same act.

    Raises:
        InputError: fewer than two, or no reason.
        ForbiddenError: the caller is no coordinator.
        ConflictError: they are one already, or are in two open cases.
    """
    if len({f.id for f in findings}) < 2:
        raise InputError("a merge is of two findings or more", where="with")
    _reasoned(why)
    flaw.hold(db)
    parts = {group_of(db, f.id) for f in findings}
    if len(parts) == 1:
        raise ConflictError("they are one already", where=findings[0].subject)
    everybody = sorted({number for part in parts for number in part})
    _bounded(everybody)
    act = scalar(db, "select clearway.next_edge_act()")
    with flaw.changing(db):
        for number in _standing(db, everybody, "different", across=parts):
            _revoke(db, number, why, act)
        first = min(everybody)
        for number in everybody:
            if number != first:
                add(db, first, number, "same", "person", score=1.0, reason=why, act=act)
    _log(db, "duplicate.merged", members(db, everybody), act, why)
    return act


def apart(db: Connection, finding: Finding, other: Finding, why: str) -> int:
    """Says that two findings which are not one are two flaws, so that nobody is asked again; the number of the act.

    Raises:
        InputError: no reason.
        ConflictError: they are one: `split` takes one off.
        ForbiddenError: the caller is no coordinator.
    """
    _reasoned(why)
    flaw.hold(db)
    if other.id in group_of(db, finding.id):
        raise ConflictError("they are one", where=finding.subject, mend="split it off")
    act = scalar(db, "select clearway.next_edge_act()")
    with flaw.changing(db):
        add(db, finding.id, other.id, "different", "person", score=1.0, reason=why, act=act)
    _log(db, "duplicate.split", members(db, sorted((finding.id, other.id))), act, why)
    return int(act)


def split(db: Connection, finding: Finding, why: str) -> int:
    """Says that a finding is a flaw of its own, apart from all it was one with; the number of the act.

    The others stay one: what held them together through it is said anew between them.

    Raises:
        ConflictError: it is alone.
        ForbiddenError: the caller is no coordinator.
    """
    _reasoned(why)
    flaw.hold(db)
    whole = group_of(db, finding.id)
    rest = [number for number in whole if number != finding.id]
    if not rest:
        raise ConflictError("it is alone", where=finding.subject)
    _bounded(whole)
    act = scalar(db, "select clearway.next_edge_act()")
    with flaw.changing(db):
        for number in _standing(db, whole, "same", across={(finding.id,), tuple(rest)}, basis="person"):
            _revoke(db, number, why, act)
        for number in rest:
            add(db, finding.id, number, "different", "person", score=1.0, reason=why, act=act)
        for number in rest[1:]:
            reason = f"they stayed together when {finding.handling} was split off"
            add(db, rest[0], number, "same", "person", score=1.0, reason=reason, act=act)
    _log(db, "duplicate.split", members(db, whole), act, why)
    return act


def undo(db: Connection, act: int, why: str, finding: Finding | None = None) -> int:
    """Undoes a merge or a split, or an undo of one; the number of this act. With `finding`, one of that finding's.

    What stands afterwards is what follows from the acts that are not undone, in whichever order they were (`undo`).

    Raises:
        NotFoundError: there is no such act, or the finding has none; or the caller may not see all of it.
        ConflictError: it was undone already; or what follows would bring two open cases together.
    """
    _reasoned(why)
    if not 0 < act < 2**63:
        raise NotFoundError("no such act", where=f"act {act}")
    flaw.hold(db)
    undone = _undone(db, [act])
    base = base_of(act, undone)
    touched = db.execute(
        "select one, other, act, revoked_act from clearway.finding_edge where act = %(act)s or revoked_act = %(act)s",
        {"act": base},
    ).fetchall()
    everybody = sorted({number for row in touched for number in row[:2]})
    if not everybody or (finding is not None and finding.id not in everybody):
        raise NotFoundError("no such act", where=f"act {act}")
    if not in_force(act, undone):
        raise ConflictError("it was undone already", where=f"act {act}")
    made = scalar(db, "select clearway.undo_edge_act(%s)", (act,))
    rows = _sayings(db, everybody, sorted({row[2] for row in touched if row[2] is not None}))
    acts = {n for row in rows for n in (row.saying.act, row.revoked_act) if n is not None}
    follows = change(base, rows, _undone(db, [*acts, base]))
    with flaw.changing(db):
        for row in follows.revoke:
            _revoke(db, row.edge, why, made)
        for row in follows.again:
            said = row.saying
            add(
                db, said.one, said.other, said.verdict, said.basis,  # type: ignore[arg-type]
                score=row.score, reason=row.reason, act=said.act,
            )  # fmt: skip
    _log(db, "duplicate.undone", members(db, everybody), made, why, undid=act)
    return made


def _undone(db: Connection, acts: Sequence[int]) -> dict[int, int]:
    return dict(db.execute("select act, undid from clearway.edge_undos(%s)", (list(acts),)).fetchall())


def _sayings(db: Connection, findings: Sequence[int], acts: Sequence[int]) -> list[Row]:
    """All that these acts, or none, have said by a person of these findings, the oldest first."""
    rows = db.execute(
        """select edge, act, one, other, verdict, basis, revoked is not null, revoked_act, score, reason
        from clearway.finding_edge where basis = 'person' and (act = any(%s) or act is null)
            and one = any(%s) and other = any(%s) order by edge""",
        (list(acts), list(findings), list(findings)),
    )
    return [
        Row(edge=n, saying=Saying(*said), revoked=revoked, revoked_act=by, score=score, reason=reason)
        for n, *said, revoked, by, score, reason in rows
    ]


def revoke(db: Connection, finding: Finding, number: int, why: str) -> None:
    """Revokes one edge of a finding, whoever said it. A later replay or run may say it again.

    Raises:
        NotFoundError: the finding has no such edge.
        ConflictError: it was revoked already; or what it kept apart are two open cases.
    """
    _reasoned(why)
    flaw.hold(db)
    row = db.execute(
        "select one, other from clearway.finding_edge where edge = %s and %s in (one, other)",
        (number, finding.id),
    ).fetchone()
    if row is None:
        raise NotFoundError("the finding has no such edge", where=f"edge {number}")
    with flaw.changing(db):
        _revoke(db, number, why, None)
    _log(db, "duplicate.edge_revoked", members(db, row), None, why, edge=number)


# Another organisation's finding that fired and is the same flaw by evidence: the exact input with its firing, patches
# of two hands, or what a person said. A stack, a state and one fix suggest alone: two flaws of one function have one
# state, and any patch may be broad, so that whoever has a proof of one would be told of the other. What evidence says
# of two open cases is kept as `likely`, with its score.
_SAID = """(e.basis in ('person', 'cross-run') and e.verdict = 'same')
    or (e.basis = 'cross-run' and e.verdict = 'likely' and e.score > 0.9) or (e.basis = 'input' and e.score >= 1
    and e.verdict in ('same', 'likely', 'regression'))"""
_ALIKE = f"""exists (select from clearway.finding_edge e
    join clearway.finding o on o.finding = case when e.one = f.finding then e.other else e.one end
    where f.finding in (e.one, e.other) and e.revoked is null and o.org <> f.org and o.level >= 1
        and ({_SAID}))"""
_HELD = _ALIKE.replace("o.level >= 1", "o.level >= 1 and o.state <> 'withdrawn'")
_CORRECTED = "30 days"  # after an answer, evidence does no more to it


def held_by_others(db: Connection, finding: Finding) -> bool:
    """Whether another organisation's finding that fired is the same flaw by evidence: a judge for `intake.overlap`."""
    row = db.execute(f"select {_HELD} from clearway.finding f where f.finding = %s", (finding.id,)).fetchone()  # noqa: S608
    return bool(row and row[0])


def wrongly_denied(owner: Connection, most: int = 200) -> list[int]:
    """Findings of which *no* was told and evidence now says that another, received before the answer, was the same."""
    rows = owner.execute(
        f"""select f.finding from clearway.overlap_answer a join clearway.finding f on f.finding = a.finding
        where not a.held and a.asked > clock_timestamp() - interval '{_CORRECTED}' and f.state <> 'withdrawn'
            and {_HELD.replace("where f.finding", "where o.received < a.asked and f.finding")}
        order by f.finding limit %s""",  # noqa: S608 - of constants
        (most,),
    )
    return [number for (number,) in rows]


def wrongly_affirmed(owner: Connection, most: int = 200) -> list[int]:
    """Findings of which *yes* was told, and nothing that counts says so any more: by a cross-run that a newer one or an
    older rule's end has revoked, or by what the rule of today takes for a hint."""
    rows = owner.execute(
        f"""select f.finding from clearway.overlap_answer a join clearway.finding f on f.finding = a.finding
        where a.held and f.state <> 'withdrawn' and not {_ALIKE}
            and exists (select from clearway.finding_edge e where f.finding in (e.one, e.other)
                and ((e.basis = 'cross-run' and e.revoked_by = 0)
                    or (e.basis in ('input', 'stack', 'crash') and e.revoked is null and not ({_SAID}))))
            and not exists (select from clearway.finding_edge e where f.finding in (e.one, e.other)
                and e.basis = 'cross-run' and e.revoked is null and right(e.reason, %s) = %s)
        order by f.finding limit %s""",  # noqa: S608 - of constants
        (len(AGAIN), AGAIN, most),
    )
    return [number for (number,) in rows]


def _standing(
    db: Connection,
    findings: Sequence[int],
    verdict: Verdict,
    *,
    across: Iterable[tuple[int, ...]],
    basis: Basis = "person",
) -> list[int]:
    """Standing edges between these findings that join two of the parts."""
    part = {number: n for n, numbers in enumerate(across) for number in numbers}
    rows = db.execute(
        """select edge, one, other from clearway.finding_edge where revoked is null and verdict = %s and basis = %s
            and one = any(%s) and other = any(%s) order by edge""",
        (verdict, basis, list(findings), list(findings)),
    )
    return [number for number, one, other in rows if part.get(one) != part.get(other)]


def _revoke(db: Connection, number: int, why: str, act: int | None) -> None:
    db.execute("select clearway.revoke_finding_edge(%s, %s, %s)", (number, why, act))


def _log(db: Connection, what: str, found: list[Finding], act: int | None, why: str, **more: int) -> None:
    """One entry a finding, for those who may see all of them: its text must tell nobody of another's report."""
    aud = scalar(db, "select clearway.meet(%s)", (sorted({f.aud for f in found}),))
    content = {"findings": [f.handling for f in found], "act": act, "why": why, **more}
    for finding in found:
        ledger.append(db, what, finding.subject, content, aud=aud)
    events.emit(
        db,
        what,
        found[0].subject,
        org=found[0].org,
        aud=aud,
        body={"findings": [f.handling for f in found[:50]]},
    )


def _reasoned(why: str) -> None:
    if not why.strip():
        raise InputError("say why", where="why")


def _bounded(numbers: Sequence[int]) -> None:
    if len(numbers) > MOST:
        raise TooLargeError(f"{len(numbers):,} findings", where="with", mend=f"at most {MOST} at once")


def _edge(row: tuple[Any, ...]) -> Edge:
    return Edge(**dict(zip(Edge.__struct_fields__, row, strict=True)))
