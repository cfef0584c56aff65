"""Migrations with data in the tables: from every number to the newest, killed in the middle, and no way back."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest
from ops_program import environment, step_to

from clearway.records.errors import ConfigError
from clearway.store.connect import connect
from clearway.store.migrate import current, head, migrate
from clearway.store.processes import wait_until
from intake_world import osv
from steps import SCRIPTS

CODE = "import sys; from clearway.store.migrate import migrate; migrate(sys.argv[1])"
# What 0001 keeps, row by row.
KEPT = {
    "record": "select rec, source, id, format, kind, version, sha256, raw, received, origin, tlp, current",
    "edge": "select rec, source, subject, kind, target",
    "claim": "select rec, ecosystem, name, clear, body",
    "epss": "select cve, model, dated, probability, percentile, catalogue",
    "catalogue": "select sha256, source, kind, version, entries, raw, received, origin",
    "set_aside": "select id, sha256, origin, place, reason, received",
    "generation": "select n, home",
}


def fill(url: str, records: int = 300) -> None:
    """Real records of intake, at 0001."""
    import msgspec

    with connect(url) as db:
        catalogue = b"cve,epss,percentile\n"
        digest = hashlib.sha256(catalogue).digest()
        db.execute(
            "insert into catalogue (sha256, source, kind, entries, raw, received, origin) "
            "values (%s, 'epss', 'epss', 1, %s, now(), 'test')",
            (digest, catalogue),
        )
        db.execute("insert into epss values ('CVE-2020-1', 'v3', '2026-01-01', 0.5, 0.9, %s)", (digest,))
        for number in range(records):
            raw = msgspec.json.encode(osv(f"GHSA-{number}"))
            row = db.execute(
                "insert into record (source, id, format, kind, sha256, raw, received, origin, current) "
                "values ('ghsa', %s, 'osv', 'advisory', %s, %s, now(), 'test', true) returning rec",
                (f"GHSA-{number}", hashlib.sha256(raw).digest(), raw),
            ).fetchone()
            assert row is not None
            db.execute(
                "insert into edge values (%s, 'ghsa', %s, 'same', %s)",
                (row[0], f"GHSA-{number}", f"CVE-{number}"),
            )
            db.execute(
                "insert into claim values (%s, 'PyPI', %s, true, %s)", (row[0], f"p{number}", raw[:40])
            )
        db.execute(
            "insert into set_aside (sha256, origin, place, reason, received) values (sha256('x'), 'o', 'p', 'r', now())"
        )


def hashes(url: str) -> dict[str, tuple[int, str]]:
    """Of each table of 0001: how many rows, and one hash of all of them."""
    found = {}
    with connect(url) as db:
        for table, columns in KEPT.items():
            rows = sorted(repr(row) for row in db.execute(f"{columns} from clearway.{table}".encode()))
            found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


@pytest.fixture
def first(empty_database: Callable[[], str]) -> str:
    """A database at 0001 with records in it."""
    url = empty_database()
    step_to(url, "0001")
    fill(url)
    return url


def test_a_database_at_the_first_number_keeps_every_row_on_its_way_to_the_newest(first: str) -> None:
    before = hashes(first)
    assert before["record"][0] == 300
    for number in sorted(r.revision for r in SCRIPTS.walk_revisions())[1:]:
        step_to(first, number)  # each on its own, as releases came
        assert current(first) == number
        assert hashes(first) == before, number
    assert current(first) == head()
    migrate(first)
    with connect(first) as db:
        assert db.execute("select count(*) from clearway.standing").fetchone() == (300,)


def test_from_each_number_the_program_goes_to_the_newest_at_once(
    server: str, empty_database: Callable[[], str]
) -> None:
    for number in ("0002", "0005", "0008"):
        url = empty_database()
        step_to(url, number)
        migrate(url)
        assert current(url) == head(), number


def killed_after(url: str, pause_s: float) -> bool:
    """Whether a process that migrates was killed so long after it had begun to change tables, before its end."""
    process = subprocess.Popen([sys.executable, "-c", CODE, url], env=environment(url))
    with psycopg.connect(url, autocommit=True) as db:

        def at_work() -> bool:
            row = db.execute(
                "select count(*) from pg_locks where locktype = 'advisory' and granted and database = "
                "(select oid from pg_database where datname = current_database())"
            ).fetchone()
            return row != (0,)

        assert wait_until(lambda: at_work() or process.poll() is not None, 30)
        time.sleep(pause_s)
        unfinished = process.poll() is None
        process.kill()
        process.wait()
        assert wait_until(lambda: not at_work(), 10), "the server ends what a dead client began"
    return unfinished


def test_migrations_that_are_killed_leave_the_tables_as_they_were_and_go_on_when_repeated(first: str) -> None:
    before = hashes(first)
    killed = sum(killed_after(first, pause) for pause in (0.0, 0.02, 0.05, 0.15))
    assert current(first) in ("0001", head()), "all of it or nothing"
    assert hashes(first) == before
    assert killed >= 2, "some were killed in the middle"
    migrate(first)
    assert current(first) == head()
    assert hashes(first) == before


def test_an_older_release_refuses_newer_tables_and_touches_nothing(first: str) -> None:
    migrate(first)
    with connect(first) as db:
        db.execute("update clearway.alembic_version set version_num = '9999'")
    before = hashes(first)
    with pytest.raises(ConfigError, match="upgrade Clearway"):
        migrate(first)
    assert hashes(first) == before


def test_the_way_down_leaves_the_records_of_intake(first: str) -> None:
    before = hashes(first)
    migrate(first)
    step_to(first, "0001")
    assert hashes(first) == before
    with connect(first) as db:
        left = db.execute("select to_regnamespace('clearway_jobs'), to_regclass('clearway.hold')").fetchone()
    assert left == (None, None)
    migrate(first)
    assert hashes(first) == before
