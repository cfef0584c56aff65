"""What a report reads of the database: each row by its key, however many exposures a fleet has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any

import psycopg
import pytest

from clearway.access import audience
from clearway.access.marking import own
from clearway.directives import load
from clearway.exposure.fleet import due, report_rows
from clearway.exposure.fleet.report_rows import PROVIDER
from database import new_world, world  # noqa: F401
from fleet_world import DAY, Fleet, fleet_of, osv, package
from intake_world import World

BOD = load("bod-26-04")
ASSETS, FLAWS = 40, 5_000
_LARGE = """
insert into clearway.flaw (id) select 'CVE-2026-' || n from generate_series(20000, 19999 + %(flaws)s) n;
insert into clearway.package_version (digest, ecosystem, name, version, purl, component, plain)
    select sha256(n::text::bytea), 'PyPI', 'p' || n, '1', 'pkg:pypi/p' || n || '@1', '', true
    from generate_series(1, 200) n;
insert into clearway.asset (org, aud, name, exposure, environment)
    select %(org)s, %(aud)s, 'host-' || n, 'public', 'production' from generate_series(1, %(assets)s) n;
insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by)
    select asset, org, aud, 'public', %(since)s, 'test' from clearway.asset;
insert into clearway.version_use (pv, aud) select pv, %(aud)s from clearway.package_version;
insert into clearway.clock (directive, policy, retier, tier, rank, basis, forensic)
    values ('bod-26-04', 'cisa_60d', 'original_start', '3D', 3, 'published', false) on conflict do nothing;
insert into clearway.exposure (asset, pv, flaw, org, aud, detected, clock, verdict)
    select a.asset, 1 + (f.flaw %% 200), f.flaw, a.org, a.aud, %(since)s,
        (select max(clock) from clearway.clock where clock > 0), 1
    from clearway.flaw f join clearway.asset a on a.name = 'host-' || (1 + f.flaw %% %(assets)s)
    where f.id like 'CVE-2026-2%%';
"""
_READ = """select relname, seq_tup_read from pg_stat_xact_user_tables
where schemaname = 'clearway' and seq_tup_read > 0"""


class Counted(psycopg.Cursor[Any]):
    """A cursor that tells how many rows its longest answer had."""

    most = 0

    def fetchall(self) -> list[Any]:
        found = super().fetchall()
        Counted.most = max(Counted.most, len(found))
        return found


@pytest.fixture
def large(world: World) -> Iterator[Fleet]:  # noqa: F811
    for fleet in fleet_of(world):
        fleet.ingest(osv("PYSEC-1", package("PyPI", "alpha", "2.0"), aliases=["CVE-2026-1001"]))
        fleet.follow(DAY)
        with fleet.owner(DAY) as db:
            aud = audience.of(db, own(fleet.org))
            given = {
                "org": fleet.org,
                "aud": aud,
                "since": DAY - timedelta(days=3),
                "flaws": FLAWS,
                "assets": ASSETS,
            }
            psycopg.ClientCursor(db).execute(_LARGE, given)
        with psycopg.connect(world.url, autocommit=True) as db:
            db.execute("analyze")
        yield fleet


@contextmanager
def read_whole(db: psycopg.Connection[Any]) -> Iterator[Counter[str]]:
    """The rows of each table that were read without an index, filled when it ends."""
    before = Counter(dict(db.execute(_READ).fetchall()))
    found: Counter[str] = Counter()
    yield found
    found.update(Counter(dict(db.execute(_READ).fetchall())) - before)


def test_a_report_reads_each_flaw_by_its_key_and_no_table_once_an_exposure(large: Fleet) -> None:
    with large.acting() as db, read_whole(db) as read:
        found = list(PROVIDER.rows(db, large.org, BOD, DAY, since=DAY - timedelta(days=6)))
    assert {row.flaw for row in found} == {f"CVE-2026-{n}" for n in range(20000, 20000 + FLAWS)}
    assert len(found) == FLAWS
    assert max(read.values(), default=0) < 4 * FLAWS, read


def test_what_stops_after_a_few_rows_fetches_few(large: Fleet) -> None:
    with large.acting() as db:
        db.cursor_factory, Counted.most = Counted, 0
        some = list(islice(PROVIDER.rows(db, large.org, BOD, DAY, since=DAY), 3_001))
        db.cursor_factory = psycopg.Cursor
    assert len(some) == 3_001
    assert 3_001 <= Counted.most < FLAWS


@pytest.mark.parametrize(
    ("first", "batch", "assets"), [(1, 1, 1), (7, 124, 3), (4_000, 125, 32), (300, 20_000, 2)]
)
def test_a_report_is_the_same_in_batches_of_any_size(
    large: Fleet, monkeypatch: pytest.MonkeyPatch, first: int, batch: int, assets: int
) -> None:
    since = DAY - timedelta(days=6)
    with large.acting() as db:
        whole = list(PROVIDER.rows(db, large.org, BOD, DAY, since=since))
        monkeypatch.setattr(report_rows, "_FIRST", first)
        monkeypatch.setattr(report_rows, "_BATCH", batch)
        monkeypatch.setattr(report_rows, "_FIRST_ASSETS", assets)
        some = list(islice(PROVIDER.rows(db, large.org, BOD, DAY, since=since), 700))
    assert some == whole[:700]


def test_a_small_organisation_reads_its_own_alone(large: Fleet) -> None:
    """However many exposures the others have: neither by reading a table whole nor by walking an index of all."""
    small = large.another()
    small.upload(small.asset("pump", day=DAY), "pkg:pypi/alpha@1.0", owned=True)
    fetched = """select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)
        from pg_stat_xact_user_tables where relname = 'exposure'"""
    with small.acting() as db:
        (before,) = db.execute(fetched).fetchone() or (0,)
        (row,) = PROVIDER.rows(db, small.org, BOD, DAY, since=DAY)
        (after,) = db.execute(fetched).fetchone() or (0,)
    assert row.flaw == "CVE-2026-1001"
    assert after - before < 20


def test_one_exposure_is_replayed_without_reading_every_flaw(large: Fleet) -> None:
    with large.acting() as db:
        row = db.execute("select max(exposure) from clearway.exposure").fetchone()
        assert row is not None
        with read_whole(db) as read:
            assert due.replay(db, row[0], DAY).exposure == row[0]
    assert read["flaw"] == 0, read
