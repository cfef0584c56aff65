"""Why a worker's life ended, and whether the database is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

LIFE = "worker"  # beside the loops in `job_loop`: what ended the last life, until one lasts
LEAST_S = 30.0  # a life of so long lasts
_AWAY = (
    "08",
    "53",
    "57P",
)  # PostgreSQL, appendix A: the connection, its resources, and when it ends or begins
_NOTE = """
insert into clearway.job_loop (name, failed, code, reason) values (%s, clock_timestamp(), 'internal', %s)
on conflict (name) do update set failed = excluded.failed, code = excluded.code, reason = excluded.reason
"""
_LIVES = (
    "delete from clearway.job_loop where name = %s and failed < clock_timestamp() - make_interval(secs => %s)"
)


def is_away(error: BaseException) -> bool:
    """Whether the connection failed, or the server ends, begins or is full; False for what we asked of it wrongly."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg.InterfaceError | UpstreamError | OSError):
            return True
        if isinstance(cause, psycopg.OperationalError):
            return cause.sqlstate is None or cause.sqlstate.startswith(_AWAY)
        cause = cause.__cause__
    return False


def note(db: Connection[Any], error: BaseException) -> None:
    """Keeps why a life ended, for `clearway doctor`."""
    said = plain(f"{type(error).__name__}: {error}".replace("\0", "\ufffd"), 2000)
    db.execute(_NOTE, (LIFE, said))


async def lives(db: AsyncConnection[Any]) -> None:
    """Takes back what was noted of an earlier life: this one lasts."""
    await db.execute(_LIVES, (LIFE, LEAST_S))
