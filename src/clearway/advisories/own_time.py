"""The time that a record or a catalogue bears itself, by which of two versions the newer one stands. Pure.

A time that is yet to come would keep its place before every true version until then; so what bears one is not taken
in. A time alone can't show who is right: a version that is older than the one that stands is kept and takes no place.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_AHEAD = timedelta(days=2)  # of a record: clocks and zones differ; more than that is no clock


def of_record(version: str, now: datetime) -> str:
    """Why a record can't be of now by its version ("" or ISO time, then perhaps "/" and a counter); "" where it can."""
    day = _day(version)
    if day is None or day <= (now.astimezone(UTC) + _AHEAD).date():
        return ""
    return f"its own time, {day}, lies in the future: today is {_today(now)} (UTC)"


def of_catalogue(version: str, now: datetime) -> str:
    """Why a catalogue can't be of now by its version (a day, then perhaps "T" and a time); "" where it can.

    One whose version is no day would be newer than all that are, or older, for ever. A table of scores without any
    date has the version "", and is older than every other.
    """
    if not version:
        return ""
    day, _, released = version.partition("T")
    days = [_day(day), *([_day(released)] if released else [])]
    if None in days:
        return f"its version {version[:60]!r} is no day, so that nothing tells whether it is newer"
    for found in days:
        if found is not None and found > _today(now):
            return f"version {found} lies in the future: today is {_today(now)} (UTC)"
    return ""


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _day(version: str) -> date | None:
    try:
        return date.fromisoformat(version[:10].replace(".", "-"))
    except ValueError:
        return None
