"""Whether the machine's clock can be believed: pure.

An embargo must not end because a clock was put forward, nor a token live on because it was put back. Wall time
is held against what can't be set: the time since the machine was started, the times already seen, and the clock of
another machine, where the database is on one.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

# Clocks are slewed and leap; more than this, in one step or in many since the clock was first believed, is a jump.
TOLERANCE = timedelta(seconds=60)
# Without a reading for so long, across a restart or on another machine, nothing tells a jump from time that passed. It
# is how much too early an embargo could end: above what a machine takes to start again, or another to take over.
BLIND = timedelta(minutes=3)


class Reading(Struct, frozen=True, kw_only=True):
    """One look at the clocks: wall time in UTC, the boot it was made in, and the seconds since that."""

    wall: datetime
    boot: str
    up_s: float


class Database(Struct, frozen=True, kw_only=True):
    """The database's clock at a reading, and since when that server runs by it."""

    wall: datetime
    since: datetime


def read(now: datetime | None = None) -> Reading:
    """The clocks now. Where the kernel names no boot, every process counts as one of its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        boot, up = f"process {time.get_clock_info('monotonic').implementation}", time.monotonic()
    return Reading(wall=now or datetime.now(UTC), boot=boot, up_s=up)


def doubt(
    before: Reading | None,
    now: Reading,
    latest: datetime | None = None,
    *,
    anchor: Reading | None = None,
    database: Database | None = None,
) -> str:
    """Why the wall clock of `now` can't be believed, in words; "" when nothing speaks against it.

    `before` is the last reading that was believed, None for the first ever, and `anchor` the first that was in the
    same boot: drift is counted from there, or steps that are each small would add up unseen. `latest` is the newest
    time that anything on the log carries. `database` is its server's clock. On this machine that is the same one and
    says nothing. On another it vouches for a stretch without readings, if it ran all the while: one that is on this
    machine has started anew with it.
    """
    if latest is not None and now.wall < latest - TOLERANCE:
        return f"the clock says {_said(now.wall)}, and the log has an entry of {_said(latest)}"
    if disagrees(now, database):
        assert database is not None
        return f"the clock says {_said(now.wall)}, and the database's {_said(database.wall)}"
    if before is None:
        return ""
    passed = now.wall - before.wall
    if passed < -TOLERANCE:
        return f"the clock was put back: it says {_said(now.wall)}, and said {_said(before.wall)} before"
    if before.boot != now.boot:
        if passed > BLIND and (database is None or database.since > before.wall):
            return (
                "the machine was started anew, or another one took over, and nothing was read from "
                f"{_said(before.wall)} on"
            )
        return ""
    first = before if anchor is None or anchor.boot != now.boot else anchor
    drift = now.wall - first.wall - timedelta(seconds=now.up_s - first.up_s)
    if abs(drift) > TOLERANCE:
        way = "forward" if drift > timedelta(0) else "back"
        return f"the clock moved {way} by {abs(drift).total_seconds():.0f} s against the time since the machine's start"
    return ""


def disagrees(now: Reading, database: Database | None) -> bool:
    """Whether this machine's clock and the database's are further apart than clocks that are right."""
    return database is not None and abs(now.wall - database.wall) > TOLERANCE


def _said(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
