"""One processor for the threads that answer.

Python runs one of a process's threads at a time. Spread over several processors they wake each other across them at
every turn, four turns a request and more, and each such waking costs more than the work of the turn: on one processor
the same server answers a third more. nginx knows this as `worker_cpu_affinity`.

What belongs to one server is no other's: a processor is claimed by a name in the kernel's own list of sockets, which is
free again when its holder ends, however it ends. A server that finds all of them claimed goes without. Threads keep
the processors of the thread that started them, so the database, the worker beside it and what they start are free if
they were started before.
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clearway.records.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CLEARWAY_PROCESSOR"
CLAIM = "clearway/processor/"
# Of /proc/self/stat, counted behind the name: the processor last run on, which proc_pid_stat(5) calls field 39.
_FIELD = 36


@contextmanager
def kept() -> Iterator[int | None]:
    """Keeps this thread, and those that it starts within the block, on one processor; gives its number.

    None where nothing is kept: there is only one, all are claimed by other servers, the system knows no such thing, or
    CLEARWAY_PROCESSOR is `any`. Its other value, `one`, is what holds without it.

    Raises:
        ConfigError: CLEARWAY_PROCESSOR says something else.
    """
    if not wanted():
        yield None
        return
    free = os.sched_getaffinity(0)
    claimed = _claimed(free)
    if claimed is None:
        yield None
        return
    number, claim = claimed
    with claim:
        os.sched_setaffinity(0, {number})
        try:
            yield number
        finally:
            os.sched_setaffinity(0, free)


def wanted() -> bool:
    """Whether this process is to keep to one, of the several that it may run on.

    Raises:
        ConfigError: CLEARWAY_PROCESSOR is neither `one` nor `any`.
    """
    said = os.environ.get(VARIABLE, "").strip() or "one"
    if said not in ("one", "any"):
        raise ConfigError("this is neither one nor any", where=VARIABLE, mend="leave it out, or say any")
    return said == "one" and hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


def _claimed(numbers: set[int]) -> tuple[int, socket.socket] | None:
    """The first processor that no other server has, beginning with the one this thread runs on."""
    now = _current()
    for number in sorted(numbers, key=lambda one: (one != now, one)):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0{CLAIM}{number}")
        except OSError:
            claim.close()
        else:
            return number, claim
    return None


def _current() -> int | None:
    try:
        return int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[_FIELD])
    except (OSError, ValueError, IndexError):
        return None
