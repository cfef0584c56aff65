"""The log of a home, opened for one command as its owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.store import server
from clearway.store.connect import connect, translated
from clearway.store.migrate import migrate

if TYPE_CHECKING:
    import psycopg


class Log(Struct, frozen=True):
    """An open connection of the owner, in autocommit."""

    db: psycopg.Connection[Any]
    home: Path


@contextmanager
def opened(home: Path) -> Iterator[Log]:
    """The log of `home`; its database runs for the length of the block. The driver's errors become ours."""
    with server.lease(home) as url, translated():
        migrate(url)
        with connect(url, autocommit=True, application_name="clearway ledger") as db:
            yield Log(db, home)
