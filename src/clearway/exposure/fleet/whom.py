"""Whom one record hits: the third path, in PostgreSQL, over the same keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import dictionary
from .pieces import pieces
from .version import component_of
from .word import word

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.advisories.table import Table


# A version is hit where its key lies in an interval; through its source package only where nothing names what is
# installed. The packages are few, so each is a short walk of the index (package, key).
_INTERVALS = """select distinct l.pv
from unnest(%s::int[], %s::bytea[], %s::bytea[]) as i(package, lo, hi)
join clearway.lookup l on l.package = i.package and l.key >= i.lo and l.key < i.hi and l.plain
where l.unless is null or not exists (
    select from clearway.package p join clearway.claim c on c.ecosystem = p.ecosystem and c.name = p.name and c.clear
    where p.package = l.unless)"""


def versions_hit(
    db: psycopg.Connection[Any], table: Table, packages: Iterable[tuple[str, str]], record: str
) -> set[int]:
    """The versions of these packages that `record` calls affected, or can't clear: the owner's transaction.

    Its intervals are joined in PostgreSQL; what it says beyond intervals is judged, for the versions of that package.
    """
    known = dictionary.known_packages(db, packages)
    claims = {at: [c for c in table.claims(*at) if c.record == record] for at in known}
    plain: list[tuple[int, bytes, bytes]] = []
    special: list[int] = []
    others: list[int] = []
    for at, package in known.items():
        found = pieces(at[0], claims[at])
        if found is None:
            special.append(package)
        else:
            others.append(package)
            plain += [(package, p.lo, p.hi) for p in found]
    hit: set[int] = set()
    if plain:
        hit.update(row[0] for row in db.execute(_INTERVALS, [list(c) for c in zip(*plain, strict=True)]))
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(_ONE_BY_ONE, {"special": special, "others": others})
        for pv, ecosystem, name, body in rows:
            if word(ecosystem, name, claims[ecosystem, name], component_of(bytes(body))):
                hit.add(pv)
    return hit


# By a join, not by `any`: of hundreds of packages the planner would weigh each.
_ONE_BY_ONE = """select l.pv, p.ecosystem, p.name, v.component
from (
    select l.* from unnest(%(special)s::int[]) w(package) join clearway.lookup l using (package)
    union all
    select l.* from unnest(%(others)s::int[]) w(package) join clearway.lookup l on l.package = w.package and not l.plain
) l
join clearway.package p on p.package = l.package
join clearway.package_version v on v.pv = l.pv
where l.unless is null or not exists (
    select from clearway.package u join clearway.claim c on c.ecosystem = u.ecosystem and c.name = u.name and c.clear
    where u.package = l.unless)"""


def assets_hit(
    db: psycopg.Connection[Any], table: Table, packages: Iterable[tuple[str, str]], record: str
) -> tuple[int, ...]:
    """The assets that hold a version which `record` affects, or may, ascending."""
    pvs = versions_hit(db, table, packages, record)
    with db.cursor(binary=True) as cursor:
        row = cursor.execute(_HOLDERS, (sorted(pvs),)).fetchone()
    return tuple(row[0]) if row else ()


# One walk of the index (aud, pv, asset) an audience, not one a version and audience.
_HOLDERS = """with used as materialized (
    select u.aud, array_agg(u.pv) as pvs from unnest(%s::int[]) w(pv) join clearway.version_use u using (pv)
    group by u.aud order by u.aud)
select coalesce(array_agg(distinct h.asset), '{}') from used u
join clearway.held h on h.aud = u.aud and h.pv = any(u.pvs)"""
