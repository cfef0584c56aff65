"""What a server's first answer says, on a real socket with every answer that it can give."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from clearway.store.probe import SOCKET_FILE, probe


def error(sqlstate: str) -> bytes:
    body = b"SFATAL\0C" + sqlstate.encode() + b"\0Mno\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


class Answering:
    """Listens like a server and gives one answer to everybody."""

    def __init__(self, folder: Path, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET_FILE))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            self.asked.append(client.recv(1000))
            client.sendall(self._answer)

    def close(self) -> None:
        self._thread.join(timeout=10)
        self._listener.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(b"R\0\0\0\x08\0\0\0\0", "ready", id="authenticated"),
        pytest.param(error("57P03"), "busy", id="starting up, or in recovery"),
        pytest.param(error("53300"), "ready", id="too many clients: it is there"),
        pytest.param(error("28000"), "ready", id="refused: it is there"),
        pytest.param(b"", "busy", id="hung up without a word"),
        pytest.param(b"E", "busy", id="half a message"),
        pytest.param(b"E\xff\xff\xff\xff", "ready", id="an absurd length is not waited for"),
    ],
)
def test_the_state_is_what_the_server_answers(folder: Path, answer: bytes, state: str) -> None:
    server = Answering(folder, answer)
    try:
        assert probe(folder, "me", "db") == state
    finally:
        server.close()
    length = int.from_bytes(server.asked[0][:4], "big")
    assert server.asked[0][:length][4:] == b"\0\3\0\0user\0me\0database\0db\0\0"


def test_a_missing_socket_is_down(folder: Path) -> None:
    assert probe(folder, "me", "db") == "down"


def test_a_socket_that_nobody_listens_on_is_down(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / SOCKET_FILE))
    assert probe(folder, "me", "db") == "down"


def test_a_server_that_does_not_answer_is_busy_after_the_time_limit(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / SOCKET_FILE))
        silent.listen()
        assert probe(folder, "me", "db", timeout_s=0.05) == "busy"
