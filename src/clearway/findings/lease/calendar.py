"""Leases on a calendar: which days each window touches. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

from .hold import Lease

WEEKS = 5
MOST_SHOWN = 4  # of one day; the rest is counted


class Day(Struct, frozen=True, kw_only=True):
    """One UTC day: the leases whose windows touch it, and how many more there are."""

    day: date
    today: bool
    leases: tuple[Lease, ...]
    more: int


def begins(now: datetime) -> datetime:
    """Midnight of the Monday of the week of `now`, in UTC."""
    day = now.astimezone(UTC).date()
    return datetime.combine(day - timedelta(days=day.weekday()), time(), UTC)


def weeks(leases: Iterable[Lease], now: datetime) -> tuple[tuple[Day, ...], ...]:
    """`WEEKS` weeks from Monday to Sunday, from that of `now` on."""
    kept = tuple(leases)
    first = begins(now)
    today = now.astimezone(UTC).date()
    found = [_day(kept, first + timedelta(days=n), today) for n in range(7 * WEEKS)]
    return tuple(tuple(found[7 * n : 7 * n + 7]) for n in range(WEEKS))


def _day(leases: tuple[Lease, ...], start: datetime, today: date) -> Day:
    end = start + timedelta(days=1)
    on = [lease for lease in leases if lease.starts < end and _over(lease) > start]
    return Day(
        day=start.date(),
        today=start.date() == today,
        leases=tuple(on[:MOST_SHOWN]),
        more=max(0, len(on) - MOST_SHOWN),
    )


def _over(lease: Lease) -> datetime:
    """When it is over: its window's end while it is held, and what it came to otherwise."""
    if lease.released is not None:
        return min(lease.released, lease.ends)
    return lease.ends if lease.state == "over" else lease.until
