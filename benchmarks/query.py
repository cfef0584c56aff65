"""The OSV-compatible API over a real server process, with the whole shared data loaded.

Each query is asked for the first time (its records come from the database) and a second time
(they are remembered). Queries are real: components of container SBOMs, and packages that advisories
name at versions that they call affected. The yardstick is what OSV.dev promises: P95 of 1 s for a
query and of 6 s for a batch. `CLEARWAY_BENCH_HOME` names a home that is loaded already.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from clearway.advisories.table import TABLE_FILE, Table
from clearway.formats.archive import Blob, walk
from clearway.formats.inventory import read_inventory
from clearway.records.errors import ClearwayError
from clearway.records.inventory import Component

FOLDERS = ("osv", "kev", "vulnrichment", "csaf", "epss", "vex", "cpe-overrides", "other-intake")
QUERIES = 4_000
BATCHES = 40
SBOMS = 150
SEED = 14409

_SERVE = """
import sys
from pathlib import Path
from clearway.app.server import serve
serve(Path(sys.argv[1]), "127.0.0.1", 0)
"""
_CLI = "import sys; from clearway.app.cli import main; sys.exit(main())"

Asked = dict[str, Any]


def run() -> dict[str, Any]:
    """The rows, and the two goals of the API; goals are skipped where the shared data is absent."""
    data = _shared()
    if data is None:
        return {"rows": [], "goals": [_goal(*goal, None) for goal in (_QUERY, _BATCH)]}
    with ExitStack() as stack:
        home = Path(
            os.environ.get("CLEARWAY_BENCH_HOME") or stack.enter_context(tempfile.TemporaryDirectory())
        )
        if not (home / TABLE_FILE).is_file():
            _load(home, data)
        singles, batches = _questions(Table.of_home(home), data)
        port, pid = stack.enter_context(_server(home))
        rows = [*_ask_singles(port, singles), *_ask_batches(port, batches)]
        rows.append(_under_load(port, singles[:2_000], batches))
        rows.append({"row": "server", "peak_mib": round(_peak_mib(pid), 1)})
    worst_query = max(row["p99_ms"] for row in rows if row["row"].startswith("query, "))
    worst_batch = max(row["p99_ms"] for row in rows if row["row"].startswith("batch of 1,000"))
    return {"rows": rows, "goals": [_goal(*_QUERY, worst_query), _goal(*_BATCH, worst_batch)]}


_QUERY = ("a query, p99", 5.0)
_BATCH = ("a batch of 1,000, p99", 150.0)


def _goal(name: str, limit: float, value: float | None) -> dict[str, Any]:
    return {
        "goal": name,
        "limit": limit,
        "value": value,
        "unit": "ms",
        "ok": None if value is None else value < limit,
    }


def _shared() -> Path | None:
    named = os.environ.get("CLEARWAY_SHARED_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    for parent in Path(__file__).resolve().parents:
        if (parent / "shared" / "data" / "osv").is_dir():
            return parent / "shared" / "data"
    return None


def _load(home: Path, data: Path) -> None:
    paths = [str(data / folder) for folder in FOLDERS if (data / folder).is_dir()]
    done = subprocess.run(
        [sys.executable, "-c", _CLI, "--home", str(home), "ingest", *paths],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 10):
        raise RuntimeError(f"the intake ended with {done.returncode}")


def _questions(table: Table, data: Path) -> tuple[list[Asked], list[list[Asked]]]:
    """Distinct queries: half components that somebody runs, half versions that advisories call affected."""
    chance = random.Random(SEED)  # noqa: S311 - to choose, not to hide
    run = list(dict.fromkeys(_components(data)))
    named = list(dict.fromkeys(_affected(table)))
    chance.shuffle(run)
    chance.shuffle(named)
    mixed = [pair for pairs in zip(run, named, strict=False) for pair in pairs]
    questions = [_asked(*one) for one in mixed]
    singles = questions[:QUERIES]
    rest = questions[QUERIES:] or questions
    batches = [[chance.choice(rest) for _ in range(1_000)] for _ in range(BATCHES)]
    return singles, batches


def _asked(ecosystem: str, name: str, version: str) -> Asked:
    return {"package": {"ecosystem": ecosystem, "name": name}, "version": version}


def _components(data: Path) -> Iterator[tuple[str, str, str]]:
    archive = data / "sbom" / "spdx-1000-containers-trivy.tar.zst"
    read = 0
    for blob in walk([archive]) if archive.is_file() else ():
        if not isinstance(blob, Blob):
            continue
        try:
            inventory = read_inventory(blob.data, blob.place)
        except ClearwayError:
            continue
        yield from (_identity(c) for c in inventory.components if c.ecosystem and c.version)
        read += 1
        if read == SBOMS:
            return


def _identity(component: Component) -> tuple[str, str, str]:
    name = component.source_name or component.name
    return component.ecosystem, name, component.source_version or component.version


def _affected(table: Table) -> Iterator[tuple[str, str, str]]:
    import sqlite3

    with sqlite3.connect(f"file:{table.path}?mode=ro", uri=True) as db:
        keys = [key for (key,) in db.execute("select key from package order by key")]
    for key in keys:
        ecosystem, _, name = key.partition("\0")
        if ecosystem in ("vendor", "vendor-unreviewed", "cpe", "git", "commit"):
            continue
        for claim in table.claims(ecosystem, name)[:3]:
            for _, _, introduced, end, kind in claim.intervals[:1]:
                version = end if kind == "last_affected" else introduced
                if version not in ("", "0"):
                    yield ecosystem, name, version
            for _, text in claim.listed[:1]:
                yield ecosystem, name, text


@contextmanager
def _server(home: Path) -> Iterator[tuple[int, int]]:
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(line.strip().rstrip("/").rpartition(":")[2]), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


class Client:
    """One kept connection; head and body leave in one write, because two cost a delayed acknowledgement."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> tuple[float, bytes]:
        """Milliseconds to the last byte, and the body."""
        head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        started = time.perf_counter()
        self._socket.sendall(head + body)
        got = bytearray()
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self._socket.recv(1 << 18)
        lines = bytes(got[:end]).lower().split(b"\r\n")
        length = int(next(line for line in lines if line.startswith(b"content-length:"))[15:])
        while len(got) < end + 4 + length:
            got += self._socket.recv(1 << 18)
        elapsed = (time.perf_counter() - started) * 1000
        if not lines[0].startswith((b"http/1.1 200", b"http/1.1 400")):
            raise RuntimeError(lines[0].decode())
        return elapsed, bytes(got[end + 4 :])

    def close(self) -> None:
        self._socket.close()


def _ask_singles(port: int, singles: Sequence[Asked]) -> Iterator[dict[str, Any]]:
    client = Client(port)
    bodies = [json.dumps(one).encode() for one in singles]
    for body in bodies[:50]:
        client.post("/v1/query", body)
    for name in ("query, first asked", "query, asked again"):
        answers = [client.post("/v1/query", body) for body in bodies]
        hits = sum(answer.startswith(b'{"vulns"') for _, answer in answers)
        size = sum(len(answer) for _, answer in answers)
        times = [elapsed for elapsed, _ in answers]
        yield {
            "row": name,
            **_figures(times),
            "hits": hits,
            "mean_bytes": size // len(answers),
            **_promise(times, 1_000),
        }
    client.close()


def _ask_batches(port: int, batches: Sequence[Sequence[Asked]]) -> Iterator[dict[str, Any]]:
    client = Client(port)
    for size in (10, 100):
        bodies = [json.dumps({"queries": batch[:size]}).encode() for batch in batches]
        times = [client.post("/v1/querybatch", body)[0] for body in bodies]
        yield {"row": f"batch of {size}", **_figures(times)}
    bodies = [json.dumps({"queries": batch}).encode() for batch in batches]
    for name in ("batch of 1,000, first asked", "batch of 1,000, asked again"):
        times = [client.post("/v1/querybatch", body)[0] for body in bodies]
        yield {"row": name, **_figures(times), **_promise(times, 6_000)}
    client.close()


def _under_load(port: int, singles: Sequence[Asked], batches: Sequence[Sequence[Asked]]) -> dict[str, Any]:
    """Queries while another client sends one batch of 1,000 after the other."""
    done = threading.Event()

    def batching() -> None:
        client = Client(port)
        bodies = [json.dumps({"queries": batch}).encode() for batch in batches]
        while not done.is_set():
            client.post("/v1/querybatch", bodies[0])
            bodies.append(bodies.pop(0))
        client.close()

    busy = threading.Thread(target=batching)
    busy.start()
    client = Client(port)
    try:
        times = [client.post("/v1/query", json.dumps(one).encode())[0] for one in singles]
    finally:
        done.set()
        busy.join()
        client.close()
    return {"row": "query beside batches", **_figures(times)}


def _figures(times: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2], 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 3),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "max_ms": round(ordered[-1], 3),
    }


def _promise(times: Sequence[float], promised_ms: float) -> dict[str, Any]:
    """The P95 as a part of what OSV.dev promises."""
    ordered = sorted(times)
    return {"p95_of_osv_dev_promise": round(ordered[int(len(ordered) * 0.95)] / promised_ms, 5)}


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
