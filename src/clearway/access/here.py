"""A home opened by a command: its database, and who acts on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearway.records.principal import Principal
    from clearway.store.principal import Pool


class Opened(NamedTuple):
    """`key` is the principal's, for `pool.acting`; `me` is who that is."""

    pool: Pool
    url: str
    key: str
    me: Principal


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
