"""How a run ended, by what was seen from outside alone."""

from __future__ import annotations

import math
import os

from . import keep
from .cgroup import Counters
from .run import WRITABLE, Ended, Outcome, Run, beneath
from .spawn import Started
from .watch import Seen

_SIGNALS = 64
# SIGXCPU at the soft limit, SIGKILL a second later: believed when about that much was used. The kernel samples the
# time that it compares with a limit, and reports the exact one: on a machine with stolen time they differ by a tenth.
_SPENT = {24: 0.7, 9: 0.75}


def outcome_of(
    run: Run, box: Started, seen: Seen, folders: list[int], before: Counters, after: Counters | None
) -> Outcome:
    """What is told of a run, with what it left in the open `folders`."""
    ended, code, why = judged(run, box, seen, before, after)
    kept = keep.hand_back(folders[0], run.keep, run.limits.keep_bytes) if run.keep else keep.Kept({}, ())
    return Outcome(
        ended=ended,
        code=code,
        stdout=seen.stdout,
        stderr=seen.stderr,
        cut=seen.cut,
        wall_s=seen.wall_s,
        cpu_s=max(box.cpu_s, after.cpu_s - before.cpu_s if after else 0.0),
        max_rss_mib=max(box.max_rss_mib, after.memory_bytes / (1 << 20) if after else 0.0),
        kept=kept.files,
        unkept=kept.unkept,
        stray=keep.names(list(zip(WRITABLE[1:], folders[1:], strict=True))),
        looked=_looked(run, dict(zip(WRITABLE, folders, strict=True))),
        why=why,
    )


def _looked(run: Run, folders: dict[str, int]) -> dict[str, bool]:
    told = {}
    for name in run.look_for:
        place, inside = beneath(name)
        if (there := keep.is_there(folders[place], inside)) is not None:
            told[name] = there
    return told


def judged(
    run: Run, box: Started, seen: Seen, before: Counters, after: Counters | None
) -> tuple[Ended, int, str]:
    """How it ended, by what was seen from outside alone: (ended, code, why)."""
    if after is not None and after.oom > before.oom:
        return "memory", -1, f"the kernel killed one of it at {run.limits.memory_mib} MiB"
    if seen.met is not None:
        return seen.met, -1, seen.why
    if box.error:
        return "refused", -1, box.error
    status = box.status if box.inner is None else box.inner
    code = os.waitstatus_to_exitcode(status) if status is not None and status >= 0 else -9
    if box.inner is None:
        if code < 0:
            return "refused", -1, f"the box itself was killed by signal {-code}"
        if code == 1 and not seen.stdout and _not_executed(run, seen.stderr):
            return "refused", -1, seen.stderr.decode("utf-8", "replace").strip()
        if 128 < code <= 128 + _SIGNALS:
            code = -(code - 128)
    if code >= 0:
        return "exited", code, ""
    spent = max(box.cpu_s, after.cpu_s - before.cpu_s if after else 0.0)
    if spent >= run.limits.cpu_s * _SPENT.get(-code, math.inf):
        return "cpu", -1, f"used {run.limits.cpu_s:g} s of CPU in one process"
    if -code == 25:
        return "signal", 25, f"SIGXFSZ: a file over {run.limits.file_mib} MiB, or raised by itself"
    return "signal", -code, ""


def _not_executed(run: Run, stderr: bytes) -> bool:
    return stderr.startswith(b"bwrap: execvp " + run.argv[0].encode() + b": ") and stderr.count(b"\n") == 1
