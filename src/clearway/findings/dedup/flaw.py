"""Which findings are one flaw, and that one flaw is in one open case, whatever is said and done at once.

Groups follow from edges that hang together (`cluster`), so there is no row to lock for one. Whoever changes what is
said of findings, or which case they are in, does it within `changing`: one after the other, each looked at before it
is done and after. Refused is what brings two open cases together that were not together before; so what is amiss from
older days can still be taken apart.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConflictError, TooLargeError

from . import cluster
from .cluster import Tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]
    Group = tuple[int, ...]

_REACH = 5_000  # findings that are followed to find a group
_CURE = "take the findings out of all but one of them, close it, or split them off, first"


def hold(db: Connection) -> None:
    """Makes every other change of what is one flaw, or in which case, wait for the end of this transaction.

    Taken before any row is locked. Again in the same transaction it does nothing.

    Raises:
        ForbiddenError: the caller is no desk.
    """
    db.execute("select clearway.hold_flaws()")


@contextmanager
def changing(db: Connection, findings: Iterable[int], *, where: str = "findings") -> Iterator[None]:
    """What is done to these findings within brings no two open cases together; else it is undone, and refused.

    Raises:
        ConflictError: their flaw would be in two open cases; those are named that the caller may see.
        ForbiddenError: the caller is no desk.
        TooLargeError: more is joined to them than can be looked at.
    """
    hold(db)
    touched = list(dict.fromkeys(findings))
    before = _together(db, touched)
    with db.transaction():
        yield
        for cases in _together(db, touched):
            if len(cases) > 1 and not any(cases <= stood for stood in before):
                raise _refusal(db, touched, cases, where)


@contextmanager
def settling(owner: Connection, findings: Iterable[int]) -> Iterator[None]:
    """As `changing`, for what runs and keys say: nobody is there to be refused, so what would bring two open cases
    together is kept as `likely`, for a coordinator to decide; and so is what joins more than can be looked at.
    """
    hold(owner)
    touched = list(dict.fromkeys(findings))
    try:
        before = _together(owner, touched)
    except TooLargeError:
        before = []
    yield
    try:
        while any(len(c) > 1 and not any(c <= s for s in before) for c in _together(owner, touched)):
            _weaken(owner, touched)
    except TooLargeError:
        rows = owner.execute(
            """select edge, one, other, basis, score, reason from clearway.finding_edge
            where revoked is null and verdict = 'same' and basis <> 'person' and one = any(%(of)s)
                and other = any(%(of)s) and at >= transaction_timestamp()""",
            {"of": touched},
        ).fetchall()
        for row in rows:
            _likely(owner, row, "more is joined to them than can be looked at")


def group_of(db: Connection, finding: int) -> Group:
    """The findings that are one flaw with this one, itself among them, as far as the caller may see.

    Raises:
        TooLargeError: more is joined to it than can be looked at.
    """
    return groups_of(db, [finding])[finding]


def groups_of(db: Connection, findings: Sequence[int]) -> dict[int, Group]:
    """The group of each of these findings (`group_of`), and of those that are joined to them.

    Raises:
        TooLargeError: more is joined to them than can be looked at.
    """
    met = _met(db, findings)
    return {number: group for group in cluster.groups(met, _ties(db, met)) for number in group}


def open_cases(db: Connection, findings: Sequence[int]) -> dict[int, tuple[int, str]]:
    """The open case of each of these that is in one: its number and its handling id, "" for who may not see it."""
    rows = db.execute(
        "select finding, of_case, handling from clearway.open_cases(%s::bigint[])", (list(findings),)
    )
    return {finding: (case, handling) for finding, case, handling in rows}


def named(cases: Iterable[str]) -> str:
    """Open cases in words; those without a handling id are told by their number alone."""
    found = sorted(set(cases) - {""})
    if not found:
        return "another open case"
    return f"{', '.join(found[:10])}{', …' if len(found) > 10 else ''}"


def _met(db: Connection, findings: Sequence[int]) -> list[int]:
    # Findings are followed, not edges: of a flaw that many reported alike there are far more edges.
    met = [
        number
        for (number,) in db.execute(
            """with recursive met (finding) as (
                select unnest(%(of)s::bigint[])
                union select n.finding from met m cross join lateral (
                    select e.other from clearway.finding_edge e
                    where e.one = m.finding and e.revoked is null and e.verdict = 'same'
                    union all select e.one from clearway.finding_edge e
                    where e.other = m.finding and e.revoked is null and e.verdict = 'same') n (finding))
            select finding from met limit %(most)s""",
            {"of": list(findings), "most": _REACH + len(findings) + 1},
        )
    ]
    if len(met) > _REACH + len(findings):
        where = f"finding/{findings[0]}"
        raise TooLargeError("too much is joined to it", where=where, mend="split it into its parts first")
    return met


def _ties(db: Connection, met: Sequence[int]) -> list[Tie]:
    rows = db.execute(
        """select distinct one, other, verdict, basis from clearway.finding_edge
        where revoked is null and verdict in ('same', 'different', 'contains') and one = any(%s) and other = any(%s)""",
        (met, met),
    )
    return [Tie(one=a, other=b, verdict=v, basis=basis) for a, b, v, basis in rows]


def _together(db: Connection, findings: Sequence[int]) -> list[frozenset[int]]:
    """The open cases of each group that hangs together with these, by their numbers; none of groups in no case."""
    if not findings:
        return []
    met = _met(db, findings)
    cases = {number: case for number, (case, _) in open_cases(db, met).items()}
    if len(set(cases.values())) < 2:
        return [frozenset(cases.values())] if cases else []
    groups = cluster.groups(met, _ties(db, met))
    return [found for group in groups if (found := frozenset(cases[n] for n in group if n in cases))]


def _refusal(db: Connection, touched: Sequence[int], cases: frozenset[int], where: str) -> ConflictError:
    handlings = {name for case, name in open_cases(db, _met(db, touched)).values() if case in cases}
    return ConflictError(
        f"the same flaw would be in {len(cases)} open cases: {named(handlings)}", where=where, mend=_CURE
    )


def _weaken(owner: Connection, touched: Sequence[int]) -> None:
    """Makes the newest edge of a run or a key that holds two open cases together one that is to be looked at."""
    cases = {n: case for n, (case, _) in open_cases(owner, _met(owner, touched)).items()}
    for group in set(groups_of(owner, touched).values()):
        if len({cases[n] for n in group if n in cases}) < 2:
            continue
        row = owner.execute(
            """select edge, one, other, basis, score, reason from clearway.finding_edge
            where revoked is null and verdict = 'same' and basis <> 'person' and one = any(%s) and other = any(%s)
            order by basis = 'cross-run', edge desc limit 1""",
            (list(group), list(group)),
        ).fetchone()
        if row is None:
            continue  # what persons have said stood before
        _likely(owner, row, "they are in two open cases")


def _likely(owner: Connection, row: tuple[Any, ...], why: str) -> None:
    edge, one, other, basis, score, reason = row
    owner.execute("select clearway.revoke_finding_edge(%s, %s)", (edge, why))
    owner.execute(
        "select clearway.add_finding_edge(%s, %s, 'likely', %s, %s::real, %s)",
        (one, other, basis, score, f"{reason[:1900]}; {why}"),
    )
