"""Time zones by their names in the IANA database, and what an hour on a wall there is in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from .errors import InputError

# Files beside the zones: `localtime` is another zone on each machine, `Factory` says that none was set.
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})


@cache
def names() -> frozenset[str]:
    """The zones that may be named: those of the IANA database, without what only this machine has by that name."""
    return frozenset(available_timezones()) - _NO_ZONES


def one(name: str, where: str) -> ZoneInfo:
    """The zone of that name. `where`: the field that is told of in the error.

    Raises:
        InputError: there is none.
    """
    if name not in names():
        raise InputError("there is no such zone", where=where, mend="such as UTC or Europe/Berlin")
    return ZoneInfo(name)


def moment(local: datetime, zone: ZoneInfo, where: str) -> datetime:
    """`local`, which bears no offset, in UTC as the clocks of `zone` show it.

    Raises:
        InputError: clocks there go forward over that hour, or back: it is not there, or twice (PEP 495).
        OverflowError: it is beyond the calendar.
    """
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    assert before is not None
    assert after is not None
    if before == after:
        return first.astimezone(UTC)
    if before < after:
        later = (local + (after - before)).isoformat(timespec="minutes")
        raise InputError(
            f"that hour is not there in {zone.key}: clocks go forward by {_span(after - before)} over it",
            where=where,
            mend=f"say {later}, or write the offset",
        )
    both = [local.replace(tzinfo=zone, fold=fold).isoformat(timespec="minutes") for fold in (0, 1)]
    raise InputError(
        f"that hour is there twice in {zone.key}: clocks go back by {_span(before - after)} over it",
        where=where,
        mend=f"write which: {both[0]} or {both[1]}",
    )


def _span(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g} h"
