"""The database fixtures, a findings desk for the cases of a module, and a mail server on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller

from database import server  # noqa: F401
from desk_fixtures import cases, desk_template  # noqa: F401
from mail_server import Letters


@pytest.fixture
def smtp() -> Iterator[tuple[Letters, int]]:
    """What it keeps, and its port."""
    handler = Letters()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()
