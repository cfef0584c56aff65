"""A day of detection that was stated wrongly, set right: an act of an operator, on the log with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.records.errors import InputError
from clearway.records.fleet_input import begins

from . import due, listing
from .acts import record
from .version import storable

if TYPE_CHECKING:
    from datetime import date
    from typing import Any

    import psycopg

MOST_WORDS = 4_000


def wrong(flaw: str, detected: date | None, reason: str, *, day: date) -> list[InputError]:
    """What stands in the way of that correction, the reason first; `detected` None is not looked at."""
    found = []
    if not 0 < len(storable(reason).strip()) <= MOST_WORDS:
        found.append(
            InputError(f"a correction has a reason of 1 to {MOST_WORDS:,} characters", where="reason")
        )
    first = begins(flaw)
    if detected is not None and not first <= detected <= day:
        found.append(
            InputError(
                f"{flaw} can't have been detected on {detected}",
                where="detected",
                mend=f"give a day from {first} to {day}",
            )
        )
    return found


def redate(
    db: psycopg.Connection[Any], exposure: int, detected: date, reason: str, *, day: date
) -> tuple[date, listing.ExposureLine]:
    """Has `exposure` count from `detected`; returns the day that it counted from, and how it is now.

    A later day too, for a mistake. No document that comes later changes it while the flaw stands in that package. What
    was shown until now is in its history. `day` is today.

    Raises:
        NotFoundError: no such exposure, or it may not be seen.
        ForbiddenError: the caller may not operate for its organisation.
        ConflictError: it is over.
        InputError: the day is to come, or before the year of the flaw's id; no reason, or one too long.
    """
    line = listing.one(db, exposure)
    for error in wrong(line.flaw, detected, reason, day=day):
        raise error
    reason = storable(reason).strip()
    row = db.execute("select clearway.fleet_redate(%s, %s)", (exposure, detected)).fetchone()
    assert row is not None
    due.date_again(db, day, assets=[line.asset])
    content = {"asset": line.asset, "flaw": line.flaw, "was": row[0].isoformat(),
               "detected": detected.isoformat(), "reason": reason}  # fmt: skip
    record(db, "exposure.redated", f"exposure/{exposure}", content, org=line.org, aud=line.aud)
    return row[0], listing.one(db, exposure)
