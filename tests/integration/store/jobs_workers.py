"""Workers for tests of jobs: in a thread of the test, or as processes that can be killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus
from store_homes import environment

from clearway.store.connect import connect
from clearway.store.jobs import Loop, Mint, Tasks
from clearway.store.jobs_worker import Pace, run_worker
from intake_world import drop_database, new_database

# How long a busy machine keeps a worker's thread from its heartbeat decides no test: where one is to be silent for too
# long, `silent` says so.
QUICK = Pace(heartbeat_s=0.3, stalled_s=60, poll_s=0.1, sweep_s=0.2, grace_s=1.0)
EFFECTS = (
    "create table if not exists public.effect (job bigint, step int, by_pid int default pg_backend_pid())"
)
# A worker as a process of its own. Its task has three steps; each writes its effect in the step's transaction.
WORKER = """
import signal, sys, threading, time
from clearway.store.jobs import Retry, Spec
from clearway.store.jobs_worker import Pace, run_worker

def three(job, args):
    for step in range(3):
        with job.owner() as db, job.step(f"step {step}", db) as todo:
            if todo:
                db.execute("insert into public.effect (job, step) values (%s, %s)", (job.id, step))
                time.sleep(0.004)

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
pace = Pace(heartbeat_s=0.3, stalled_s=1.2, poll_s=0.1, sweep_s=0.2, grace_s=1.0)
tasks = {"three": Spec(three, Retry(attempts=30, first_s=0.05, longest_s=0.2))}
run_worker(sys.argv[1], tasks, concurrency=4, stop=stop, pace=pace, ready=lambda: print("ready", flush=True))
print("over", flush=True)
"""


@pytest.fixture(scope="module", name="database")
def a_database(server: str) -> Iterator[str]:
    """A database for the tests of one module: a copy takes longer than most of them."""
    made = new_database(server, "made")
    yield made
    drop_database(server, made)


@pytest.fixture(name="queue")
def an_empty_queue(database: str) -> str:
    """The URL of a database without a job."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "truncate clearway_jobs.procrastinate_jobs, clearway_jobs.procrastinate_workers, clearway.job_loop,"
            " clearway.job_allowed cascade"
        )
        db.execute("drop table if exists public.effect, public.change")
        db.execute(EFFECTS)
    return database


@contextmanager
def working(
    url: str,
    tasks: Tasks | None = None,
    *,
    concurrency: int = 4,
    loops: Mapping[str, Loop] | None = None,
    mint: Mint | None = None,
    pace: Pace = QUICK,
    stop: threading.Event | None = None,
) -> Iterator[threading.Event]:
    """A worker in a thread, its stop event; a failure of the worker is raised at the end of the block."""
    stop = stop or threading.Event()
    ready = threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run_worker(
                url,
                tasks or {},
                concurrency=concurrency,
                stop=stop,
                loops=loops,
                mint=mint,
                pace=pace,
                ready=ready.set,
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(20)
        yield stop
    finally:
        stop.set()
        thread.join(pace.grace_s + 8)
        assert not thread.is_alive(), "the worker does not end"
        if failed:
            raise failed[0]


class Process:
    """A worker process."""

    def __init__(self, url: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True, env=environment()
        )

    def ready(self) -> None:
        assert self.child.stdout is not None
        assert self.child.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """As kill -9 does."""
        self.child.kill()
        self.child.communicate()

    def end(self) -> int:
        self.child.terminate()
        self.child.communicate(timeout=15)
        return self.child.returncode


def until(true: Callable[[], object], timeout_s: float = 60) -> None:
    """Waits for it."""
    ends = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)


def sql(url: str, query: str, *args: Any) -> list[tuple[Any, ...]]:
    with connect(url, autocommit=True) as db:
        cursor: psycopg.Cursor[Any] = db.execute(query, args)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.pgresult and cursor.pgresult.status == ExecStatus.TUPLES_OK else []


def silent(url: str) -> None:
    """As if no worker had said for an hour that it lives; those that do soon say so."""
    sql(url, "update clearway_jobs.procrastinate_workers set last_heartbeat = now() - interval '1 hour'")


def states(url: str) -> dict[str, int]:
    """How many jobs are in each of the queue's states."""
    return dict(sql(url, "select status::text, count(*) from clearway_jobs.procrastinate_jobs group by 1"))
