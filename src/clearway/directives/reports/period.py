"""Which days a report speaks of."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, get_args

from msgspec import Struct

from clearway.records.errors import UsageError

Kind = Literal["seven_day", "two_week", "overdue", "addresses", "lifecycle"]

# As it may be written: answers and what is kept have the underscore, the command line and the documents the hyphen.
Said = Literal["seven_day", "seven-day", "two_week", "two-week", "overdue", "addresses", "lifecycle"]


class Period(Struct, frozen=True):
    """From the first day to the last, both included."""

    first: date
    last: date


def read_kind(name: str) -> Kind:
    """`name` as a kind of report; "seven-day" and "seven_day" are the same. Raises UsageError for another word."""
    word = name.replace("-", "_")
    for known in get_args(Kind):
        if word == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"no report {name!r}", mend=f"one of: {', '.join(get_args(Kind))}")


def quarter_of(day: date) -> tuple[str, Period]:
    """The calendar quarter of `day` and its name, such as "2026-Q4".

    The quarters of the US fiscal year have the same first and last days under other names.
    """
    n = (day.month - 1) // 3
    first = date(day.year, 3 * n + 1, 1)
    last = date(day.year, 12, 31) if n == 3 else date(day.year, 3 * n + 4, 1) - timedelta(days=1)
    return f"{day.year}-Q{n + 1}", Period(first, last)


def later(day: date, days: int) -> date:
    """So many days later, or earlier where negative; the calendar's first or last day beyond its ends."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def period_of(kind: Kind, as_of: date) -> Period:
    """The days up to `as_of` that a report of that kind covers: 7, 14, the quarter so far, or the day alone.

    Raises UsageError for a day before the calendar's second week.
    """
    if kind == "addresses":
        return Period(quarter_of(as_of)[1].first, as_of)
    days = {"seven_day": 7, "two_week": 14}.get(kind, 1)
    try:
        return Period(as_of - timedelta(days=days - 1), as_of)
    except OverflowError as error:
        raise UsageError(f"{as_of} has no {days} days before it", mend="give a later date") from error
