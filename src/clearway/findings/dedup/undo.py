"""What acts of persons say and take back, and what of it stands when some of them are undone. Pure.

An act says edges, and takes others back that earlier acts said; both stay on record. An act that undoes another may be
undone itself. So what stands follows from the acts that are not undone, whatever the order in which they were: an edge
stands while the act that said it is not undone, and no act that took it back is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct


class Saying(Struct, frozen=True):
    """One edge as an act said it: each time that it was said is a row, and all rows are one saying."""

    act: int | None  # None: said by no act, so that nothing undoes it
    one: int
    other: int
    verdict: str
    basis: str


class Row(Struct, frozen=True, kw_only=True):
    """One row of a saying. `revoked_act` is the act that took it back, None where it stands or no act did."""

    edge: int
    saying: Saying
    revoked: bool
    revoked_act: int | None
    score: float
    reason: str


class Change(Struct, frozen=True):
    """What is to be done so that what stands is what should: rows to revoke, and rows to say again."""

    revoke: tuple[Row, ...]
    again: tuple[Row, ...]


def base_of(act: int, undone: Mapping[int, int]) -> int:
    """The merge or split at the end of a chain: undo of an undo of it. `undone` says which act undid which."""
    while act in undone:
        act = undone[act]
    return act


def in_force(act: int, undone: Mapping[int, int]) -> bool:
    """Whether an act counts: nothing that undoes it does."""
    return not any(in_force(by, undone) for by, undid in undone.items() if undid == act)


def change(base: int, rows: Iterable[Row], undone: Mapping[int, int]) -> Change:
    """What follows for all that `base` said or took back, from all rows of these sayings."""
    by_saying: dict[Saying, list[Row]] = {}
    for row in rows:
        by_saying.setdefault(row.saying, []).append(row)
    revoke, again = [], []
    for saying, said in by_saying.items():
        takers = {row.revoked_act for row in said if row.revoked_act is not None}
        if saying.act != base and base not in takers:
            continue
        standing = [row for row in said if not row.revoked]
        if _stands(saying, said, takers, undone):
            again += [] if standing else [said[-1]]
        else:
            revoke += standing
    return Change(tuple(revoke), tuple(again))


def _stands(saying: Saying, said: Iterable[Row], takers: Collection[int], undone: Mapping[int, int]) -> bool:
    if any(row.revoked and row.revoked_act is None for row in said):
        return False  # taken back by itself, which no undo brings again
    if saying.act is not None and not in_force(saying.act, undone):
        return False
    return not any(by not in undone and in_force(by, undone) for by in takers)
