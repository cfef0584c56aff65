"""The one number that a query gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg


def scalar(
    db: psycopg.Connection[Any], query: Any, parameters: tuple[object, ...] | Mapping[str, object] = ()
) -> int:
    """The first column of the first row of a query that always gives one: a function's answer, a new row's id."""
    row = db.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])
