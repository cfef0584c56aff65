"""Room to read large documents in: a few at once, one of an organisation, so that the others' requests are answered.

A small document is read in milliseconds, and without asking. A large one may take a second of the interpreter that all
requests share, and a hundred times its size in memory. Who finds no room is told to come again at once: waiting for it
would take a thread that others need.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from clearway.records.errors import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 256 << 10  # bytes; a report with a proof of concept and a patch is smaller
AT_ONCE = 2
_RETRY_S = 2  # a large document is read in about a second


class Readers:
    """Who reads a large document now. Safe between threads; of one process."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._reading: set[int] = set()
        self._lock = Lock()

    @contextmanager
    def room(self, org: int, size: int) -> Iterator[None]:
        """While the block runs the organisation `org` reads a document of `size` bytes.

        Raises:
            TooManyRequestsError: it reads another large one, or as many do as there is room for.
        """
        if size <= SMALL:
            yield
            return
        with self._lock:
            if org in self._reading or len(self._reading) >= self._at_once:
                raise TooManyRequestsError(
                    f"documents over {SMALL >> 10} KiB are read a few at a time, and there is no room now",
                    mend="send it again in a few seconds; one after the other is faster than several at once",
                    retry_after_s=_RETRY_S,
                )
            self._reading.add(org)
        try:
            yield
        finally:
            with self._lock:
                self._reading.discard(org)
