"""Days and times as tools and spreadsheets write them.

`02/03/2026` is the second of March or the third of February, and nothing in it tells which. A document shows its
order where one of its dates has a number above 12; where none has, the date is refused instead of guessed: it would
move a due date by months.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

from clearway.records.errors import InputError
from clearway.records.fleet_input import FIRST_DETECTED

from ._fields import one_line

Order = Literal["mdy", "dmy", ""]
_FIRST_YEAR, _LAST_YEAR = 1990, 2100  # beyond them a date in an export is a default or garbage
_MAX_CHARS = 80
_MONTHS = {"janfebmaraprmayjunjulaugsepoctnovdec"[i * 3 : i * 3 + 3]: i + 1 for i in range(12)}
_WEEKDAYS = frozenset(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
_NOTHING = frozenset(("", "-", "--", "n/a", "na", "null", "none", "nil", "never", "0000-00-00"))
_SLASHED = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?!\d)")
_DOTTED = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)")
_YEAR_FIRST = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([ap]\.?m\.?)?\s*(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?$"
)
_MEND = "write dates as YYYY-MM-DD"


def order_of(texts: Iterable[str]) -> Order:
    """The order of day and month that the numeric dates among `texts` prove; "" when none does, or two disagree."""
    found: set[Order] = set()
    for text in texts:
        match = _SLASHED.match(text.strip())
        if match:
            first, second = int(match[1]), int(match[2])
            if 12 < first <= 31 and second <= 12:
                found.add("dmy")
            elif 12 < second <= 31 and first <= 12:
                found.add("mdy")
    return found.pop() if len(found) == 1 else ""


def moment(text: str, name: str, order: Order = "") -> datetime | None:
    """The time in UTC that `text` says, midnight for a day alone; None for "" and the like ("N/A", "-", "never").

    Known: ISO 8601, year first with any separator, `asctime`, "13 May 2021", "May 13, 2021 07:08", "13.05.2021",
    seconds or milliseconds since 1970, and numeric dates in the `order` that the document proves (see `order_of`).
    A time without zone is taken as UTC.

    Raises:
        InputError: it is none of these, is ambiguous, or is not between 1990 and 2100.
    """
    text = text.strip()
    if text.lower() in _NOTHING:
        return None
    try:
        found = _parse(text[:_MAX_CHARS], order) if len(text) <= _MAX_CHARS and text.isascii() else None
    except (ValueError, OverflowError):
        found = None
    except _AmbiguousError:
        raise InputError(
            f"`{name}` is ambiguous: {one_line(text, 40)} may be day or month first", mend=_MEND
        ) from None
    if found is not None and not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        said = f"`{name}` is no date between {_FIRST_YEAR} and {_LAST_YEAR}: {one_line(text, 40)}"
        raise InputError(said, mend=_MEND)
    if found is None:
        raise InputError(f"`{name}` is no date: {one_line(text, 40)}", mend=_MEND)
    return found


def day(text: str, name: str, order: Order = "") -> date | None:
    """The UTC day of `moment`."""
    found = moment(text, name, order)
    return found.date() if found else None


def first_detected(at: datetime | None, name: str) -> date | None:
    """The UTC day of `at`, on which a flaw was first detected.

    Raises:
        InputError: it is before there were CVEs. A day to come is left to who knows which day it is.
    """
    found = at.astimezone(UTC).date() if at else None
    if found is not None and found < FIRST_DETECTED:
        raise InputError(
            f"`{name}` is {found}, before there were CVEs",
            mend=f"give the day of the detection, {FIRST_DETECTED} or later, or leave it empty",
        )
    return found


class _AmbiguousError(Exception):
    pass


def _parse(text: str, order: Order) -> datetime | None:
    if text.isascii() and text.isdigit():
        return _number(text)
    if match := _YEAR_FIRST.match(text):
        return _at(int(match[1]), int(match[2]), int(match[3]), text[match.end() :])
    if match := _DOTTED.match(text):
        return _at(int(match[3]), int(match[2]), int(match[1]), text[match.end() :])
    if match := _SLASHED.match(text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        if first > 12 or (order == "dmy" and second <= 12):
            first, second = second, first
        elif second <= 12 and first != second and not order:
            raise _AmbiguousError
        return _at(year, first, second, text[match.end() :])
    return _worded(text)


def _number(text: str) -> datetime | None:
    """YYYYMMDD, or seconds or milliseconds since 1970."""
    if len(text) == 8:
        return datetime(int(text[:4]), int(text[4:6]), int(text[6:]), tzinfo=UTC)
    if len(text) in (9, 10, 12, 13):
        return datetime.fromtimestamp(int(text) / (1000 if len(text) >= 12 else 1), UTC)
    return None


def _worded(text: str) -> datetime | None:
    """ "Thu May 13 07:08:28 2021", "13 May 2021", "May 13, 2021 at 7:08 AM UTC", "13-MAY-2021"."""
    clock = _CLOCK.search(text.lower())
    at = clock.start() if clock else len(text)
    # asctime has the year behind the clock.
    behind = re.search(r"(\d{1,2}:\d{2}:\d{2})\s+(?:utc|gmt\s+)?\s*(\d{4})(?:\s*utc)?$", text, re.IGNORECASE)
    if behind:
        text, at = f"{text[: behind.start()]} {behind[2]} {behind[1]}", behind.start() + 6
    words = [w for w in re.split(r"[\s,/-]+", text[:at].lower()) if w and w != "at"]
    words = [w for w in words if w.rstrip(".")[:3] not in _WEEKDAYS or w[:3] in _MONTHS]
    if len(words) != 3:
        return None
    month = next((_MONTHS[w[:3]] for w in words if w[:3] in _MONTHS and w.rstrip(".").isalpha()), 0)
    numbers = [w.rstrip(".") for w in words if w[0].isdigit()]
    year = next((int(n) for n in numbers if len(n) == 4 and n.isdigit()), 0)
    the_day = next((int(n) for n in numbers if len(n) <= 2 and n.isdigit()), 0)
    return _at(year, month, the_day, text[at:]) if month and year and the_day else None


def _at(year: int, month: int, the_day: int, rest: str) -> datetime | None:
    rest = rest.strip().lower().removeprefix("t").strip(" ,").removeprefix("at ").strip()
    if not rest:
        return datetime(year, month, the_day, tzinfo=UTC)
    clock = _CLOCK.fullmatch(rest)
    if not clock:
        return None
    hour, minute, second = (
        int(clock[1]),
        int(clock[2]),
        min(int(clock[3] or 0), 59),
    )  # a leap second is the one before
    if clock[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if clock[4][0] == "p" else 0)
    found = datetime(year, month, the_day, hour, minute, second, tzinfo=UTC)
    zone = clock[5] or ""
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        found = found.replace(tzinfo=timezone(shift if zone[0] == "+" else -shift)).astimezone(UTC)
    return found
