"""OSV ranges as half-open intervals (OSV schema, "Evaluation").

Events are sorted stably by version, and the last one that a version has reached decides. So
`introduced X, fixed X` holds nothing, `fixed X, introduced X` joins two ranges, and pairs that
overlap switch off at the first `fixed` that is met.
"""

from __future__ import annotations

from functools import cmp_to_key, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from . import compare, has_keys, key, range_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearway.records.advisory import Event

# An advisory feed names the same few versions for hundreds of packages.
_end_key = lru_cache(maxsize=8192)(range_key)

FOREVER = b"\xff"  # above every key
EVER = b""  # below every key


class Interval(Struct, frozen=True):
    """`lo <= key < hi`, and the texts that say so to a person.

    `introduced` is "0" for before every version. `end` is the version at which it ends, as
    `end_kind` says: `fixed` and `limit` lie outside, `last_affected` lies inside and names no fix;
    both are "" when there is no end, which says "no fix known".
    For a scheme without keys `lo` and `hi` are both empty: ask `contains`.
    """

    lo: bytes
    hi: bytes
    introduced: str
    end: str = ""
    end_kind: Literal["fixed", "last_affected", "limit", ""] = ""


def intervals(scheme: str, events: Sequence[Event]) -> tuple[Interval, ...]:
    """The intervals that `events` mean, in version order, not overlapping; () for no affected version.

    Raises:
        VersionUnreadableError: an event's version has no order, so the whole range is undetermined.
    """
    if not has_keys(scheme):
        return _compiled(scheme, events, keyed=False)
    if len(events) == 2 and events[0].kind == "introduced" and events[1].kind == "fixed":
        # Nine ranges in ten.
        introduced, fixed = events[0].version, events[1].version
        lo = EVER if introduced == "0" else _end_key(scheme, introduced)
        hi = _end_key(scheme, fixed)
        if lo < hi:
            return (Interval(lo, hi, introduced, fixed, "fixed"),)
        if lo == hi:
            return ()
    return _compiled(scheme, events, keyed=True)


def contains(scheme: str, version: str, ranges: Sequence[Interval]) -> Interval | None:
    """The first interval that holds `version`, None when none does; serves schemes without keys too.

    Raises:
        VersionUnreadableError: `version` has no order.
    """
    if has_keys(scheme):
        point = key(scheme, version)
        for interval in ranges:
            if interval.lo <= point < interval.hi:
                return interval
        return None
    for interval in ranges:
        if interval.introduced != "0" and compare(scheme, version, interval.introduced) < 0:
            continue
        if interval.end_kind:
            beyond = compare(scheme, version, interval.end)
            if beyond > 0 or (beyond == 0 and interval.end_kind != "last_affected"):
                continue
        return interval
    return None


class _Point(NamedTuple):
    """The events at one version."""

    at: bytes  # its key; b"" for minus infinity, and for every version of a scheme without keys
    events: list[Event]


def _compiled(scheme: str, events: Sequence[Event], *, keyed: bool) -> tuple[Interval, ...]:
    points: list[Event] = []
    limits: list[Event] = []
    for event in events:
        (limits if event.kind == "limit" else points).append(event)
    out: list[Interval] = []
    lo = b""
    introduced: str | None = None  # None while the state is "not affected"
    for group in _by_key(scheme, points) if keyed else _by_text(scheme, points):
        # Exactly at this version a `last_affected` has not been passed yet; just above it has.
        exact = [event for event in group.events if event.kind != "last_affected"]
        last = group.events[-1]
        if exact and exact[-1].kind == "introduced":
            if introduced is None:
                lo, introduced = group.at, exact[-1].version
        elif exact and introduced is not None:
            out.append(Interval(lo, group.at, introduced, exact[-1].version, "fixed"))
            introduced = None
        if last.kind == "last_affected" and introduced is not None:
            above = group.at + b"\0" if keyed else b""
            out.append(Interval(lo, above, introduced, last.version, "last_affected"))
            introduced = None
    if introduced is not None:
        out.append(Interval(lo, FOREVER if keyed else b"", introduced))
    if not limits or any("*" in limit.version for limit in limits):
        return tuple(out)
    return _limited_by_key(out, scheme, limits) if keyed else _limited_by_text(out, scheme, limits)


def _is_minus_infinity(event: Event) -> bool:
    return event.version == "0" and event.kind == "introduced"


def _by_key(scheme: str, events: list[Event]) -> list[_Point]:
    groups: dict[bytes, list[Event]] = {}
    for event in events:
        at = EVER if _is_minus_infinity(event) else _end_key(scheme, event.version)
        groups.setdefault(at, []).append(event)
    return [_Point(at, groups[at]) for at in sorted(groups)]


def _by_text(scheme: str, events: list[Event]) -> list[_Point]:
    def order(a: Event, b: Event) -> int:
        first, second = _is_minus_infinity(a), _is_minus_infinity(b)
        if first or second:
            return second - first
        return compare(scheme, a.version, b.version)

    out: list[_Point] = []
    for event in sorted(events, key=cmp_to_key(order)):
        if out and order(out[-1].events[0], event) == 0:
            out[-1].events.append(event)
        else:
            out.append(_Point(b"", [event]))
    return out


def _limited_by_key(found: list[Interval], scheme: str, limits: list[Event]) -> tuple[Interval, ...]:
    """`found` below the highest limit: a version counts when it is below any of them."""
    highest, text = max((_end_key(scheme, limit.version), limit.version) for limit in limits)
    out = []
    for interval in found:
        if interval.hi <= highest:
            out.append(interval)
        elif interval.lo < highest:
            out.append(Interval(interval.lo, highest, interval.introduced, text, "limit"))
    return tuple(out)


def _limited_by_text(found: list[Interval], scheme: str, limits: list[Event]) -> tuple[Interval, ...]:
    def order(a: str, b: str) -> int:
        return compare(scheme, a, b)

    highest = max((limit.version for limit in limits), key=cmp_to_key(order))
    out = []
    for interval in found:
        if interval.introduced != "0" and compare(scheme, interval.introduced, highest) >= 0:
            continue
        side = compare(scheme, interval.end, highest) if interval.end_kind else 1
        if side < 0 or (side == 0 and interval.end_kind == "fixed"):
            out.append(interval)
        else:
            out.append(Interval(b"", b"", interval.introduced, highest, "limit"))
    return tuple(out)
