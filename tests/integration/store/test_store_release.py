"""A process that was up before a newer release migrated: it begins no transaction, takes no job, and leads no loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from jobs_workers import a_database, an_empty_queue, sql, states, until, working  # noqa: F401

from clearway.records.errors import OutdatedError
from clearway.store import jobs
from clearway.store.connect import connect
from clearway.store.jobs import Connect, Loop
from clearway.store.migrate import head
from clearway.store.principal import PUBLIC, Pool
from clearway.store.release import Release


@contextmanager
def newer(url: str) -> Iterator[None]:
    """The tables of a release that is yet to come, by their number."""
    sql(url, "update clearway.alembic_version set version_num = '9999'")
    try:
        yield
    finally:
        sql(url, f"update clearway.alembic_version set version_num = '{head()}'")


def test_no_transaction_begins_on_the_tables_of_a_newer_release(queue: str) -> None:
    with Pool(queue) as pool:
        pool.release = Release(every_s=0)
        with pool.acting(PUBLIC) as db, pool.owner() as owner:
            assert db.execute("select 1").fetchone() == owner.execute("select 1").fetchone()
        with newer(queue):
            with pytest.raises(OutdatedError, match="migration 9999") as told, pool.acting(PUBLIC):
                pass
            assert "upgrade Clearway" in told.value.mend
            with pytest.raises(OutdatedError), pool.owner():
                pass
            with pytest.raises(OutdatedError):
                pool.check()
        with pool.acting(PUBLIC) as db:
            assert db.execute("select 1").fetchone() == (1,)


def test_many_transactions_of_a_second_look_at_the_number_once(queue: str) -> None:
    with Pool(queue) as pool:
        pool.release = Release(every_s=3600)
        looked = [pool.release.due() for _ in range(3)]
        with newer(queue), pool.acting(PUBLIC) as db:  # it was asked not long ago
            assert db.execute("select 1").fetchone() == (1,)
    assert looked == [False, False, False]
    once = Release(every_s=3600)
    once._next = 0.0
    assert [once.due() for _ in range(3)] == [True, False, False]


def test_one_that_looks_waits_for_nobody_when_the_owners_connections_are_in_use(queue: str) -> None:
    with Pool(queue, owners=1) as pool:
        pool.release = Release(every_s=0)
        with pool.owner(), pool.acting(PUBLIC) as db:
            assert db.execute("select 1").fetchone() == (1,)


@pytest.mark.slow
def test_a_worker_takes_no_job_while_the_tables_are_newer(queue: str) -> None:
    ran = threading.Event()
    with working(queue, {"task": lambda *_: ran.set()}), newer(queue):
        time.sleep(2.5)  # longer than it goes without looking
        with connect(queue, autocommit=True) as db:
            jobs.defer(db, "task", {})
        assert not ran.wait(1.0)
        assert states(queue) == {"todo": 1}
    with working(queue, {"task": lambda *_: ran.set()}):
        until(lambda: states(queue) == {"succeeded": 1})


@pytest.mark.slow
def test_a_loop_gives_its_lead_to_a_newer_process(queue: str) -> None:
    runs: list[float] = []

    def run(connect_: Connect) -> None:
        runs.append(time.monotonic())

    with working(queue, loops={"puller": Loop("", 0.05, run)}):
        until(lambda: len(runs) >= 2)
        held = """select count(*) from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())"""
        assert sql(queue, held)[0][0] >= 1
        with newer(queue):
            until(lambda: sql(queue, held)[0][0] == 0, 10)
            stood = len(runs)
            time.sleep(0.5)
            assert len(runs) == stood
        until(lambda: len(runs) > stood, 15)
