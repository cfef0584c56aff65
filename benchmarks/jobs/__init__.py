"""Jobs: how soon they start, what an idle worker costs, how many run a second, and whether kill -9 loses any.

One embedded server; each worker is a process of its own. The yardstick is the least that PostgreSQL itself takes
to wake another process: an insert and NOTIFY, committed, until a LISTENing process has read the row. `run()` is
what `clearway bench jobs` prints.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from benchmarks._measure import goal
from clearway.store import jobs, place
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.processes import of_cluster
from clearway.store.server import lease

from .processes import Listener, Worker, cluster_cpu_s, cpu_s

WAKES = 200
QUEUED = (100, 1_000, 10_000)
KILLED, STEPS = 200, 3
IDLE_S = 12.0
TABLES = """
create schema bench;
create table bench.row (n int, began float8);
create index on bench.row (n);
create table bench.effect (job bigint, step int);
"""


def run() -> dict[str, Any]:
    """The rows, and the goals of jobs."""
    with tempfile.TemporaryDirectory() as folder, lease(home := Path(folder) / "home") as url:
        migrate(url)
        with connect(url, autocommit=True) as db:
            db.execute(TABLES)
            with _worker(url, "start") as worker:
                wake, started = _starts(url, db)
                idle = _idle(worker, home)
            rates = [_throughput(url, db, many) for many in QUEUED]
            killed = _kills(url, db)
    ratio = started["p50_ms"] / wake["p50_ms"]
    rows = [wake, {**started, "times_bare_notify": round(ratio, 2)}, idle, *rates, killed]
    growth = [_growth(a, b) for a, b in pairwise(rates)]
    rows += growth
    return {
        "rows": rows,
        "goals": [
            goal("from commit to start, p50", 10.0, started["p50_ms"], "ms"),
            goal("an idle worker, of one core", 1.0, idle["worker_percent"], "%"),
            goal("processor time of 10,000 queued jobs to that of 1,000", 12.0, growth[-1]["cpu"], "times"),
            goal("jobs lost to kill -9, of 200", 0, killed["lost"], "jobs"),
            goal("steps done twice after kill -9, of 600", 0, killed["twice"], "steps"),
        ],
    }


def _starts(url: str, db: psycopg.Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """To another process, in turn so that both meet the same machine: a bare row, and a job.

    The bare row: an insert with its NOTIFY, until a process that listens has read it. The job: from before
    `defer` to the first line of its task, on an idle queue.
    """
    bare, ours = [], []
    with Listener(url) as listener:
        for n in range(-WAKES, 0):
            began = time.time()
            with db.transaction():
                db.execute("insert into bench.row values (%s, %s)", (n, began))
                db.execute("select pg_notify('bench', %s)", (str(n),))
            bare.append((listener.told(n) - began) * 1000)
            time.sleep(0.005)
            began = time.time()
            job = jobs.defer(db, "start", {})
            ours.append((_told(db, job) - began) * 1000)
            time.sleep(0.005)
    return (
        {"row": "insert, NOTIFY and read in another process", **_figures(bare)},
        {"row": "defer to start", **_figures(ours)},
    )


def _told(db: psycopg.Connection, job: int) -> float:
    while True:
        row = db.execute("select began from bench.row where n = %s", (job,)).fetchone()
        if row is not None:
            return float(row[0])
        time.sleep(0.005)


def _idle(worker: Worker, home: Path) -> dict[str, Any]:
    """Processor time of a worker without work, and of the server under it."""
    time.sleep(2)
    pid, server = worker.pid, of_cluster(place.make(home).data)
    before, served = cpu_s(pid), cluster_cpu_s(server)
    time.sleep(IDLE_S)
    return {
        "row": "idle",
        "seconds": IDLE_S,
        "worker_percent": round((cpu_s(pid) - before) / IDLE_S * 100, 3),
        "postgres_percent": round((cluster_cpu_s(server) - served) / IDLE_S * 100, 3),
        "worker_mib": round(worker.resident_mib(), 1),
    }


def _throughput(url: str, db: psycopg.Connection, many: int) -> dict[str, Any]:
    """`many` jobs that wait when one worker begins; and the bare inserts of as many rows beside it."""
    began = time.perf_counter()
    with db.transaction():
        for n in range(many):
            jobs.defer(db, "nothing", {"n": n})
    deferred = time.perf_counter() - began
    began = time.perf_counter()
    with db.transaction():
        for n in range(many):
            db.execute("insert into bench.row values (%s, 0)", (n,))
    bare = time.perf_counter() - began
    ended = _ended(db)
    with _worker(url, "nothing") as worker:
        began = time.perf_counter()
        _wait(db, ended + many)
        took = time.perf_counter() - began
        served = sum(cpu_s(pid) for pid in worker.backends(db))
        used = cpu_s(worker.pid) + served
    return {
        "row": f"{many:,} queued",
        "n": many,
        "deferred_per_s": round(many / deferred),
        "times_bare_insert": round(deferred / bare, 2),
        "jobs_per_s": round(many / took),
        "seconds": round(took, 3),
        "cpu_ms_per_job": round(used / many * 1000, 3),
        "postgres_cpu_ms_per_job": round(served / many * 1000, 3),
    }


def _growth(small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    """What ten times as many jobs cost."""
    return {
        "row": f"growth {small['row']} to {large['row']}",
        "jobs": large["n"] // small["n"],
        "time": round(large["seconds"] / small["seconds"], 2),
        "cpu": round(large["cpu_ms_per_job"] * large["n"] / (small["cpu_ms_per_job"] * small["n"]), 2),
    }


def _kills(url: str, db: psycopg.Connection) -> dict[str, Any]:
    """Two workers on 200 jobs of three steps; one is killed three times, and another begins."""
    ended = _ended(db)
    with db.transaction():
        ids = [jobs.defer(db, "steps", {}) for _ in range(KILLED)]
    began = time.perf_counter()
    workers = [Worker(url, quick=True), Worker(url, quick=True)]
    try:
        for worker in workers:
            worker.ready()
        for reached in (30, 80, 130):
            _wait(db, ended + reached)
            workers.pop(0).kill()
            workers.append(Worker(url, quick=True))
        _wait(db, ended + KILLED)
        took = time.perf_counter() - began
    finally:
        for worker in workers:
            worker.kill()
    rows = db.execute("select job, step, count(*) from bench.effect group by 1, 2").fetchall()
    interrupted = db.execute(
        "select count(*) from clearway.job_failure where code = 'worker-lost'"
    ).fetchone()
    return {
        "row": f"{KILLED} jobs of {STEPS} steps, three workers killed",
        "lost": len(ids) * STEPS - len(rows),
        "twice": sum(times > 1 for _, _, times in rows),
        "taken_over": interrupted[0] if interrupted else 0,
        "seconds": round(took, 2),
    }


@contextmanager
def _worker(url: str, task: str) -> Iterator[Worker]:
    worker = Worker(url)
    try:
        worker.ready()
        with connect(url, autocommit=True) as db:  # warm: one job through all of it
            ended = _ended(db)
            if task == "start":
                jobs.defer(db, "nothing", {})
                _wait(db, ended + 1)
                time.sleep(0.5)
        yield worker
    finally:
        worker.end()


def _ended(db: psycopg.Connection) -> int:
    row = db.execute(
        "select count(*) from clearway_jobs.procrastinate_jobs where status in ('succeeded', 'failed')"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _wait(db: psycopg.Connection, least: int, timeout_s: float = 150) -> None:
    ends = time.monotonic() + timeout_s
    while _ended(db) < least:
        if time.monotonic() > ends:
            raise RuntimeError(f"{_ended(db)} of {least} jobs ended within {timeout_s:.0f} s")
        time.sleep(0.01 if least < 2_000 else 0.2)  # counting is work too


def _figures(times: list[float]) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "p50_ms": round(statistics.median(ordered), 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 3),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "max_ms": round(ordered[-1], 3),
    }
