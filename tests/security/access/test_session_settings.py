"""What SQL that slipped in sets for its session is gone for whoever has the connection next."""

from __future__ import annotations

import pytest

from clearway.store.principal import Pool
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
                assert db.execute("show search_path").fetchone() == ("clearway, public",)
                db.execute("set statement_timeout = '1h'")
