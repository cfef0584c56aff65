"""Several statements in one round trip, sent together and answered together.

psycopg's own pipeline sends each statement as it is given, and waits for the socket each time: three of them cost four
calls of the system and four hand-overs of the interpreter's lock. libpq gathers what is given until it is told to
synchronise, so that here they cost one of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import OperationalError, errors
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import psycopg
    from psycopg.pq.abc import PGconn, PGresult

# A statement as the server reads it, with $1, $2…, and its parameters as text.
Statement = tuple[bytes, "Sequence[bytes] | None"]


def execute(db: psycopg.Connection[Any], statements: Sequence[Statement]) -> list[PGresult]:
    """Executes `statements`, one or more, one after the other; one that fails leaves out the rest.

    Returns what each answered.

    Raises:
        psycopg.Error: the first that failed. A connection that is lost meanwhile, or on which an interrupt came, is
            `closed` afterwards.
    """
    conn = db.pgconn
    try:
        conn.enter_pipeline_mode()
        for text, values in statements:
            conn.send_query_params(text, values)
        conn.pipeline_sync()
        found = db.wait(_answers(conn, len(statements)))
        conn.exit_pipeline_mode()
    except BaseException:
        if conn.status == ConnStatus.OK:  # with answers still to come it is of no use to anybody
            db.close()
        raise
    for result in found:
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result)
    return found


def _answers(conn: PGconn, count: int) -> Generator[Any, Any, list[PGresult]]:
    yield from send(conn)
    found: list[PGresult] = []
    for _ in range(count):
        found += yield from fetch_many(conn)
    (synced,) = yield from fetch_many(conn)
    if synced.status != ExecStatus.PIPELINE_SYNC:
        raise OperationalError("the server answered out of order")
    return found
