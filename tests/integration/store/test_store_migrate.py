"""Migrations on a real database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from store_homes import environment

from clearway.records.errors import ConfigError
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS, current, head, migrate

SOME_TABLES = {"alembic_version", "generation", "record", "set_aside"}


@pytest.fixture
def empty(url: str) -> str:
    """A database without our tables."""
    with connect(url) as connection:
        connection.execute("drop schema if exists clearway, clearway_jobs cascade")
    return url


def tables(url: str) -> set[str]:
    with connect(url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'clearway'")
        return {name for (name,) in rows}


def test_an_empty_database_gets_the_tables(empty: str) -> None:
    assert current(empty) == ""
    migrate(empty)
    assert current(empty) == head()
    assert tables(empty) >= SOME_TABLES
    with connect(empty) as connection:
        assert connection.execute("select n from generation").fetchall() == [(0,)]


def test_a_database_that_is_up_to_date_is_left_alone_and_alembic_is_not_even_imported(empty: str) -> None:
    migrate(empty)
    code = (
        "import sys; from clearway.store.migrate import migrate; migrate(sys.argv[1]); "
        "sys.exit('alembic' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, empty], env=environment(), check=False).returncode == 0


@pytest.mark.slow
def test_of_four_that_migrate_at_once_all_succeed(empty: str) -> None:
    code = "import sys; from clearway.store.migrate import migrate; migrate(sys.argv[1])"
    several = [subprocess.Popen([sys.executable, "-c", code, empty], env=environment()) for _ in range(4)]
    assert [process.wait(timeout=60) for process in several] == [0, 0, 0, 0]
    assert tables(empty) >= SOME_TABLES


def test_a_step_that_fails_leaves_the_database_as_it_was(empty: str) -> None:
    with connect(empty) as connection:
        connection.execute("create schema clearway")
        connection.execute("create table clearway.set_aside (in_the_way int)")
    with pytest.raises(Exception, match="set_aside"):
        migrate(empty)
    assert tables(empty) == {"set_aside"}


def test_a_database_of_a_newer_release_is_refused(empty: str) -> None:
    migrate(empty)
    with connect(empty) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(ConfigError, match=r"newer release.*upgrade Clearway"):
        migrate(empty)


def test_the_last_file_is_the_head_that_alembic_finds() -> None:
    script = ScriptDirectory(str(_MIGRATIONS))
    assert script.get_heads() == [head()]
    for revision in script.walk_revisions():
        assert Path(revision.path).name.startswith(f"{revision.revision}_")


def test_of_the_versions_of_a_record_one_is_current(empty: str) -> None:
    migrate(empty)
    insert = (
        "insert into record (source, id, format, kind, sha256, raw, received, origin, current) "
        "values ('s', 'X-1', 'osv', 'advisory', sha256(%s), %s, now(), 'test', %s)"
    )
    with connect(empty) as connection:
        connection.execute(insert, (b"a", b"a", False))
        connection.execute(insert, (b"b", b"b", True))
    with pytest.raises(Exception, match="record_current"), connect(empty) as connection:
        connection.execute(insert, (b"c", b"c", True))
    with pytest.raises(Exception, match="record_source_id_sha256"), connect(empty) as connection:
        connection.execute(insert, (b"a", b"a", False))
