"""Pages of a list by key, not by number: the next page starts after the last row of this one.

Every piece of SQL here is a constant of the program (`LiteralString`, which mypy checks); what people type is
a parameter. A page costs the same wherever it is in the list, and rows that come and go meanwhile neither
repeat nor hide others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg


class Column(NamedTuple):
    """An expression to sort by: never null (`coalesce` it), and of a type that text gives back exactly."""

    sql: LiteralString
    type: LiteralString = "text"


class Source(NamedTuple):
    """What a list is made of: its columns in the names of the record's fields, and `from …` without `where`."""

    columns: LiteralString
    tables: LiteralString


class Condition(NamedTuple):
    """A constant condition with `%s`, once or more often, and the value that stands in each."""

    sql: LiteralString
    value: object


class Rows(NamedTuple):
    """A page. `last` is the key of its last row, to go on after; None when the list ends here."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    last: tuple[str, str] | None


def page(
    db: psycopg.Connection[Any],
    source: Source,
    conditions: Sequence[Condition],
    *,
    order: Column,
    tie: Column,
    descending: bool,
    after: Sequence[str] | None,
    limit: int,
) -> Rows:
    """At most `limit` rows in the order of (`order`, `tie`), after the key `after`.

    `tie` is unique in the list. Both go the same way, so that one index on the two serves both ways.

    Raises:
        psycopg.DataError: `after` holds a value that is not of its column's type.
    """
    where = [sql.SQL("({})").format(sql.SQL(c.sql)) for c in conditions]
    values = [value for c in conditions for value in [c.value] * c.sql.count("%s")]
    if after is not None:
        where.append(
            sql.SQL("({}, {}) {} (%s::{}, %s::{})").format(
                sql.SQL(order.sql),
                sql.SQL(tie.sql),
                sql.SQL("<" if descending else ">"),
                sql.SQL(order.type),
                sql.SQL(tie.type),
            )
        )
        values += [*after]
    way = sql.SQL("desc" if descending else "asc")
    query = sql.SQL(
        "select {}, ({})::text, ({})::text from {}{} order by {} {way}, {} {way} limit %s"
    ).format(
        sql.SQL(source.columns),
        sql.SQL(order.sql),
        sql.SQL(tie.sql),
        sql.SQL(source.tables),
        sql.SQL(" where ") + sql.SQL(" and ").join(where) if where else sql.SQL(""),
        sql.SQL(order.sql),
        sql.SQL(tie.sql),
        way=way,
    )
    answer = db.execute(query, [*values, limit + 1])
    assert answer.description is not None
    names = tuple(column.name for column in answer.description[:-2])
    found = answer.fetchall()
    kept = found[:limit]
    last = (kept[-1][-2], kept[-1][-1]) if len(found) > limit else None
    return Rows(names, [row[:-2] for row in kept], last)
