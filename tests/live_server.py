"""A real server process on loopback for tests, over a table file and records kept in memory."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from clearway.app import server
from clearway.http.application import Application

TESTS = Path(__file__).resolve().parent
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
import osv_world, msgspec
from pathlib import Path
from clearway.advisories.record_source import MemoryRecords
from clearway.app import server
from clearway.http.limits import Limits
more = msgspec.json.decode(sys.argv[3])
server.HEADER_MS = more.pop("header_ms", server.HEADER_MS)
limits = msgspec.convert(more, Limits)
app = server.build(Path(sys.argv[1]), MemoryRecords(osv_world.records()), limits=limits)
server.run(app, "127.0.0.1", server._free_port("127.0.0.1", 0), lambda url: print(url, flush=True))
"""


class Live:
    """A running server. `log` is what it wrote to standard error, complete once it has ended."""

    def __init__(self, process: subprocess.Popen[str], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        """Status, headers and decoded JSON of one request on a connection of its own."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, raw, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ends it; returns how many seconds that took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=15)
        return time.monotonic() - started


@contextlib.contextmanager
def started(command: list[str], log: Path) -> Iterator[Live]:
    """The server that `command` starts and whose first line of output is its URL."""
    environment = {k: v for k, v in os.environ.items() if k != "CLEARWAY_DATABASE_URL"}
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line or "http://localhost:" in line, log.read_text()
        yield Live(process, int(line.strip().rstrip("/").rpartition(":")[2]), log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


@contextlib.contextmanager
def within(app: Application) -> Iterator[str]:
    """The URL of a server of `app` on a thread of this process: a tenth of what a process of its own takes to start.

    For tests of what it answers, to which it is all one where it runs.
    """
    port = server._free_port("127.0.0.1", 0)
    began: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=lambda: uvloop.run(_answering(app, port, began)))
    thread.start()
    end = began.result(30)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end()
        thread.join(30)
        assert not thread.is_alive()


async def _answering(app: Application, port: int, began: Future[Callable[[], object]]) -> None:
    loop, asked_to_end = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(server._while_ending)
    one = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False
    )
    serving = loop.create_task(one.serve())
    try:
        await server._answers("127.0.0.1", port)
        began.set_result(lambda: loop.call_soon_threadsafe(asked_to_end.set))
        await asked_to_end.wait()
    except BaseException as error:
        began.set_exception(error)
        raise
    finally:
        app.ending()
        one.stop()
        await asyncio.wait({serving}, timeout=server.GRACE_SECONDS)


def over(table: Path, **settings: Any) -> contextlib.AbstractContextManager[Live]:
    """A server over `table` and the records of `osv_world`; `settings` are `Limits` and `header_ms`."""
    text = msgspec.json.encode(settings).decode()
    return started([sys.executable, "-c", _PROGRAM, str(table), str(TESTS), text], table.with_suffix(".log"))
