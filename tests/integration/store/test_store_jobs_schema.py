"""The frozen tables of the queue are those that the installed package works with, and go when they are taken down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import procrastinate
import psycopg
from jobs_workers import (
    a_database,  # noqa: F401
    an_empty_queue,  # noqa: F401
    sql,
)

from clearway.store import jobs
from clearway.store.connect import connect
from steps import Steps

PACKAGE = Path(procrastinate.__file__).parent / "sql" / "schema.sql"
MIGRATIONS = Path(jobs.__file__).parent / "migrations"
# Everything that a schema holds, without the schema's own name and our search path.
HELD = """
select 'column', table_name || '.' || column_name, udt_name || coalesce(column_default, '') || is_nullable
from information_schema.columns where table_schema = %(schema)s
union all select 'function', p.oid::regprocedure::text, p.prosrc
from pg_proc p where p.pronamespace = %(schema)s::regnamespace
union all select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger
where not tgisinternal and tgrelid in (select oid from pg_class where relnamespace = %(schema)s::regnamespace)
union all select 'index', indexname, indexdef from pg_indexes where schemaname = %(schema)s
union all select 'constraint', conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = %(schema)s::regnamespace
union all select 'value', t.typname, e.enumlabel from pg_enum e join pg_type t on t.oid = e.enumtypid
where t.typnamespace = %(schema)s::regnamespace
"""


def _held(url: str, schema: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(url) as db:
        db.execute("select set_config('search_path', 'pg_catalog', false)")
        rows = db.execute(HELD, {"schema": schema}).fetchall()
    return {tuple(text.replace(f"{schema}.", "") for text in row) for row in rows}


def test_the_queue_is_what_the_installed_package_expects(queue: str) -> None:
    """When this fails, the package was upgraded: write a migration of its newer sql/migrations, for `clearway_jobs`."""
    with psycopg.connect(queue) as db:
        db.execute("create schema packaged")
        db.execute("set local search_path = packaged")
        db.execute(PACKAGE.read_bytes())
    expected = _held(queue, "packaged")
    assert len(expected) > 80
    ours = {row for row in _held(queue, "clearway_jobs") if row[1] == "clearway_jobs_lock"}
    assert len(ours) == 1
    assert _held(queue, "clearway_jobs") - ours == expected


def test_the_frozen_copy_keeps_the_licence_of_the_package() -> None:
    text = (MIGRATIONS / "versions" / "0004_procrastinate.sql").read_text()
    assert "-- MIT License" in text
    assert "Copyright (c) 2019-2021, PeopleDoc" in text


def test_a_session_with_another_search_path_starts_jobs_just_the_same(queue: str) -> None:
    with psycopg.connect(queue, autocommit=True) as db:
        db.execute("set search_path = pg_catalog")
        assert jobs.defer(db, "any", {}) > 0
        db.execute("create schema if not exists evil")
        db.execute("create table if not exists evil.procrastinate_jobs (id int)")
        db.execute("set search_path = evil, clearway, public")
        assert jobs.defer(db, "any", {}) > 0


def test_taken_down_and_put_up_again_the_queue_is_whole(queue: str) -> None:
    steps = Steps(queue, "0004")
    start_one(queue)
    before = _held(queue, "clearway_jobs")
    steps.down()
    assert sql(queue, "select from pg_namespace where nspname = 'clearway_jobs'") == []
    ours = "select relname from pg_class where relname like %s and relnamespace = 'clearway'::regnamespace"
    assert sql(queue, ours, "job%") == []
    steps.up()
    assert _held(queue, "clearway_jobs") == before
    start_one(queue)


def start_one(url: str) -> None:
    with connect(url) as db:
        jobs.defer(db, "any", {})
