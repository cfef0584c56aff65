"""Two transactions of which one waits for the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from clearway.records.errors import ClearwayError
from people import People


class Waiting:
    """An act in a thread of its own, begun inside another transaction: made once it waits for a row of that."""

    def __init__(self, people: People, act: Callable[[], object]) -> None:
        self._refused: ClearwayError | None = None
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        with people.owner() as owner:
            for _ in range(2_000):
                waits = owner.execute(
                    "select from pg_locks where not granted and locktype in ('transactionid', 'tuple')"
                ).fetchone()
                if waits is not None:
                    return
                time.sleep(0.01)
        raise AssertionError("nobody waits")

    def refused(self) -> ClearwayError | None:
        """What it was refused with, once the transaction that it waited for has ended; None where it was done."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self._refused

    def _run(self) -> None:
        try:
            self._act()
        except ClearwayError as error:
            self._refused = error
