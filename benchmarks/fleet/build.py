"""A synthetic fleet from real names: versions that somebody runs, and versions that records name.

Of a hundred components 85 are drawn from container SBOMs, 12 are real names with another version of their ecosystem,
and 3 are versions that advisories name, which on average 29 flaws affect: about one exposure for each component. What
an asset holds is drawn with a skew, so that some versions are everywhere and most are rare. Rows are made in bulk, as
by a restore.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from clearway.access import audience, marking, organisation
from clearway.advisories.table import Table
from clearway.exposure.fleet import dictionary, follow, rematch
from clearway.exposure.fleet.due import Dater, FlawDates, Setting, loaded
from clearway.exposure.fleet.version import clean, digest_of
from clearway.formats.archive import Blob, walk
from clearway.formats.inventory import read_inventory
from clearway.records.errors import ClearwayError
from clearway.records.inventory import Component

SEED = 14409
ORGS = 1_000
PER_ASSET = 100
DETECTED = 30  # days over which detections are spread
_EXPOSED = ("public", "internal", "unknown")


class Pool(NamedTuple):
    """Distinct components, and how many of each kind, in this order."""

    found: list[Component]
    real: int
    other: int
    named: int


def components(table: Table, data: Path, wanted: int) -> Pool:
    """About `wanted` distinct components: real ones, real names with other versions, and versions that records name."""
    chance = random.Random(SEED)  # noqa: S311 - to choose, not to hide
    real: dict[bytes, Component] = {}
    for component in _real(data):
        real.setdefault(digest_of(component), component)
    named = {digest_of(c): c for c in _named(table)}
    run = list(real.values())
    chance.shuffle(run)
    run = run[: wanted * 6 // 10]
    versions: dict[str, list[str]] = {}
    names: dict[str, list[Component]] = {}
    for c in run:
        versions.setdefault(c.ecosystem, []).append(c.version)
        names.setdefault(c.ecosystem, []).append(c)
    others: dict[bytes, Component] = {}
    kinds = list(names)
    weights = [len(names[k]) for k in kinds]
    told = [c for digest, c in named.items() if digest not in real]
    chance.shuffle(told)
    told = told[: wanted * 2 // 10]
    while len(others) < wanted - len(run) - len(told):
        (kind,) = chance.choices(kinds, weights)
        c = chance.choice(names[kind])
        made = Component(
            ecosystem=kind, name=c.name, version=chance.choice(versions[kind]), source_name=c.source_name,
            source_version=c.source_version,
        )  # fmt: skip
        digest = digest_of(made)
        if digest not in real and digest not in named:
            others.setdefault(digest, made)
    return Pool([*run, *others.values(), *told], len(run), len(others), len(told))


def _real(data: Path) -> Iterator[Component]:
    for blob in walk([data / "sbom" / "spdx-1000-containers-trivy.tar.zst"]):
        if isinstance(blob, Blob):
            try:
                found = read_inventory(blob.data, blob.place).components
            except ClearwayError:
                continue
            yield from (clean(c) for c in found if c.ecosystem and c.version)


def _named(table: Table) -> Iterator[Component]:
    with sqlite3.connect(f"file:{table.path}?mode=ro", uri=True) as db:
        keys = [key for (key,) in db.execute("select key from package order by key")]
    for key in keys:
        ecosystem, _, name = key.partition("\0")
        if ecosystem in ("vendor", "vendor-unreviewed", "cpe", "git", "commit", "go-folded"):
            continue
        texts: dict[str, None] = {}
        for claim in table.claims(ecosystem, name)[:8]:
            for _, _, introduced, end, _ in claim.intervals[:4]:
                texts.update(dict.fromkeys(t for t in (introduced, end) if t not in ("", "0")))
            texts.update(dict.fromkeys(t for _, t in claim.listed[:4]))
        for version in list(texts)[:12]:
            yield Component(ecosystem=ecosystem, name=name, version=version)


def dictionary_of(
    db: psycopg.Connection[Any], table: Table, found: list[Component], home: Path, day: date
) -> None:
    """Puts the versions into the dictionary and answers each, by a whole re-match."""
    row = db.execute("select count(*) from clearway.package_version").fetchone()
    if row is not None and row[0] >= len(found):  # a home of an earlier run
        return
    with db.transaction():
        follow.follow(db, table, day)
    for start in range(0, len(found), 20_000):
        with db.transaction():
            dictionary.intern(db, {digest_of(c): c for c in found[start : start + 20_000]})
    db.execute("analyze clearway.package_version, clearway.lookup, clearway.package")
    with db.transaction():
        rematch.rematch(db, table, home, day)
    db.execute("vacuum (analyze) clearway.answer, clearway.flaw")


def organisations(db: psycopg.Connection[Any]) -> None:
    """Organisations with the audience of each."""
    made = dict(db.execute("select slug, org from clearway.organisation where slug like 'org-%'").fetchall())
    for n in range(ORGS):
        with db.transaction():
            slug = f"org-{n}"
            org = made.get(slug) or organisation.add(db, slug, f"Organisation {n}", "operator").org
            aud = audience.of(db, marking.own(org))
            db.execute("insert into bench_org values (%s, %s, %s)", (n, org, aud))


_HELD = """
create temporary table draw as
    with pool as (select min(pv) as first from clearway.package_version),
    roll as materialized (
        select a.asset, a.aud, random() as kind, random() as r
        from clearway.asset a, generate_series(1, %(each)s) g where a.asset > %(after)s)
    select distinct asset, aud, p.first + case
        when kind < 0.85 then floor(%(real)s * power(r, 2.2))
        when kind < 0.97 then %(real)s + floor(%(other)s * r)
        else %(real)s + %(other)s + floor(%(named)s * r) end::int as pv
    from roll, pool p;
insert into clearway.held (asset, pv, aud, seen)
    select d.asset, d.pv, d.aud, 1 from draw d join clearway.package_version v using (pv) order by d.asset, d.pv;
"""
_EXPOSED_ROWS = """
insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, due, clock, verdict)
select %(at)s, a.asset, h.pv, n.flaw, a.org, a.aud, d.detected, d.due, d.clock, n.verdict
from clearway.asset a join clearway.held h using (asset) join clearway.answer n on n.pv = h.pv and n.verdict < 3
join bench_due d on d.flaw = n.flaw and d.exposed = a.exposure and d.nth = (a.asset + h.pv) %% %(days)s
where a.asset > %(after)s order by a.asset, h.pv
"""
_INDEXES = """select indexrelid::regclass::text, pg_get_indexdef(indexrelid), c.conname, c.contype
from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
where i.indrelid = any(array['clearway.exposure', 'clearway.held', 'clearway.version_use']::regclass[])"""


def grow(db: psycopg.Connection[Any], pool: Pool, assets: int, day: date) -> dict[str, Any]:
    """Adds assets until there are so many, with what they hold and its exposures; returns the counts."""
    row = db.execute("select count(*), coalesce(max(asset), 0) from clearway.asset").fetchone()
    have, last = row or (0, 0)
    if have >= assets:  # a home of an earlier run
        return _counted(db)
    db.execute("set session_replication_role = replica")  # references hold by construction
    db.execute("set maintenance_work_mem = '512MB'")
    db.execute("set work_mem = '256MB'")
    db.execute("select setseed(0.5)")
    db.execute(
        """insert into clearway.asset (org, aud, name, exposure, environment)
        select o.org, o.aud, 'host-' || g.n, (array['public', 'internal', 'unknown'])[1 + g.n %% 3],
            (array['production', 'development', 'unknown'])[1 + g.n %% 3]
        from generate_series(%s::int, %s::int) g(n)
        -- a fifth of all assets belong to one organisation
        join bench_org o on o.nth = case when g.n %% 5 = 0 then 0 else 1 + g.n %% (%s - 1) end""",
        (have + 1, assets, ORGS),
    )
    db.execute(
        """insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by)
        select asset, org, aud, exposure, %s, 'bench' from clearway.asset where asset > %s""",
        (day, last),
    )
    dropped = []
    for name, definition, constraint, kind in db.execute(_INDEXES).fetchall():
        if kind is None:
            db.execute(f"drop index {name}")
            dropped.append(definition)
        elif kind == "p" and "exposure" not in definition:
            table_name = "clearway.held" if "held" in definition else "clearway.version_use"
            columns = definition[definition.rindex("(") :]
            db.execute(f"alter table {table_name} drop constraint {constraint}")
            dropped.append(f"alter table {table_name} add primary key {columns}")
    drawn = {"each": PER_ASSET, "after": last, "real": pool.real, "other": pool.other, "named": pool.named}
    db.execute((_HELD % drawn).encode())
    db.execute("drop table draw")
    for sql in [d for d in dropped if "held" in d]:
        db.execute(sql)
    _dates(db, day)
    db.execute("analyze clearway.held, clearway.asset")
    db.execute(_EXPOSED_ROWS, {"at": day, "days": DETECTED, "after": last})
    db.execute(
        """insert into clearway.version_use
        select distinct pv, aud from clearway.held where asset > %s
        except select pv, aud from clearway.version_use""",
        (last,),
    )
    for sql in [d for d in dropped if "held" not in d]:
        db.execute(sql)
    db.execute("set session_replication_role = origin")
    db.execute("reset work_mem")
    db.execute(
        "vacuum (analyze) clearway.exposure, clearway.held, clearway.version_use, clearway.asset, "
        "clearway.asset_exposure"
    )
    return _counted(db)


def _counted(db: psycopg.Connection[Any]) -> dict[str, Any]:
    counted = db.execute(
        """select (select count(*) from clearway.asset), (select count(*) from clearway.held),
            (select count(*) from clearway.exposure), (select count(*) from clearway.package_version)"""
    ).fetchone()
    return dict(zip(("inventories", "components", "exposures", "versions"), counted or (), strict=True))


def _dates(db: psycopg.Connection[Any], day: date) -> None:
    """The date of every flaw that somebody has, for each exposure of an asset and each day of detection."""
    db.execute("drop table if exists bench_due")
    db.execute(
        "create temporary table bench_due (flaw int, exposed text, nth int, detected date, due date, clock int)"
    )
    dater = Dater(db, day, loaded(db))
    rows = db.execute(
        """select f.flaw, f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated from clearway.flaw f
        where exists (select from clearway.answer a where a.flaw = f.flaw)"""
    ).fetchall()
    dated = []
    for flaw, *facts in rows:
        for word in _EXPOSED:
            for nth in range(DETECTED):
                detected = day - timedelta(days=nth)
                found = dater.due(Setting(), FlawDates(*facts), ((day, word),), detected, 0)
                dated.append((flaw, word, nth, detected, found.due, found.clock))
    with db.cursor() as cursor, cursor.copy("copy bench_due from stdin (format binary)") as copy:
        copy.set_types(["int4", "text", "int4", "date", "date", "int4"])
        for row in dated:
            copy.write_row(row)
    db.execute("create index on bench_due (flaw, exposed, nth)")
    db.execute("analyze bench_due")
