"""A time as people type it for a lease: with an hour or as a day, in UTC where no zone is named. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_DAY = len("2026-12-01")


def moment(text: str, *, to_end: bool = False) -> datetime | None:
    """The time in UTC; None for nothing.

    A day alone is its first moment, or with `to_end` the first one after it, so that a lease until today ends with
    today. Raises ValueError.
    """
    typed = text.strip()
    if not typed:
        return None
    try:
        found = datetime.fromisoformat(typed)
        if to_end and len(typed) == _DAY:
            found += timedelta(days=1)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise ValueError("beyond the calendar") from None
