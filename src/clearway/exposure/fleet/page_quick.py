"""A query that a page can do without: given up when it takes longer than somebody would wait for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.errors import QueryCanceled

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

T = TypeVar("T")


def quick(db: psycopg.Connection[Any], ask: Callable[[], T], milliseconds: int) -> T | None:
    """What `ask` answers, or None when one of its statements takes longer; the transaction goes on either way."""
    row = db.execute("select current_setting('statement_timeout')").fetchone()
    before = str(row[0]) if row else "0"
    try:
        with db.transaction():
            db.execute("select set_config('statement_timeout', %s, true)", (str(milliseconds),))
            answer = ask()
            db.execute("select set_config('statement_timeout', %s, true)", (before,))
    except QueryCanceled:
        return None
    return answer
