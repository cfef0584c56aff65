"""`clearway up` and `clearway worker` as processes of their own over one home, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx
import psycopg

from clearway.ledger.stored import Stored
from clearway.ledger.verify import verify
from clearway.store.connect import connect
from clearway.store.server import status
from intake_world import World, command, environment, osv, package, write
from people import People, Somebody

Db = psycopg.Connection[Any]
PATIENCE_S = 60.0  # a loaded machine: far above what is measured and printed


def eventually(
    holds: Callable[[], bool], what: str, said: Callable[[], str] = str, patience_s: float = PATIENCE_S
) -> float:
    """Waits until it holds; returns the seconds that took. `said` is what to show when it never does."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < patience_s, f"{what}: {said()[-3000:]}"
        time.sleep(0.02)
    return time.monotonic() - started


class Served:
    """One home with a server, a worker, and operators of one organisation. Outputs go to files of `folder`."""

    def __init__(self, home: Path, folder: Path, url: str, **environment_too: str) -> None:
        self.home, self.folder, self.database = home, folder, url
        self.environment = environment(**environment_too)
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = trial.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.files: list[IO[bytes]] = []

    def ingest(self) -> None:
        """One advisory, so that there is a table."""
        world = World(self.database, self.home)
        world.take(
            write(
                self.folder / "record.json",
                osv("PYSEC-2026-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]),
            ),
            at=datetime.now(UTC),
        )

    def prepare(self, people: int) -> list[Somebody]:
        """Advisories, and that many operators."""
        self.ingest()
        made = People(self.database)
        try:
            org = made.org("water")
            return [made.somebody(org, "operator", name=f"Operator {n}") for n in range(people)]
        finally:
            made.close()

    def start(self, kind: str) -> None:
        """Starts the "api" or a "worker"; see `ready`."""
        words = ["up", "--port", str(self.port)] if kind == "api" else ["worker"]
        out = (self.folder / f"{kind}-{len(self.files)}.log").open("wb")
        self.files.append(out)
        self.processes[kind] = subprocess.Popen(
            command("--home", self.home, *words), stdout=out, stderr=subprocess.STDOUT, env=self.environment
        )

    def kill(self, kind: str) -> None:
        """SIGKILL of the "api", the "worker" or "postgresql"."""
        if kind == "postgresql":
            pid = status(self.home).pid
            assert pid
            os.kill(pid, signal.SIGKILL)
            return
        process = self.processes.pop(kind)
        process.kill()
        process.wait()

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health/ready", timeout=5, verify=False).status_code == 200
        return False

    def takes_jobs(self) -> bool:
        """Whether the worker that was started last does its work."""
        newest = [file.name for file in self.files if Path(file.name).name.startswith("worker")][-1]
        return "takes jobs" in Path(newest).read_text("utf-8", "replace")

    def ready(self) -> float:
        """Waits until the server is ready; the seconds that took."""
        return eventually(self.is_ready, "the server is not ready", self.said)

    def said(self) -> str:
        """What the processes wrote, all of them."""
        return "\n".join(Path(file.name).read_text("utf-8", "replace") for file in self.files)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for file in self.files:
            file.close()

    def ask(self, who: Somebody, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {who.secret}", **more.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=30, verify=False, **more)


@contextlib.contextmanager
def serving(home: Path, folder: Path, url: str) -> Iterator[Served]:
    """For a test; whatever was started is ended."""
    made = Served(home, folder, url)
    try:
        yield made
    finally:
        made.stop()


def assert_log_verifies(url: str) -> None:
    """The worker has sequenced every entry, and the log holds."""

    def all_placed() -> bool:
        with connect(url, autocommit=True) as db:
            row = db.execute(
                "select count(*) from clearway.log_entry e where not exists "
                "(select from clearway.log_leaf l where l.entry = e.entry)"
            ).fetchone()
        return row == (0,)

    eventually(all_placed, "the sequencer does not come back")
    with connect(url, autocommit=True) as db:
        report = verify(Stored(db, whole=True))
        assert report.ok, report.reasons


def assert_no_corruption(url: str) -> None:
    """Every index agrees with its table, and every page can be read, as the database's own checker says."""
    with connect(url, autocommit=True) as db:
        db.execute("create extension if not exists amcheck")
        db.execute(
            """select bt_index_check(c.oid, true) from pg_index i join pg_class c on c.oid = i.indexrelid
            join pg_am a on a.oid = c.relam and a.amname = 'btree' join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('clearway', 'clearway_jobs', 'pg_catalog') and c.relpersistence = 'p'
                and c.relkind = 'i' and i.indisready and i.indisvalid"""
        )
        bad = db.execute(
            """select c.relname, v.msg from pg_class c join pg_namespace n on n.oid = c.relnamespace,
            lateral verify_heapam(c.oid) v where n.nspname in ('clearway', 'clearway_jobs') and c.relkind = 'r'"""
        ).fetchall()
        assert bad == []


_FAULT = re.compile(r"^Traceback", re.MULTILINE)


def tracebacks(text: str) -> int:
    """How many stack traces a log has."""
    return len(_FAULT.findall(text))
