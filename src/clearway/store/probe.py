"""Whether a server answers, asked of the server itself and of nobody else.

A pid file may be stale, truncated or speak of a process that has long been another one. So the
question is put as a client puts it: a startup message on the socket (PostgreSQL protocol 3.0,
"Start-up"), and the first message of the answer is read.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Literal

State = Literal["ready", "busy", "down"]

SOCKET_FILE = ".s.PGSQL.5432"
_PROTOCOL_3 = 196_608
_TERMINATE = b"X\x00\x00\x00\x04"
_ANSWER_LIMIT_BYTES = 8192
_CANNOT_CONNECT_NOW = "57P03"  # starting up, shutting down, or in recovery


def probe(socket_dir: Path, user: str, database: str, timeout_s: float = 5.0) -> State:
    """What the server behind `socket_dir` says: ready for work, up but not ready yet, or nobody is there.

    A server that refuses for a reason of its own (too many clients, say) is there: "ready".
    """
    parameters = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database)) + b"\0"
    message = struct.pack("!II", len(parameters) + 8, _PROTOCOL_3) + parameters
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_s)
            client.connect(os.fsencode(socket_dir / SOCKET_FILE))
            client.sendall(message)
            kind, body = _first_message(client)
            if kind == b"R":
                with suppress(OSError):  # it has answered; a polite goodbye is all that is left
                    client.sendall(_TERMINATE)
    except TimeoutError:
        return "busy"
    except OSError:
        return "down"
    if kind == b"E":
        return "busy" if _sqlstate(body) == _CANNOT_CONNECT_NOW else "ready"
    return "ready" if kind else "busy"


def _first_message(client: socket.socket) -> tuple[bytes, bytes]:
    head = _read(client, 5)
    if len(head) < 5:
        return b"", b""
    length = int.from_bytes(head[1:5], "big") - 4
    return head[:1], _read(client, min(max(length, 0), _ANSWER_LIMIT_BYTES))


def _read(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (part := client.recv(size - len(got))):
        got += part
    return got


def _sqlstate(body: bytes) -> str:
    """Field C of an ErrorResponse ("Error and Notice Message Fields")."""
    for field in body.split(b"\0"):
        if field[:1] == b"C":
            return field[1:].decode("ascii", "replace")
    return ""
