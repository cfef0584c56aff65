"""A bound of one whole validation: what is over its time begins no further run, and keeps what it found.

Each run has bounds of its own; many slow ones in a row would hold a worker for hours. A run that has begun ends in its
own bounds, so that no verdict depends on how much of the whole was left.
"""

from __future__ import annotations

import time

from clearway.sandbox.run import Backend, Enforcement, Outcome, Run

TOTAL_S = 1800.0  # of a validation, and twice what the variants of E4 are given


class TimeUpError(Exception):
    """The validation's time is used up: caught by `judge`, which says at which level."""


class Bounded:
    """A backend that begins no run after so many seconds."""

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend = backend
        self._ends = time.monotonic() + seconds

    def run(self, run: Run) -> Outcome:
        """As the backend's. Raises TimeUpError."""
        if time.monotonic() >= self._ends:
            raise TimeUpError
        return self._backend.run(run)

    def enforcement(self) -> Enforcement:
        """As the backend's."""
        return self._backend.enforcement()
