"""Brings the tables up to date, and costs one short query when they are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString

from psycopg import errors

from clearway.records.errors import ConfigError

from .connect import connect, translated

SCHEMA = "clearway"
# The number that the database stands at, as text, for who owns it.
NUMBER: LiteralString = "select max(version_num) as number from clearway.alembic_version"
_MIGRATIONS = Path(__file__).parent / "migrations"
_NUMBERED = re.compile(r"(\d{4})_\w+\.py")
# Any fixed number, as long as every release takes the same one.
_LOCK = 0x636C6561727761


def migrate(url: str) -> None:
    """Brings the database at `url` to this release's tables; does nothing when it is there.

    All steps run in one transaction, under an advisory lock: of several processes at once one
    migrates and the others wait, and a killed one leaves the tables as they were.

    Raises:
        ConfigError: the database is newer than this release, or a right is missing.
        UpstreamError: it is gone, full or read-only.
    """
    if not _behind(current(url)):
        return
    from .upgrade import upgrade  # alembic and SQLAlchemy take 0.7 s to import

    with translated():
        upgrade(lambda: connect(url, lock_timeout_s=0), _MIGRATIONS, SCHEMA, _LOCK)


def current(url: str) -> str:
    """The number of the last migration that ran, "" when none did."""
    with translated(), connect(url, autocommit=True) as connection:
        try:
            row = connection.execute(NUMBER).fetchone()
        except errors.UndefinedTable:
            return ""
    return str(row[0]) if row and row[0] else ""


@cache
def head() -> str:
    """The number of this release's last migration: files are named by it, `0001_intake.py`."""
    found = (_NUMBERED.fullmatch(path.name) for path in (_MIGRATIONS / "versions").iterdir())
    return max(match[1] for match in found if match)


def _behind(now: str) -> bool:
    if now > head():
        raise ConfigError(
            f"the database has the tables of a newer release (migration {now}, this release knows {head()})",
            where="database",
            mend="upgrade Clearway",
        )
    return now < head()
