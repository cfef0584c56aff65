"""Which findings are one flaw, and that one flaw is in one open case, whatever is said and done at once.

Groups follow from edges that hang together (`cluster`), so there is no row to lock for one. Whoever changes what is
said of findings, or which case they are in, does it one after the other, and the database looks at the end of each
transaction whether two open cases were brought together (`clearway.flaw_apart`), whoever asked for it in which way.
Within `changing` and `settling` it looks at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clearway.records.errors import TooLargeError
from clearway.store.connect import translated

from . import cluster
from .cluster import Tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]
    Group = tuple[int, ...]

_REACH = 5_000  # findings that are followed to find a group


def hold(db: Connection) -> None:
    """Makes every other change of what is one flaw, or in which case, wait for the end of this transaction.

    Taken before any row is locked. Again in the same transaction it does nothing.

    Raises:
        ForbiddenError: the caller is no desk.
    """
    db.execute("select clearway.hold_flaws()")


@contextmanager
def changing(db: Connection) -> Iterator[None]:
    """What is said of findings within, or done to their cases, brings no two open cases together; else it is undone.

    Raises:
        ConflictError: a flaw would be in two open cases; those are named that the caller may see. Or more is joined to
            what was touched than can be looked at.
        ForbiddenError: the caller is no desk.
    """
    hold(db)
    with translated(), db.transaction():
        yield
        _look(db)


@contextmanager
def settling(owner: Connection) -> Iterator[None]:
    """As `changing`, for what runs and keys say: nobody is there to be refused, so what would bring two open cases
    together is kept as `likely`, for a coordinator to decide; and so is what joins more than can be looked at.
    """
    hold(owner)
    yield
    _look(owner)


def _look(db: Connection) -> None:
    db.execute("set constraints clearway.flaw_apart immediate")
    db.execute("set constraints clearway.flaw_apart deferred")


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


def joined_to(db: Connection, findings: Sequence[int]) -> dict[int, Group]:
    """For each of these findings, all that hang together with it by what says `same`, itself among them, whatever keeps
    some of them apart: a contradiction is there to be looked at.

    Raises:
        TooLargeError: more is joined to them than can be looked at.
    """
    met = _met(db, findings)
    same = [tie for tie in _ties(db, met) if tie.verdict == "same"]
    return {number: group for group in cluster.groups(met, same) for number in group}


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
