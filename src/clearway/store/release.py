"""Whether the database's tables are still those of this release, looked at while a process runs.

A start looks once (`migrate`). A process that was up before another migrated would go on writing by rules that hold
no more, so that transactions, jobs and loops look again, once a second of a process and not of a request.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from psycopg import errors

from clearway.records.errors import OutdatedError

from .migrate import NUMBER, head

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("clearway.release")
EVERY_S = 1.0


class Release:
    """What one process knows of the tables. Safe between threads; no connection is held."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._next = time.monotonic() + every_s  # who makes one has migrated, or asked
        self._newer = ""
        self._lock = threading.Lock()

    def due(self) -> bool:
        """Whether the caller is to look now; of several at once, one."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return False
            self._next = now + self._every_s
            return True

    def told(self, number: str) -> None:
        """Takes down the number that the database stands at; "" where it has none."""
        newer = number if number > head() else ""
        with self._lock:
            was, self._newer = self._newer, newer
        if newer and not was:
            log.warning("%s", _outdated(newer))

    @property
    def is_outdated(self) -> bool:
        """Whether the tables are a newer release's, as of the last look."""
        return bool(self._newer)

    def hold(self) -> None:
        """Raises OutdatedError where the tables are a newer release's, as of the last look."""
        if newer := self._newer:
            raise _outdated(newer)

    def look(self, db: psycopg.Connection[Any]) -> None:
        """Asks the database on the owner's connection `db`, outside of a transaction, and holds.

        Raises:
            OutdatedError: the tables are a newer release's. psycopg.Error: the database does not answer.
        """
        try:
            row = db.execute(NUMBER).fetchone()
        except errors.UndefinedTable:  # nothing has migrated: what is asked next says so
            row = None
        self.told(row[0] if row and row[0] else "")
        self.hold()


def _outdated(number: str) -> OutdatedError:
    return OutdatedError(
        f"the database has the tables of a newer release (migration {number}, this release knows {head()})",
        where="database",
        mend="upgrade Clearway on this machine and start it again; nothing was changed by this",
    )
