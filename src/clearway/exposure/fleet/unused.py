"""Names of versions that a changed marking has closed: who read them through one asset may not any more.

The dictionary of versions is shared, and `version_use` says in which audiences a version is in use: a row of it opens
the version's name. Inventories only add to it, without a lock that others would wait for; so what an asset's new
marking leaves behind is noted with the change (`version_left`), and taken away here a moment later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.errors import LockNotAvailable

if TYPE_CHECKING:
    import psycopg

_WAIT = "2s"  # for inventories that are being taken; those that come wait behind this meanwhile
_AT_ONCE = 20_000

_NOTED = "select pv, was::int from clearway.version_left order by pv, was limit %s"
# What is held in that audience keeps its row, and so does what an exposure is in, also one that is over.
_LEFT = """select w.pv, w.aud from unnest(%s::int[], %s::int[]) w(pv, aud)
where not exists (select from clearway.held h where h.aud = w.aud and h.pv = w.pv)
    and not exists (select from clearway.exposure e where e.pv = w.pv and e.aud = w.aud)"""
_TAKE = """delete from clearway.version_use u using unnest(%s::int[], %s::int[]) w(pv, aud)
where u.pv = w.pv and u.aud = w.aud
    and not exists (select from clearway.held h where h.aud = w.aud and h.pv = w.pv)"""
_DONE = """delete from clearway.version_left l using unnest(%s::int[], %s::int[]) w(pv, aud)
where l.pv = w.pv and l.was = w.aud"""


def forget(db: psycopg.Connection[Any]) -> int:
    """Takes away some of the rows of `version_use` that nothing needs any more; returns how many it looked at.

    To be called as the owner, in a transaction of its own, until it returns 0. It also returns 0 where inventories are
    being taken for longer than it waits: what was noted is there at the next call.
    """
    noted = db.execute(_NOTED, (_AT_ONCE,)).fetchall()
    if not noted:
        return 0
    left = db.execute(_LEFT, _columns(noted)).fetchall()
    if left:
        try:
            with db.transaction():
                db.execute("select set_config('lock_timeout', %s, true)", (_WAIT,))
                # Whoever adds to it has done so and committed, or does so after this: then what it held is seen here,
                # or its row is missed there and written.
                db.execute("lock table clearway.version_use in share row exclusive mode")
                db.execute(_TAKE, _columns(left))
        except LockNotAvailable:
            return 0
    db.execute(_DONE, _columns(noted))
    return len(noted)


def _columns(rows: list[tuple[Any, ...]]) -> tuple[list[int], list[int]]:
    return [row[0] for row in rows], [row[1] for row in rows]
