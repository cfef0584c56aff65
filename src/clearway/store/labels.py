"""The TLP labels of audiences, for what is told of rows: a number of an audience is kept in no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

STRICTEST = "RED"


def labels(db: psycopg.Connection[Any], auds: Iterable[int]) -> dict[int, str]:
    """The label of each, such as "AMBER+STRICT", as the database says it; the strictest where it may not."""
    rows = db.execute(
        "select w.aud, substr(clearway.label_of(array[w.aud]), 5) from unnest(%s::int[]) w(aud)",
        (sorted({*auds}),),
    )
    return {aud: label or STRICTEST for aud, label in rows}
