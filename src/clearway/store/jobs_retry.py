"""When a failed job is tried again: pure."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from msgspec import Struct

from clearway.records.errors import (
    AuthenticationError,
    ForbiddenError,
    InputError,
    IntegrityError,
    NotFoundError,
    UsageError,
)

# Trying again cures none of these: the job's arguments, or what they name, would have to change.
LASTING = (UsageError, InputError, NotFoundError, AuthenticationError, ForbiddenError, IntegrityError)


class Retry(Struct, frozen=True, kw_only=True):
    """How often and how soon: waits of `first_s` that double up to `longest_s`, each cut by chance to half or more.

    `attempts` counts all of them, the first one too. Attempts that ended with their worker's orderly stop are not
    counted.
    """

    attempts: int = 8
    first_s: float = 1.0
    longest_s: float = 600.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_s < 0 or self.longest_s < self.first_s:
            raise ValueError("attempts are at least 1, and 0 <= first_s <= longest_s")

    def wait_s(self, failures: int, chance: float) -> float:
        """Seconds to wait after the `failures`-th failure; `chance` from 0 to 1 chooses within the upper half."""
        doublings = min(max(failures, 1) - 1, 60)
        whole = min(self.longest_s, self.first_s * 2.0**doublings)
        return whole * (0.5 + 0.5 * chance)

    def next(self, failures: int, error: BaseException, now: datetime) -> datetime | None:
        """When to try again after `failures` failures, the last with `error`; None when the job is dead."""
        if failures >= self.attempts or isinstance(error, LASTING):
            return None
        # Spread, so that what failed together does not come back together; nothing secret hangs on it.
        return now + timedelta(seconds=self.wait_s(failures, random.random()))  # noqa: S311
