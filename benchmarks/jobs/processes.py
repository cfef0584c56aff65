"""The processes that the benchmark of jobs measures: a worker, and one that only listens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import psycopg

_WORKER = """
import signal, sys, threading, time
from clearway.store.jobs import Loop, Retry, Spec
from clearway.store.jobs_worker import Pace, run_worker

def start(job, args):
    began = time.time()
    with job.owner() as db:
        db.execute("insert into bench.row values (%s, %s)", (job.id, began))

def nothing(job, args):
    pass

def steps(job, args):
    for n in range(3):
        with job.owner() as db, job.step(f"step {n}", db) as todo:
            if todo:
                db.execute("insert into bench.effect values (%s, %s)", (job.id, n))
                time.sleep(0.005)

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
pace = Pace(heartbeat_s=0.5, stalled_s=2, sweep_s=0.5) if len(sys.argv) > 2 else Pace()
tasks = {"start": start, "nothing": nothing, "steps": Spec(steps, Retry(attempts=30, first_s=0.05, longest_s=0.2))}
loops = {"idle": Loop("bench_loop", 30, lambda connect: None)}
ready = lambda: print("ready", flush=True)
run_worker(sys.argv[1], tasks, concurrency=4, stop=stop, loops=loops, pace=pace, ready=ready)
"""
_LISTENER = """
import sys, time
from clearway.store.connect import connect
with connect(sys.argv[1], autocommit=True) as db, connect(sys.argv[1], autocommit=True) as read:
    db.execute("listen bench")
    print("ready", flush=True)
    for told in db.notifies():
        read.execute("select n from bench.row where n = %s", (int(told.payload),)).fetchone()
        print(told.payload, time.time(), flush=True)
"""
_TICK = os.sysconf("SC_CLK_TCK")


class _Child:
    def __init__(self, code: str, *arguments: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self.child.pid

    def line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline()

    def ready(self) -> None:
        if self.line() != "ready\n":
            raise RuntimeError("a process of the benchmark did not begin")

    def kill(self) -> None:
        self.child.kill()
        self.child.communicate()


class Worker(_Child):
    """A worker with the tasks of the benchmark; `quick` notices the dead within two seconds, not twenty."""

    def __init__(self, url: str, *, quick: bool = False) -> None:
        super().__init__(_WORKER, url, *(["quick"] if quick else []))

    def end(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        self.child.communicate(timeout=30)

    @staticmethod
    def backends(db: psycopg.Connection) -> list[int]:
        """The server's processes for workers."""
        query = (
            "select pid from pg_stat_activity where application_name in ('clearway worker', 'clearway sweep')"
        )
        return [pid for (pid,) in db.execute(query).fetchall()]

    def resident_mib(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


class Listener(_Child):
    """A process that listens on `bench`, reads the row of each notification, and says when it had it."""

    def __init__(self, url: str) -> None:
        super().__init__(_LISTENER, url)
        self.ready()

    def told(self, n: int) -> float:
        """When it had row `n`, in seconds since the epoch."""
        number, at = self.line().split()
        assert int(number) == n
        return float(at)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def cpu_s(pid: int) -> float:
    """Processor seconds of one process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def cluster_cpu_s(pids: list[int]) -> float:
    """Processor seconds of the server's processes that still live."""
    total = 0.0
    for pid in pids:
        try:
            total += cpu_s(pid)
        except OSError:
            continue
    return total
