"""Loops: woken by a notification or by time, and one at work in the whole cluster."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from jobs_workers import (
    a_database,  # noqa: F401
    an_empty_queue,  # noqa: F401
    sql,
    until,
    working,
)

from clearway.records.errors import UpstreamError
from clearway.store.connect import connect
from clearway.store.jobs import Connect, Loop


def test_a_loop_runs_at_once_when_its_channel_is_notified(queue: str) -> None:
    runs: list[float] = []

    def run(connect_: Connect) -> None:
        with connect_() as db:
            db.execute("select 1")
        runs.append(time.monotonic())

    with working(queue, loops={"sequencer": Loop("entry_added", 60, run)}):
        until(lambda: len(runs) == 1)
        time.sleep(0.1)
        for wanted in (2, 3):
            sql(queue, "notify entry_added")
            until(lambda wanted=wanted: len(runs) == wanted, 2)  # type: ignore[misc]


def test_the_log_tells_where_a_failure_that_is_none_of_ours_came_from(
    queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    def run(connect_: Connect) -> None:
        int("marked words")

    with working(queue, loops={"sequencer": Loop("", 60, run)}):
        until(lambda: any("sequencer failed" in record.getMessage() for record in caplog.records))
    (told,) = [r.getMessage() for r in caplog.records if "sequencer failed" in r.getMessage()]
    assert "internal (ValueError; " in told
    assert "test_store_jobs_loops.py" in told
    assert "marked words" not in told


def test_what_is_notified_while_a_loop_runs_is_not_forgotten(queue: str) -> None:
    seen: list[int] = []

    def run(connect_: Connect) -> None:
        with connect_() as db:
            seen.append(len(db.execute("select from public.effect").fetchall()))
        if len(seen) == 1:  # after it looked
            sql(
                queue,
                "with new as (insert into public.effect values (1, 1)) select pg_notify('entry_added', '')",
            )
            sql(queue, "insert into public.effect values (1, 2)")
            sql(queue, "notify entry_added")

    with working(queue, loops={"sequencer": Loop("entry_added", 60, run)}):
        until(lambda: seen and seen[-1] == 2, 5)


def test_without_a_notification_a_loop_runs_when_the_time_has_come(queue: str) -> None:
    runs: list[float] = []
    with working(queue, loops={"puller": Loop("", 0.1, lambda _: runs.append(time.monotonic()))}):
        until(lambda: len(runs) >= 4, 5)


def test_of_two_workers_one_runs_a_loop_and_the_other_takes_over(queue: str) -> None:
    runs: list[str] = []

    def named(name: str) -> dict[str, Loop]:
        return {"sequencer": Loop("", 0.05, lambda _: runs.append(name))}

    first, second = threading.Event(), threading.Event()
    with working(queue, loops=named("first"), stop=first):
        until(lambda: runs)
        with working(queue, loops=named("second"), stop=second):
            time.sleep(0.5)
            assert set(runs) == {"first"}
            first.set()
            until(lambda: "second" in runs, 8)
            ours = runs.index("second")
            time.sleep(0.3)
            assert set(runs[ours:]) == {"second"}


def test_who_loses_the_session_loses_what_it_was_writing_and_begins_anew(queue: str) -> None:
    runs: list[int] = []

    def run(connect_: Connect) -> None:
        with connect_() as db:
            runs.append(db.info.backend_pid)
            db.execute("insert into public.effect values (1, %s)", (len(runs),))
            if len(runs) == 1:
                with connect(queue, autocommit=True) as other:
                    other.execute("select pg_terminate_backend(%s)", (db.info.backend_pid,))

    with working(queue, loops={"sequencer": Loop("", 60, run)}):
        until(lambda: len(runs) == 2, 10)
        until(lambda: sql(queue, "select step from public.effect") == [(2,)])


def test_a_loop_that_fails_says_why_and_goes_on(queue: str) -> None:
    mended = threading.Event()

    def run(connect_: Connect) -> None:
        with connect_() as db:
            db.execute("insert into public.effect values (1, 1)")
            if not mended.is_set():
                raise UpstreamError("the disk is full")

    with working(queue, loops={"sequencer": Loop("", 0.05, run)}):
        state = "select code, reason from clearway.job_loop where name = 'sequencer'"
        until(lambda: sql(queue, state) == [("upstream", "UpstreamError: the disk is full")])
        assert sql(queue, "select from public.effect") == []
        mended.set()
        until(lambda: sql(queue, state) == [("", "")], 8)


def test_a_statement_that_is_wrong_does_not_end_the_loop(queue: str) -> None:
    runs: list[int] = []

    def run(connect_: Connect) -> None:
        runs.append(1)
        with connect_() as db:
            db.execute("select 1 / 0" if len(runs) == 1 else "select 1")

    with working(queue, loops={"sequencer": Loop("", 0.05, run)}):
        until(lambda: len(runs) >= 3, 8)


def test_two_sessions_never_hold_the_lock_of_one_loop(queue: str) -> None:
    from clearway.store.jobs_loops import lock_of

    with psycopg.connect(queue) as one, psycopg.connect(queue) as two:
        take = "select pg_try_advisory_lock(%s)"
        assert one.execute(take, (lock_of("a"),)).fetchone() == (True,)
        assert two.execute(take, (lock_of("a"),)).fetchone() == (False,)
        assert two.execute(take, (lock_of("b"),)).fetchone() == (True,)


@pytest.mark.parametrize("name", ["", "a", "é" * 1000])
def test_a_loops_lock_is_a_signed_64_bit_number(name: str) -> None:
    from clearway.store.jobs_loops import lock_of

    assert -(1 << 63) <= lock_of(name) < 1 << 63
