"""Giving audiences back: rows leave those whose embargo has ended, and numbers that nothing refers to are used again.

There are 65,536 numbers, and an embargo that ended leaves its own behind. Rows under it move, in batches, to the
audience that says the same without it. A number that no row and no open approval has is then *retired*, *given up*, and
only after that another's. Between these steps every transaction ends that may know the number from before, and
everything is looked through again: decision 0013 has the attacks.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from psycopg import sql

from clearway.store.scalar import scalar

if TYPE_CHECKING:
    import psycopg

    from clearway.store.jobs import Connect

BATCH = 5_000  # rows a transaction
UNUSED_FOR = timedelta(days=7)  # so young an audience is not retired: who made it may not have used it yet
REST = timedelta(days=1)  # at least so long between two steps


class GivenBack(Struct, frozen=True, kw_only=True):
    """What one look did: audiences that were retired, those given up, and numbers that are free to be used again."""

    retired: int
    given_up: int
    ready: int


def move(connect: Connect, *, batch: int = BATCH) -> int:
    """Moves the rows of ended embargoes to the audiences that say the same without them; how many it moved.

    It may be killed at any moment and goes on where it was. Nobody sees more or less meanwhile.
    """
    with connect() as db:
        moves = dict(db.execute("select was, becomes from clearway.audience_moves()").fetchall())
        columns = db.execute("select tab::text, col::text from clearway.audience_columns()").fetchall()
    if not moves:
        return 0
    moved = 0
    for table, column in columns:
        with connect() as db:
            found = _carried(db, table, column, list(moves))
        for was in found:
            while True:
                with connect() as db:
                    n = scalar(
                        db,
                        "select clearway.move_rows(%s::regclass, %s, %s, %s, %s)",
                        (table, column, was, moves[was], batch),
                    )
                moved += n
                if n < batch:
                    break
    with connect() as db:
        db.execute(
            "update clearway.audience set moved = clock_timestamp() where aud = any(%s)", (list(moves),)
        )
    return moved


def give_back(connect: Connect, *, unused_for: timedelta = UNUSED_FOR, rest: timedelta = REST) -> GivenBack:
    """One look at what nothing refers to any more: each audience goes at most one step on."""
    with connect() as db:
        row = db.execute("select given_up, ready from clearway.reclaim_audiences(%s)", (rest,)).fetchone()
        assert row is not None
    with connect() as db:
        retired = scalar(db, "select clearway.retire_audiences(%s)", (unused_for,))
    with connect() as db:  # after that is committed: who begins from here on looks it up anew
        db.execute("select clearway.note_waits()")
    return GivenBack(retired=retired, given_up=row[0], ready=row[1])


def _carried(db: psycopg.Connection[Any], table: str, column: str, auds: list[int]) -> list[int]:
    query = sql.SQL("select distinct {0}::int from {1} where {0}::int = any(%s) order by 1").format(
        sql.Identifier(column), sql.SQL(table)
    )
    return [row[0] for row in db.execute(query, (auds,))]
