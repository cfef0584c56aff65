"""A home opened by a command: its database, and who acts on it.

What a command reads of marked content is an entry of the log, as what a request reads is:

    with opened(args.home) as home, home.reading("finding status") as (db, note):
        found = kept.one(db, handling)
        note(found.subject, [found.aud])
        print(found.title)

Nothing of it is printed before the entry is committed.
"""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg

    from clearway.ledger.reading import Note
    from clearway.records.principal import Principal
    from clearway.store.principal import Pool


class Opened(NamedTuple):
    """`key` is the principal's, for `pool.acting`; `me` is who that is."""

    pool: Pool
    url: str
    key: str
    me: Principal

    def reading(self, command: str) -> AbstractContextManager[tuple[psycopg.Connection[Any], Note]]:
        """As the function `reading`."""
        return reading(self.pool, self.key, command)


@contextmanager
def reading(pool: Pool, key: str, command: str) -> Iterator[tuple[psycopg.Connection[Any], Note]]:
    """A transaction of who acts, and the note that tells the log what `command` ("finding status") reads in it.

    What is printed meanwhile is held back until the transaction is committed: a reading that can't be logged shows
    nothing. A long list is read and printed a page after the other, each in a transaction of its own.
    """
    from clearway.ledger.reading import Note

    held = _Held()
    with redirect_stdout(held), pool.acting(key) as db:
        yield db, Note(db, key, route=f"clearway {command}", command=True)
    held.flush()
    sys.stdout.write(held.buffer.getvalue().decode("utf-8", "surrogatepass"))


class _Held(io.TextIOWrapper):
    """What was printed and is not shown yet; a terminal where that is one which will show it."""

    buffer: io.BytesIO

    def __init__(self) -> None:
        super().__init__(
            io.BytesIO(), encoding="utf-8", errors="surrogatepass", newline="", write_through=True
        )
        self._shows = sys.stdout.isatty()

    def isatty(self) -> bool:
        return self._shows


@contextmanager
def opened(home: Path, *, size: int = 1) -> Iterator[Opened]:
    """`home` for who holds CLEARWAY_TOKEN, or its own local administrator, with up to `size` transactions at once.

    Raises:
        AuthenticationError: the token is not valid.
        UpstreamError, ConfigError: the database does not answer, or the home can't be used.
    """
    # Here and not above: a command's `--help` needs none of it.
    from datetime import UTC, datetime

    import msgspec

    from clearway.records.errors import AuthenticationError
    from clearway.records.principal import Principal
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    from . import local

    with lease(home) as url:
        migrate(url)
        key = local.key(url, home, now=datetime.now(UTC))
        with Pool(url, size=size) as pool:
            with pool.acting(key) as db:
                row = db.execute("select clearway.whoami()::text").fetchone()
            if row is None or row[0] is None:
                raise AuthenticationError("the token is not valid", mend="set CLEARWAY_TOKEN")
            yield Opened(pool, url, key, msgspec.json.decode(row[0], type=Principal))
