"""A feed, how it stands, and what a pull of it came to. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from clearway.records.errors import UsageError

Layout = Literal["osv", "kev", "cve", "epss", "csaf", "file"]
LAYOUTS: tuple[Layout, ...] = ("osv", "kev", "cve", "epss", "csaf", "file")
Result = Literal["taken", "unchanged", "refused", "failed", "running"]
_DAY = 86_400


class Habits(Struct, frozen=True):
    """How often a layout's publishers speak: seconds between pulls, until not reached is stale, until old is stale."""

    every_s: int
    stale_after_s: int
    oldest_s: int  # of the publisher's own newest date; 0: its silence says nothing


HABITS: dict[Layout, Habits] = {
    "osv": Habits(3600, 2 * _DAY, 21 * _DAY),
    "kev": Habits(6 * 3600, 2 * _DAY, 45 * _DAY),
    "cve": Habits(3600, _DAY, 3 * _DAY),
    "epss": Habits(12 * 3600, 2 * _DAY, 4 * _DAY),
    "csaf": Habits(6 * 3600, 7 * _DAY, 0),
    "file": Habits(_DAY, 7 * _DAY, 0),
}


class Feed(Struct, frozen=True, kw_only=True):
    """One feed as the operator added it, and what is remembered between pulls."""

    name: str
    layout: Layout
    url: str  # http(s) address, or the absolute path of a folder or file in the same layout
    options: dict[str, str] = {}
    mirrors: tuple[tuple[str, str], ...] = ()  # what begins with the first is fetched from the second
    every_s: int = 0
    stale_after_s: int = 0
    oldest_s: int = 0
    state: dict[str, Any] = {}
    dated: str = ""
    entries: int = 0

    @property
    def is_local(self) -> bool:
        return self.url.startswith("/")

    def option(self, name: str, default: str = "") -> str:
        return self.options.get(name, default)


class Item(Struct, frozen=True):
    """What is remembered of one document."""

    stamp: str
    problem: str = ""


class FeedStatus(Struct, frozen=True, kw_only=True):
    """How one feed stands. `stale` is why it can't be relied on as current, "" when it can."""

    name: str
    layout: str
    added: datetime
    every_s: int
    stale_after_s: int
    oldest_s: int = 0
    tried: datetime | None = None
    good: datetime | None = None  # last reached with a sound answer
    changed: datetime | None = None  # last time that it had something new
    dated: str = ""  # the publisher's own newest date
    entries: int = 0
    error: str = ""  # of the last pull; what was taken in before it stands
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    not_before: datetime | None = None  # the publisher asked to be left alone until then
    set_aside: int = 0  # single documents that could not be had or used
    stale: str = ""


def staleness(status: FeedStatus, now: datetime) -> str:
    """Why `status` is stale at `now`, in words; "" when it is not.

    A feed is stale that was not reached for too long, and one that answers but whose own newest date is too old:
    a mirror that stands still looks well from outside.
    """
    since = status.good or status.added
    if now - since > timedelta(seconds=status.stale_after_s):
        reached = f"last reached {since:%Y-%m-%d %H:%M} UTC" if status.good else "never reached"
        return f"{reached}; its limit is {span(status.stale_after_s)}"
    dated = _date(status.dated)
    if status.oldest_s and dated is not None and now - dated > timedelta(seconds=status.oldest_s):
        return f"its publisher's newest date is {status.dated[:10]}; its limit is {span(status.oldest_s)}"
    return ""


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_UNITS = (("d", _DAY), ("h", 3600), ("m", 60), ("s", 1))


def span(seconds: int) -> str:
    """Seconds as the largest whole unit: "2d", "6h", "90m"."""
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0 or unit == "s")


def seconds(text: str, option: str) -> int:
    """ "2d", "6h", "30m" or "45s" in seconds; raises UsageError."""
    sizes = dict(_UNITS)
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in sizes or not 0 < int(number) * sizes[unit] <= 3660 * _DAY:
        raise UsageError(f"{option}: {text!r} is no span of time", mend="write 45s, 30m, 6h or 2d")
    return int(number) * sizes[unit]


class Run(Struct, frozen=True, kw_only=True):
    """One pull as it is remembered."""

    feed: str
    started: datetime
    ended: datetime | None
    result: str
    error: str
    size_bytes: int
    requests: int
    counts: dict[str, int]


class Pulled(Struct, frozen=True, kw_only=True):
    """What one pull came to."""

    feed: str
    result: Result
    error: str = ""
    code: str = ""  # of the error
    alarm: bool = False  # the first failure since it was last well: tell somebody
    recovered: bool = False
    size_bytes: int = 0
    requests: int = 0
    counts: dict[str, int] = {}  # read, new, changed, unchanged, skipped, set_aside
    notes: tuple[str, ...] = ()
