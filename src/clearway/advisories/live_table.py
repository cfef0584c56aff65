"""The compiled table as a server sees it: reopened when intake has put a new file, or changes, in place."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from clearway.records.errors import ConfigError, IntegrityError

from .table import CHANGES_SUFFIX, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
# A table remembers what it was asked. Strangers who ask for ever new names would fill the memory, so
# after this many questions it is opened anew (2 ms); the largest memory seen at the bound is some 60 MiB.
FRESH_AFTER = 200_000

# Of the file and of the changes beside it: which file it is, and its state. None where there is none.
_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class LiveTable:
    """The table at `path`, whichever file stands there. For one thread (an event loop).

    A caller keeps the table that it got for the length of one request and so sees one state; the
    file of an older table is let go when its last reader drops it.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._watched = (str(path), str(path.with_suffix(CHANGES_SUFFIX)))
        self._monotonic = monotonic
        self._table: Table | None = None
        self._stamp: _Stamp | None = None
        self._next_look = 0.0
        self._asked = 0
        self.refused = ""  # why a newer file could not be used while the older one serves

    def current(self, questions: int = 1) -> Table:
        """The table to answer `questions` questions from.

        A newer file that can't be read is reported in `refused` and to the log, and the last good
        table goes on serving.

        Raises:
            ConfigError: no table has been compiled yet.
            IntegrityError: the only table there is can't be read.
        """
        now = self._monotonic()
        self._asked += questions
        if self._table is None or now >= self._next_look:
            self._next_look = now + CHECK_SECONDS
            self._look()
        if self._asked > FRESH_AFTER:
            self._asked = 0
            self._reopen()
        if self._table is None:
            self._next_look = 0.0
            self._table = Table.open(self.path)
        return self._table

    def _look(self) -> None:
        stamp = tuple(_state(name) for name in self._watched)
        if stamp[0] is not None and stamp != self._stamp:  # a file that is gone leaves the open one serving
            self._stamp = stamp
            self._reopen()

    def _reopen(self) -> None:
        try:
            self._table = Table.open(self.path)
        except (ConfigError, IntegrityError) as error:
            if self._table is None:
                self._stamp = None
                raise
            self.refused = error.what
            log.error("the newer advisory table is not used: %s", error)
        else:
            self.refused = ""
            self._asked = 0


def _state(name: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - a Path method costs twice as much, on every look
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
