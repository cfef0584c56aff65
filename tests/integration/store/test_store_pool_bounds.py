"""What a request may wait for, on the connections of the application's pool."""

from __future__ import annotations

import threading

import pytest

from clearway.records.errors import BusyError, UpstreamError
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.principal import LOOK, PUBLIC, REQUEST, Pool


@pytest.fixture(scope="module")
def made(url: str) -> str:
    migrate(url)
    return url


def test_who_waits_too_long_for_a_lock_is_told_so_and_makes_room(made: str) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connect(made) as db:
            db.execute("lock table clearway.flaw in access exclusive mode")
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(20)
        with (
            Pool(made, bounds={"lock_timeout": "50ms"}) as pool,
            pytest.raises(UpstreamError, match="busy"),
            pool.acting(PUBLIC) as db,
        ):
            db.execute("select count(*) from clearway.flaw")
    finally:
        done.set()
        holder.join(30)


def test_who_looks_at_a_page_waits_less_than_a_program(made: str) -> None:
    ask = "select current_setting('lock_timeout'), current_setting('statement_timeout')"
    with Pool(made, bounds=REQUEST, look=LOOK) as pool:
        with pool.acting(PUBLIC, look=True) as db:
            assert db.execute(ask).fetchone() == ("8s", "10s")
        with pool.acting(PUBLIC) as db:  # the same connection, given back and taken again
            assert db.execute(ask).fetchone() == ("30s", "55s")
    with Pool(made) as pool, pool.acting(PUBLIC, look=True) as db:
        assert db.execute(ask).fetchone() == ("0", "0")


def test_what_is_given_up_says_nothing_of_the_database(made: str) -> None:
    with (
        Pool(made, look={"statement_timeout": "50ms"}) as pool,
        pytest.raises(BusyError) as found,
        pool.acting(PUBLIC, look=True) as db,
    ):
        db.execute("select pg_sleep(20)")
    assert found.value.what == "the database took too long, so this was given up"
    assert "try again" in found.value.mend


def test_a_statement_that_takes_too_long_ends_and_a_job_has_no_such_bound(made: str) -> None:
    with (
        Pool(made, bounds={"statement_timeout": "50ms"}) as pool,
        pytest.raises(UpstreamError, match="too long"),
        pool.acting(PUBLIC) as db,
    ):
        db.execute("select pg_sleep(20)")
    with Pool(made) as pool, pool.acting(PUBLIC) as db:
        assert db.execute("show statement_timeout").fetchone() == ("0",)
