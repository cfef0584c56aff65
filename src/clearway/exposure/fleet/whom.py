"""Whom one record hits: the third path, in PostgreSQL, over the same keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import answer, dictionary
from .pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table


# A version is hit where its key lies in an interval; through its source package only where nothing names what is
# installed. The packages are few, so each is a short walk of the index (package, key).
_INTERVALS = """select distinct l.pv
from unnest(%s::int[], %s::bytea[], %s::bytea[]) as i(package, lo, hi)
join clearway.lookup l on l.package = i.package and l.key >= i.lo and l.key < i.hi
join clearway.package_version v on v.pv = l.pv and v.plain
where l.unless is null or not exists (
    select from clearway.package p join clearway.claim c on c.ecosystem = p.ecosystem and c.name = p.name and c.clear
    where p.package = l.unless)"""


def versions_hit(
    db: psycopg.Connection[Any], table: Table, packages: Iterable[tuple[str, str]], record: str, day: date
) -> set[int]:
    """The versions of these packages that `record` affects, or may: the owner's transaction.

    Plain packages by their keys in PostgreSQL; in the others the versions are judged one by one.
    """
    known = dictionary.known_packages(db, packages)
    plain: list[tuple[int, bytes, bytes]] = []
    special: list[int] = []
    for (ecosystem, name), package in known.items():
        found = pieces(ecosystem, table.claims(ecosystem, name))
        if found is None:
            special.append(package)
        else:
            plain += [(package, p.lo, p.hi) for p in found if p.record == record]
    hit: set[int] = set()
    if plain:
        columns = [list(c) for c in zip(*plain, strict=True)]
        hit.update(row[0] for row in db.execute(_INTERVALS, columns))
    asked = _to_ask(db, special, list(known.values()))
    if asked:
        asker = answer.Asker(table, day)
        hit -= asked
        for pv, component in dictionary.components(db, asked).items():
            if any(record in a.records for a in asker.ask(pv, component)):
                hit.add(pv)
    return hit


def _to_ask(db: psycopg.Connection[Any], special: list[int], every: list[int]) -> set[int]:
    rows = db.execute(
        """select l.pv from clearway.lookup l where l.package = any(%s)
        union select l.pv from clearway.lookup l join clearway.package_version v on v.pv = l.pv and not v.plain
        where l.package = any(%s)""",
        (special, every),
    )
    return {row[0] for row in rows}


def assets_hit(
    db: psycopg.Connection[Any], table: Table, packages: Iterable[tuple[str, str]], record: str, day: date
) -> tuple[int, ...]:
    """The assets that hold a version which `record` affects, or may, ascending."""
    pvs = versions_hit(db, table, packages, record, day)
    with db.cursor(binary=True) as cursor:
        row = cursor.execute(
            """select coalesce(array_agg(distinct h.asset), '{}') from unnest(%s::int[]) w(pv)
            join clearway.held h using (pv)""",
            (list(pvs),),
        ).fetchone()
    return tuple(row[0]) if row else ()
