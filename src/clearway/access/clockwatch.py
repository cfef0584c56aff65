"""Whether the machine's clock can be believed: pure.

An embargo must not end because a clock was put forward, nor a token live on because it was put back. Wall time
is held against what can't be set: the time since the machine was started, and the times already seen.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

# Clocks are slewed and leap; more than this in one stretch is a jump.
TOLERANCE = timedelta(seconds=60)
# Without a reading for so long, across a restart of the machine, nothing tells a jump from time that passed.
BLIND = timedelta(hours=1)


class Reading(Struct, frozen=True, kw_only=True):
    """One look at the clocks: wall time in UTC, the boot it was made in, and the seconds since that."""

    wall: datetime
    boot: str
    up_s: float


def read(now: datetime | None = None) -> Reading:
    """The clocks now. Where the kernel names no boot, every process counts as one of its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        boot, up = f"process {time.get_clock_info('monotonic').implementation}", time.monotonic()
    return Reading(wall=now or datetime.now(UTC), boot=boot, up_s=up)


def doubt(before: Reading | None, now: Reading, latest: datetime | None = None) -> str:
    """Why the wall clock of `now` can't be believed, in words; "" when nothing speaks against it.

    `before` is the last reading that was believed, None for the first ever. `latest` is the newest time
    that anything on the log carries.
    """
    if latest is not None and now.wall < latest - TOLERANCE:
        return f"the clock says {_said(now.wall)}, and the log has an entry of {_said(latest)}"
    if before is None:
        return ""
    passed = now.wall - before.wall
    if passed < -TOLERANCE:
        return f"the clock was put back: it says {_said(now.wall)}, and said {_said(before.wall)} before"
    if before.boot != now.boot:
        if passed > BLIND:
            return f"the machine was started anew, and nothing was read from {_said(before.wall)} on"
        return ""
    drift = passed - timedelta(seconds=now.up_s - before.up_s)
    if abs(drift) > TOLERANCE:
        way = "forward" if drift > timedelta(0) else "back"
        return f"the clock moved {way} by {abs(drift).total_seconds():.0f} s against the time since the machine's start"
    return ""


def _said(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
