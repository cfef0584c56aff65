"""A job that is to wait again while another waits under its key: neither is lost, and no worker's life ends by it."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from typing import Any

import psycopg
import pytest
from jobs_workers import a_database, an_empty_queue, silent, sql, states, until, working  # noqa: F401
from store_homes import environment

from clearway.records.errors import ConflictError, UpstreamError
from clearway.store import jobs, jobs_admin, jobs_life
from clearway.store.connect import connect
from clearway.store.jobs import Job, Retry, Spec

# A worker that begins a task and is killed in it, once the test has read its word.
HELD = """
import sys, threading, time
from clearway.store.jobs_worker import Pace, run_worker
def task(job, args):
    with job.owner() as db, job.step("one", db):
        pass
    print("begun", flush=True)
    time.sleep(60)
run_worker(sys.argv[1], {"task": task, "other": task}, stop=threading.Event(), pace=Pace(heartbeat_s=30, poll_s=0.1))
"""


def start(url: str, task: str = "task", args: dict[str, Any] | None = None, **words: Any) -> int:
    with connect(url, autocommit=True) as db:
        return jobs.defer(db, task, args or {}, **words)


def killed_in_a_job(url: str) -> None:
    """As kill -9 of a worker in the middle of the one job that waits; `silent` then makes it one that was lost.

    Once all are killed: a worker begins by taking over what was lost before it.
    """
    child = subprocess.Popen(
        [sys.executable, "-c", HELD, url], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_a_job_of_a_killed_worker_is_handed_to_the_one_that_waits_under_its_key(
    queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever else was lost is taken over too, in one life of the worker, and work comes in as before."""
    lost = start(queue, once="letters", lock="letters")
    killed_in_a_job(queue)
    alone = start(queue, args={"alone": True})
    killed_in_a_job(queue)
    silent(queue)
    waiting = start(queue, once="letters", lock="letters")
    assert waiting != lost
    ran: list[int] = []
    lives = 0

    def task(job: Job, args: dict[str, Any]) -> None:
        with job.owner() as db, job.step("one", db) as todo:
            ran.append(job.id * (1 if todo else -1))

    caplog.set_level(logging.INFO, "clearway.jobs")
    with working(queue, {"task": task}):
        until(lambda: states(queue) == {"succeeded": 2, "aborted": 1})
        later = start(queue, once="letters", lock="letters")
        until(lambda: states(queue) == {"succeeded": 3, "aborted": 1})
        lives = sum("away" in r.message or "anew" in r.message for r in caplog.records)
    # The one that waited does all of its steps: it was asked for after the lost one's; the other goes on.
    assert sorted(ran, key=abs) == [-alone, waiting, later]
    assert lives == 0
    assert sql(
        queue, "select reason from clearway.job_failure where job = %s and code = 'handed-over'", lost
    ) == [(f"job {waiting} waits under the same key and does its work",)]


def test_of_two_tasks_under_one_key_neither_is_lost(queue: str) -> None:
    lost = start(queue, once="feed/x")
    killed_in_a_job(queue)
    silent(queue)
    waiting = start(queue, "other", once="feed/x")
    ran: list[int] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        ran.append(job.id)

    with working(queue, {"task": task, "other": task}):
        until(lambda: states(queue) == {"succeeded": 2})
    assert sorted(ran) == [lost, waiting]


def test_a_job_that_fails_while_another_waits_under_its_key_is_handed_to_it_which_is_not_later_for_that(
    queue: str,
) -> None:
    begun, go = threading.Event(), threading.Event()
    ran: list[int] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        ran.append(job.id)
        if len(ran) == 1:
            begun.set()
            assert go.wait(20)
            raise UpstreamError("the feed is away")

    first = start(queue, once="feed/x")
    with working(queue, {"task": Spec(task, Retry(first_s=0.01, longest_s=0.02))}):
        assert begun.wait(20)
        with connect(queue, autocommit=True) as db:
            row = db.execute("select now() + interval '1 day'").fetchone()
            assert row is not None
            second = jobs.defer(db, "task", {}, once="feed/x", at=row[0])
        go.set()
        until(lambda: states(queue) == {"aborted": 1, "succeeded": 1})
    assert ran == [first, second]


def test_a_dead_job_is_not_retried_by_hand_while_another_does_its_work(queue: str) -> None:
    dead = start(queue, once="feed/x")
    sql(queue, "update clearway_jobs.procrastinate_jobs set status = 'failed'")
    waiting = start(queue, once="feed/x")
    with (
        connect(queue, autocommit=True) as db,
        pytest.raises(ConflictError, match=f"job {waiting}, which waits"),
    ):
        jobs_admin.retry(db, dead)
    assert states(queue) == {"failed": 1, "todo": 1}


def test_one_job_that_cant_be_taken_over_holds_up_no_other_and_is_counted_as_lost(queue: str) -> None:
    bad = start(queue, args={"bad": True})
    killed_in_a_job(queue)
    good = start(queue)
    killed_in_a_job(queue)
    silent(queue)
    sql(
        queue,
        f"alter table clearway_jobs.procrastinate_jobs add constraint stuck check (id <> {bad} or status = 'doing')",
    )
    sql(queue, "update clearway_jobs.procrastinate_events set at = at - interval '1 hour'")
    try:
        with working(queue, {"task": lambda job, args: None}):
            until(lambda: states(queue) == {"succeeded": 1, "doing": 1})
            sql(queue, "update clearway_jobs.procrastinate_workers set last_heartbeat = now() - interval '1 hour' where"
                " id = (select worker_id from clearway_jobs.procrastinate_jobs where id = %s)", bad)  # fmt: skip
            with connect(queue, autocommit=True) as db:
                assert jobs_admin.health(db).lost == 1
    finally:
        sql(queue, "alter table clearway_jobs.procrastinate_jobs drop constraint stuck")
    assert sql(queue, "select status::text from clearway_jobs.procrastinate_jobs where id = %s", good) == [
        ("succeeded",)
    ]


def _caused(error: Exception, by: BaseException) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (psycopg.OperationalError("connection refused"), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.CannotConnectNow(), True),
        (psycopg.errors.TooManyConnections(), True),
        (_caused(RuntimeError(), psycopg.OperationalError("gone")), True),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.QueryCanceled(), False),
        (_caused(RuntimeError(), psycopg.errors.UniqueViolation()), False),
        (KeyError("x"), False),
    ],
    ids=lambda value: value if isinstance(value, bool) else type(value).__name__,
)
def test_a_database_is_away_only_where_its_connection_is(error: Exception, away: bool) -> None:
    assert jobs_life.is_away(error) is away
