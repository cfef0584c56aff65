"""The whole server over a home of its own: ready line, clean end, nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import live_server
import osv_world
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import _free_port
from clearway.records.errors import ConfigError, ConflictError
from clearway.store.connect import connect
from clearway.store.server import lease, status

_PROGRAM = """
import sys
from pathlib import Path
from clearway.app.server import serve
serve(Path(sys.argv[1]), "127.0.0.1", 0, ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="clearway-") as made:
        yield Path(made)


def over(home: Path) -> contextlib.AbstractContextManager[live_server.Live]:
    (home / TABLE_FILE).parent.mkdir(exist_ok=True)
    osv_world.table(home / TABLE_FILE)
    return live_server.started([sys.executable, "-c", _PROGRAM, str(home)], home / "log")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, id="SIGTERM"),
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_it_soon_with_a_connection_open_and_leaves_nothing(home: Path, number: int) -> None:
    with over(home) as server:
        assert server.ask("GET", "/health/ready")[0] == 200
        assert status(home).running
        idle = http.client.HTTPConnection("127.0.0.1", server.port)
        idle.request("GET", "/health/live")
        idle.getresponse().read()  # and the connection stays open
        half = socket.create_connection(("127.0.0.1", server.port))
        half.sendall(b"POST /v1/query HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
        server.stop(number)
        assert server.process.returncode == 0, server.log.read_text()
        assert not status(home).running
        half.close()
        idle.close()
        assert server.log.read_text() == ""


@pytest.mark.slow
def test_who_comes_through_the_operators_proxy_counts_by_the_address_that_it_passes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guessed(server: live_server.Live) -> set[int]:
        """The answers to forty credentials that nobody has, from forty addresses: an address has thirty tries."""
        asked = ({"authorization": f"Bearer cw_{n}", "x-forwarded-for": f"198.51.100.{n}"} for n in range(40))
        return {server.ask("GET", "/api/v1/assets", headers=headers)[0] for headers in asked}

    with over(home) as server:
        assert guessed(server) == {401, 429}
    monkeypatch.setenv("CLEARWAY_PROXIES", "127.0.0.1")
    with over(home) as server:
        assert guessed(server) == {401}


def test_a_request_in_work_is_answered_before_the_end(home: Path) -> None:
    with over(home) as server:
        half = socket.create_connection(("127.0.0.1", server.port))
        body = b'{"queries":[]}'
        head = b"POST /v1/querybatch HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
        half.sendall(head + body[:5])
        server.ask("GET", "/health/live")
        os.kill(server.process.pid, signal.SIGTERM)
        half.sendall(body[5:])
        half.settimeout(5)
        assert half.recv(1000).startswith(b"HTTP/1.1 200")
        half.close()
        server.process.wait(timeout=5)


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_a_home_that_the_next_one_takes_over(home: Path) -> None:
    with over(home) as first:
        first.stop(signal.SIGKILL)
    with over(home) as second:
        assert second.ask("GET", "/health/ready")[0] == 200
        second.stop()
    assert not status(home).running


def test_a_server_whose_database_a_newer_release_has_migrated_is_not_ready_and_does_nothing(
    home: Path,
) -> None:
    with over(home) as server, lease(home) as url, connect(url, autocommit=True) as db:
        assert server.ask("GET", "/health/ready")[0] == 200
        assert server.ask("GET", "/api/v1/me")[0] == 401
        row = db.execute("select version_num from clearway.alembic_version").fetchone()
        assert row is not None
        db.execute("update clearway.alembic_version set version_num = '9999'")
        try:
            status_, _, ready = server.ask("GET", "/health/ready")
            assert (status_, ready["checks"]["database"]) == (503, "outdated")
            whoever = {"authorization": "Bearer clw_nobodys"}
            status_, _, problem = server.ask("GET", "/api/v1/me", headers=whoever)
            assert (status_, problem["type"]) == (503, "urn:clearway:problem:outdated")
            assert "9999" in problem["detail"]
            assert "upgrade" in problem["mend"]
        finally:
            db.execute("update clearway.alembic_version set version_num = %s", row)
        assert server.ask("GET", "/health/ready")[0] == 200
        server.stop()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two processors")
@pytest.mark.parametrize("said", ["one", pytest.param("any", marks=pytest.mark.slow)])
def test_the_threads_that_answer_keep_to_one_processor_and_what_was_there_before_to_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def processors(pid: int) -> list[set[int]]:
        """Those of each thread, the first one's first."""
        found = []
        for thread in sorted(int(one.name) for one in Path(f"/proc/{pid}/task").iterdir()):
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                found.append(os.sched_getaffinity(thread))
        return found

    every = os.sched_getaffinity(0)
    monkeypatch.setenv("CLEARWAY_PROCESSOR", said)
    claim = f"clearway-test/{uuid4().hex}/"  # servers of other tests may have them all
    program = f"from clearway.app import processor\nprocessor.CLAIM = {claim!r}\n{_PROGRAM}"
    with live_server.started([sys.executable, "-c", program, str(home)], home / "log") as server:
        assert server.ask("GET", "/health/ready")[0] == 200
        loop, *others = processors(server.process.pid)
        assert len(loop) == (1 if said == "one" else len(every))
        assert loop in others  # who looked at the database for this answer
        assert every in others  # the worker beside it
        pid = status(home).pid
        assert pid
        assert processors(pid) == [every]
        server.stop()


def test_a_port_that_is_taken_is_a_conflict_even_when_its_holder_would_share() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(ConflictError, match="another program listens"):
            _free_port("127.0.0.1", holder.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("no such host", 0), ("::g", 0)]
)
def test_an_address_that_is_not_ours_is_a_configuration_error(host: str, port: int) -> None:
    with pytest.raises(ConfigError):
        _free_port(host, port)
