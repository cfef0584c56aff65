"""What SQL that slipped in sets for its session is gone for whoever has the connection next."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from clearway.store.principal import Pool
from intake_world import with_database
from people import People


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("search_path", "pg_temp, pg_catalog"),
        ("statement_timeout", "1ms"),
        ("lock_timeout", "1ms"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "repeatable read"),
        ("row_security", "off"),
        ("bytea_output", "escape"),
        ("TimeZone", "Asia/Tokyo"),
        ("enable_indexscan", "off"),
        ("clearway.fleet_time", "2001-01-01"),
        ("clearway.principal", "0" * 64),
        ("clearway.emitting", "1"),
    ],
)
def test_a_setting_of_the_session_does_not_outlive_its_transaction(
    people: People, setting: str, value: str
) -> None:
    def now() -> object:
        row = db.execute("select current_setting(%s, true), pg_backend_pid()", (setting,)).fetchone()
        assert row is not None
        return (row[0] or "", row[1])

    with Pool(people.url, size=1, bounds={"statement_timeout": "17s"}) as pool:
        with pool.acting(people.admin.key) as db:
            before = now()
        with pool.acting(people.admin.key) as db:
            db.execute("select set_config(%s, %s, false)", (setting, value))
        with pool.acting(people.admin.key) as db:
            assert now() == before, "the same connection, as it was"
            assert db.execute("select clearway.me()").fetchone() == (people.admin.person,)


def test_a_role_or_a_lock_of_the_session_does_not_outlive_its_transaction(people: People) -> None:
    with Pool(people.url, size=1) as pool:
        with pool.acting(people.admin.key) as db:
            db.execute("select pg_advisory_lock(4711), set_config('role', 'none', false)")
        with pool.acting(people.admin.key) as db:
            assert db.execute("select current_user").fetchone() == ("clearway_app",)
            held = db.execute(
                "select from pg_locks where locktype = 'advisory' and objid = 4711 and pid = pg_backend_pid()"
            ).fetchall()
            assert held == []


def test_the_pools_own_bounds_hold_again(people: People) -> None:
    with Pool(people.url, size=1, bounds={"statement_timeout": "17s"}) as pool:
        for _ in range(2):
            with pool.acting(people.admin.key) as db:
                assert db.execute("show statement_timeout").fetchone() == ("17s",)
                assert db.execute("show search_path").fetchone() == ("clearway, public, pg_temp",)
                db.execute("set statement_timeout = '1h'")


def _allow_temporary(db: psycopg.Connection[Any]) -> None:
    db.execute(sql.SQL("grant temporary on database {} to public").format(sql.Identifier(db.info.dbname)))


def _loot(db: psycopg.Connection[Any]) -> None:
    """What SQL that slipped in leaves behind: a type, a view and a statement that report what others say and see."""
    db.execute("create temporary table loot (said text)")
    db.execute(
        """create function pg_temp.steal(said text) returns boolean language plpgsql as
        $$ begin insert into pg_temp.loot values (said); return true; end $$"""
    )
    db.execute("create domain pg_temp.text as pg_catalog.text check (pg_temp.steal(value))")
    db.execute("create temporary view asset as select * from clearway.asset where pg_temp.steal(name)")


def test_a_temporary_object_does_not_outlive_its_transaction(people: People) -> None:
    a = people.org("a")
    thief, victim = people.somebody(a, "operator"), people.somebody(a, "operator")
    with people.owner() as db:  # where the privilege was left to everybody
        _allow_temporary(db)
    with Pool(people.url, size=1) as pool:
        for end in (None, RuntimeError):
            try:
                with pool.acting(thief.key) as db:
                    mine = db.info.backend_pid
                    _loot(db)
                    if end is not None:
                        raise end
            except RuntimeError:
                pass
            with pool.acting(victim.key) as db:
                assert db.info.backend_pid == mine
                assert db.execute("select 'pin'::text, pg_typeof('pin'::text)::oid = 25").fetchone() == (
                    "pin",
                    True,
                )
                assert db.execute("select 'asset'::regclass = 'clearway.asset'::regclass").fetchone() == (
                    True,
                )
                left = db.execute(
                    "select from pg_class where relnamespace = pg_my_temp_schema() and relname in ('loot', 'asset')"
                ).fetchall()
                assert left == []


def test_a_temporary_object_never_stands_before_a_table_or_type_of_ours(people: People) -> None:
    with people.owner() as db:
        _allow_temporary(db)
    with Pool(people.url, size=1) as pool, pool.acting(people.admin.key) as db:
        _loot(db)
        assert db.execute("select 'asset'::regclass = 'clearway.asset'::regclass").fetchone() == (True,)
        assert db.execute("select pg_typeof('pin'::text)::oid = 25").fetchone() == (True,)


def test_a_statement_that_sql_prepared_is_executed_by_nobody_else(people: People) -> None:
    with Pool(people.url, size=1) as pool:
        with pool.acting(people.admin.key) as db:
            thiefs = db.info.backend_pid
            db.execute("prepare _pg3_0 (integer) as select 'not what was asked', $1")
        with pool.acting(people.admin.key) as db:
            assert db.info.backend_pid != thiefs
            assert db.execute("select from pg_prepared_statements where from_sql").fetchall() == []


def test_what_the_driver_prepares_costs_no_connection(people: People) -> None:
    pids = set()
    with Pool(people.url, size=1) as pool:
        for n in range(12):
            with pool.acting(people.admin.key) as db:
                pids.add(db.info.backend_pid)
                assert db.execute("select %s::int + 1", (n,)).fetchone() == (n + 1,)
        with pool.acting(people.admin.key) as db:
            assert db.execute("select count(*) from pg_prepared_statements").fetchone() == (1,)
    assert len(pids) == 1


def test_a_channel_and_a_held_cursor_do_not_outlive_their_transaction(people: People) -> None:
    with Pool(people.url, size=1) as pool:
        with pool.acting(people.admin.key) as db:
            mine = db.info.backend_pid
            db.execute("listen overheard")
            db.execute("declare kept cursor with hold for select clearway.me()")
        with pool.acting(people.admin.key) as db:
            assert db.info.backend_pid == mine
            assert db.execute("select from pg_cursors where is_holdable").fetchall() == []
        with pool.acting(people.admin.key) as db:  # it ends as the transaction commits that gives it up
            assert db.info.backend_pid == mine
            assert db.execute("select pg_listening_channels()").fetchall() == []


@pytest.mark.parametrize("role", ["clearway_app", "clearway_login"])
@pytest.mark.parametrize(
    "act", ["create temporary table loot ()", "select lo_create(0)", "select lo_from_bytea(0, 'x')"]
)
def test_the_application_may_make_no_temporary_and_no_large_object(server: str, role: str, act: str) -> None:
    with psycopg.connect(with_database(server, "made"), autocommit=True) as db:
        db.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(act)
