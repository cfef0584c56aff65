"""kill -9 of workers and of PostgreSQL in the middle: nothing that was committed is lost, each step happens once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jobs_workers import (
    EFFECTS,
    Process,
    a_database,  # noqa: F401
    an_empty_queue,  # noqa: F401
    silent,
    sql,
    states,
    until,
    working,
)
from store_homes import environment

from clearway.store import jobs, jobs_admin, processes
from clearway.store.connect import connect
from clearway.store.jobs import Job, Retry, Spec
from clearway.store.migrate import migrate
from clearway.store.server import lease, status

JOBS, STEPS = 200, 3


@pytest.fixture
def process() -> Iterator[Callable[[str], Process]]:
    made: list[Process] = []

    def start(url: str) -> Process:
        made.append(Process(url))
        return made[-1]

    yield start
    for one in made:
        if one.child.poll() is None:
            one.kill()


def start_many(url: str, many: int = JOBS) -> None:
    with connect(url) as db:
        for n in range(many):
            jobs.defer(db, "three", {"n": n})


def done(url: str) -> int:
    return states(url).get("succeeded", 0)


def in_the_middle(url: str, process: Callable[[str], Process]) -> Process:
    """A worker that has done a quarter of sixty jobs, or more."""
    migrate(url)
    sql(url, EFFECTS)
    start_many(url, 60)
    worker = process(url)
    worker.ready()
    until(lambda: done(url) >= 15, 30)
    return worker


def each_effect_once(url: str, many: int = JOBS) -> None:
    twice = sql(url, "select job, step, count(*) from public.effect group by 1, 2 having count(*) > 1")
    assert twice == []
    assert sql(url, "select count(*) from public.effect") == [(many * STEPS,)]


def test_of_200_jobs_none_is_lost_and_no_step_is_done_twice_when_workers_are_killed(
    queue: str, process: Callable[[str], Process]
) -> None:
    start_many(queue)
    workers = [process(queue), process(queue)]
    for worker in workers:
        worker.ready()
    for reached in (30, 70, 110):
        until(lambda least=reached: done(queue) >= least, 30)  # type: ignore[misc]
        victim = workers.pop(0)
        victim.kill()
        workers.append(process(queue))
    until(lambda: states(queue) == {"succeeded": JOBS}, 30)
    each_effect_once(queue)
    assert sql(queue, "select count(*) > 0 from clearway.job_failure where code = 'worker-lost'") == [(True,)]
    assert workers[0].end() == 0


@pytest.mark.slow
def test_jobs_outlive_the_crash_of_a_backend_which_ends_every_connection(
    home: Path, process: Callable[[str], Process]
) -> None:
    with lease(home) as url:  # one that writes what it commits: the session's own does not
        worker = in_the_middle(url, process)
        with connect(url, autocommit=True) as db:
            row = db.execute("select pg_backend_pid()").fetchone()
            assert row is not None
            os.kill(row[0], signal.SIGKILL)  # the postmaster then restarts all of them
            with pytest.raises(Exception, match=r"gone|closed|terminat"):
                db.execute("select 1")
            db.close()

        def all_done() -> bool:
            try:
                return states(url) == {"succeeded": 60}
            except Exception:  # noqa: BLE001 - it is recovering
                return False

        until(all_done, 40)
        each_effect_once(url, 60)
        assert worker.child.poll() is None
        assert worker.end() == 0


def test_jobs_outlive_the_kill_of_postgresql_itself(home: Path, process: Callable[[str], Process]) -> None:
    with lease(home) as url:
        worker = in_the_middle(url, process)
        os.kill(status(home).pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not status(home).running, 10)
        with lease(home) as again:  # whoever comes next starts it
            assert again == url
            until(lambda: states(url) == {"succeeded": 60}, 40)
            each_effect_once(url, 60)
            assert worker.end() == 0


@pytest.mark.slow
def test_a_job_that_kills_its_worker_each_time_dies_too(queue: str) -> None:
    poison = """
import os, sys, threading
from clearway.store.jobs import Retry, Spec
from clearway.store.jobs_worker import Pace, run_worker
pace = Pace(heartbeat_s=0.3, poll_s=0.1, sweep_s=0.1)
task = Spec(lambda job, args: os.kill(os.getpid(), 9), Retry(attempts=2, first_s=0.01, longest_s=0.01))
run_worker(sys.argv[1], {"poison": task}, stop=threading.Event(), pace=pace)
"""
    with connect(queue) as db:
        number = jobs.defer(db, "poison", {})
    for _ in range(2):
        child = subprocess.run(
            [sys.executable, "-c", poison, queue], env=environment(), timeout=20, check=False
        )
        assert child.returncode == -signal.SIGKILL
        silent(queue)
    ran: list[int] = []

    def harmless(job: Job, args: dict[str, object]) -> None:
        ran.append(job.id)

    with working(queue, {"poison": Spec(harmless, Retry(attempts=2))}):
        until(lambda: states(queue) == {"failed": 1})
    with connect(queue, autocommit=True) as db:
        line = jobs_admin.shown(db, number).job
    assert (line.state, line.code, line.failures, ran) == ("dead", "worker-lost", 2, [])


@pytest.mark.slow
def test_a_worker_that_slept_through_its_end_neither_writes_nor_ends_the_job_of_its_successor(
    queue: str,
) -> None:
    """A stopped process (or a cut network): the job is taken over, and then the first one wakes up."""
    sleeper = """
import sys, threading, time
from clearway.store.jobs_worker import Pace, run_worker
def task(job, args):
    with job.owner() as db, job.step("one", db) as todo:
        assert todo
    print("asleep", flush=True)
    time.sleep(0.5)
    with job.owner() as db, job.step("two", db) as todo:
        if todo:
            db.execute("insert into public.effect (job, step) values (%s, 1)", (job.id,))
run_worker(sys.argv[1], {"task": task}, stop=threading.Event(), pace=Pace(heartbeat_s=0.3, stalled_s=0.8))
"""
    with connect(queue) as db:
        jobs.defer(db, "task", {})
    child = subprocess.Popen(
        [sys.executable, "-c", sleeper, queue], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "asleep\n"
        child.send_signal(signal.SIGSTOP)
        silent(queue)
        go, began = threading.Event(), threading.Event()

        def task(job: Job, args: dict[str, object]) -> None:
            with job.owner() as db, job.step("one", db) as todo:
                assert not todo
            began.set()
            assert go.wait(20)
            with job.owner() as db, job.step("two", db) as todo:
                if todo:
                    db.execute("insert into public.effect (job, step) values (%s, 2)", (job.id,))

        with working(queue, {"task": task}):
            assert began.wait(15)
            child.send_signal(signal.SIGCONT)
            threading.Event().wait(1.2)  # it wakes, is refused its step, and tries to end the job
            assert states(queue) == {"doing": 1}
            go.set()
            until(lambda: states(queue) == {"succeeded": 1})
    finally:
        child.kill()
        child.communicate()
    assert sql(queue, "select step from public.effect") == [(2,)]
