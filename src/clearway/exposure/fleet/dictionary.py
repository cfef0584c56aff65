"""Versions, packages and flaws, each kept once: numbers for them, and back. Written by the owner alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store.arrays import Blobs

from .version import Version, body_of, component_of, said_of, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from clearway.advisories.table import FlawFacts, Table
    from clearway.records.inventory import Component

# Held while new rows are made, so that of two writers the second finds what the first made.
_LOCK = 0x636C7761_00000005


def known(db: psycopg.Connection[Any], digests: Sequence[bytes]) -> dict[bytes, int]:
    """digest -> pv of those that are in the dictionary."""
    if not digests:
        return {}
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """select v.digest, v.pv from unnest(%b::bytea[]) as w(digest)
            join clearway.package_version v using (digest)""",
            (Blobs(digests),),
        ).fetchall()
        return {bytes(digest): pv for digest, pv in rows}


def intern(db: psycopg.Connection[Any], components: Mapping[bytes, Component]) -> dict[bytes, int]:
    """The numbers of versions by digest, made for those that are new. A transaction of the owner's."""
    found = known(db, list(components))
    fresh = [version_of(c) for digest, c in components.items() if digest not in found]
    if fresh:
        db.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        again = known(db, [v.digest for v in fresh])
        found |= again
        found |= _insert(db, [v for v in fresh if v.digest not in again])
    return found


def _insert(db: psycopg.Connection[Any], fresh: Sequence[Version]) -> dict[bytes, int]:
    if not fresh:
        return {}
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """insert into clearway.package_version (digest, ecosystem, name, version, purl, component, plain,
                arch, source, apart)
            select * from unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bool[],
                %s::text[], %s::text[], %s::text[])
            returning digest, pv""",
            (
                [v.digest for v in fresh],
                [v.component.ecosystem for v in fresh],
                [v.component.name for v in fresh],
                [v.component.version for v in fresh],
                [v.component.purl for v in fresh],
                [body_of(v) for v in fresh],
                [v.plain for v in fresh],
                *([list(c) for c in zip(*(said_of(v.component) for v in fresh), strict=True)]),
            ),
        )
        found = {bytes(digest): pv for digest, pv in rows}
    names = {(k.ecosystem, k.name) for v in fresh for k in v.lookups}
    names |= {k.unless for v in fresh for k in v.lookups if k.unless}
    of = packages(db, names)
    rows_ = [
        (
            of[k.ecosystem, k.name],
            found[v.digest],
            nth,
            None if k.unless is None else of[k.unless],
            k.key,
            v.plain,
        )
        for v in fresh
        for nth, k in enumerate(v.lookups)
    ]
    sql = "copy clearway.lookup (package, pv, nth, unless, key, plain) from stdin (format binary)"
    with db.cursor() as cursor, cursor.copy(sql) as copy:
        copy.set_types(["int4", "int4", "int2", "int4", "bytea", "bool"])
        for row in rows_:
            copy.write_row(row)
    return found


def packages(db: psycopg.Connection[Any], names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(ecosystem, name) -> number, made for those that are new."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    both = ([e for e, _ in wanted], [n for _, n in wanted])
    db.execute(
        """insert into clearway.package (ecosystem, name) select w.e, w.n from unnest(%s::text[], %s::text[]) w(e, n)
        where not exists (select from clearway.package p where p.ecosystem = w.e and p.name = w.n)
        on conflict do nothing""",
        both,
    )
    return known_packages(db, wanted)


def known_packages(
    db: psycopg.Connection[Any], names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """(ecosystem, name) -> number of those that something is looked up by."""
    wanted = sorted(set(names))
    rows = db.execute(
        """select p.ecosystem, p.name, p.package from unnest(%s::text[], %s::text[]) w(e, n)
        join clearway.package p on p.ecosystem = w.e and p.name = w.n""",
        ([e for e, _ in wanted], [n for _, n in wanted]),
    )
    return {(e, n): package for e, n, package in rows}


def components(db: psycopg.Connection[Any], pvs: Iterable[int]) -> dict[int, Component]:
    """pv -> component."""
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """select v.pv, v.component from unnest(%s::int[]) as w(pv)
            join clearway.package_version v using (pv)""",
            (sorted(set(pvs)),),
        ).fetchall()
        return {pv: component_of(bytes(body)) for pv, body in rows}


def flaws(db: psycopg.Connection[Any], ids: Iterable[str], *, known: bool = True) -> dict[str, int]:
    """id -> number of public flaws; made, without facts, for those that are new.

    Not `known`: no public record names them. Such a flaw is shown to who may see something that it is in.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    db.execute(
        """insert into clearway.flaw (id, known) select w.id, %s from unnest(%s::text[]) as w(id)
        where not exists (select from clearway.flaw f where f.id = w.id and f.aud = 0) on conflict do nothing""",
        (known, wanted),
    )
    if known:
        db.execute(
            "update clearway.flaw f set known = true where f.id = any(%s) and f.aud = 0 and not f.known",
            (wanted,),
        )
    rows = db.execute(
        "select f.id, f.flaw from unnest(%s::text[]) as w(id) join clearway.flaw f using (id) where f.aud = 0",
        (wanted,),
    )
    return dict(rows.fetchall())


def keep_facts(db: psycopg.Connection[Any], table: Table, only: Iterable[str] | None = None) -> set[int]:
    """Brings the facts of flaws up to the table: all of them, or `only` these ids.

    Returns the flaws that only marked records knew until now: what they are in is to be dated anew.
    """
    db.execute(
        """create temporary table if not exists incoming_flaw (
            id text, kev date, kev_due date, exploitation text, automatable text, impact text, ssvc_dated text,
            epss real, score real) on commit delete rows"""
    )
    facts = table.all_facts() if only is None else (f for i in sorted(set(only)) if (f := table.facts(i)))
    sql = "copy incoming_flaw from stdin (format binary)"
    with db.cursor() as cursor, cursor.copy(sql) as copy:
        copy.set_types(["text", "date", "date", "text", "text", "text", "text", "float4", "float4"])
        for fact in facts:
            copy.write_row(_facts(fact))
    db.execute(
        """update clearway.flaw f set kev = i.kev, kev_due = i.kev_due, exploitation = i.exploitation,
            automatable = i.automatable, impact = i.impact, ssvc_dated = i.ssvc_dated, epss = i.epss, score = i.score,
            known = true
        from incoming_flaw i where f.id = i.id and f.aud = 0
            and (not f.known
            or (f.kev, f.kev_due, f.exploitation, f.automatable, f.impact, f.ssvc_dated, f.epss, f.score)
            is distinct from
            (i.kev, i.kev_due, i.exploitation, i.automatable, i.impact, i.ssvc_dated, i.epss, i.score))"""
    )
    db.execute(
        """insert into clearway.flaw
            (id, kev, kev_due, exploitation, automatable, impact, ssvc_dated, epss, score)
        select * from incoming_flaw i where not exists (select from clearway.flaw f where f.id = i.id and f.aud = 0)
        on conflict do nothing"""
    )
    db.execute("truncate incoming_flaw")
    # A flaw that only marked records knew, and that is public now, is one flaw.
    moved = db.execute(
        """update clearway.exposure e set flaw = p.flaw, version = version + 1
        from clearway.flaw m join clearway.flaw p on p.id = m.id and p.aud = 0 where m.aud <> 0 and e.flaw = m.flaw
        returning e.flaw"""
    ).fetchall()
    db.execute(
        """update clearway.marked k set flaw = p.flaw
        from clearway.flaw m join clearway.flaw p on p.id = m.id and p.aud = 0 where m.aud <> 0 and k.flaw = m.flaw"""
    )
    return {row[0] for row in moved}


def _facts(fact: FlawFacts) -> tuple[object, ...]:
    kev, ssvc = fact.kev, fact.ssvc
    return (
        fact.id,
        None if kev is None else kev.date_added,
        None if kev is None else kev.due_date,
        "" if ssvc is None else ssvc.exploitation,
        "" if ssvc is None else ssvc.automatable,
        "" if ssvc is None else ssvc.technical_impact,
        "" if ssvc is None else ssvc.dated,
        -1.0 if fact.epss is None else fact.epss[0],
        -1.0 if fact.best_score is None else fact.best_score,
    )
