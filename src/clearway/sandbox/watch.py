"""Follows one running box: takes its output up to a bound, and ends it at the first limit it meets."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from .cgroup import Counters, Group
from .run import FILES, Ended, Limits
from .spawn import Started

_TICK_S = 0.05
_FIRST_TICKS_S = 0.005
_DRAIN_S = 5.0  # how long a dead box's pipes may stay open
_PIECE = 1 << 16


class Seen(Struct):
    """What was seen of a run from outside."""

    stdout: bytes = b""
    stderr: bytes = b""
    cut: bool = False
    wall_s: float = 0.0
    met: Ended | None = None  # the limit for which we ended it
    why: str = ""


def follow(
    box: Started,
    streams: tuple[int, int],
    limits: Limits,
    *,
    began: float,
    group: Group | None,
    before: Counters,
    folders: Sequence[int],
    tree_watched: bool,
) -> Seen:
    """Until the box is over.

    `began` is the start by `time.monotonic()`, `before` what the group had counted then, `folders` the writable
    places (open), `tree_watched` whether memory is to be summed by us because no cgroup does.

    Raises:
        UpstreamError: the keeper died.
    """
    seen = Seen()
    pieces: dict[int, list[bytes]] = {fd: [] for fd in streams}
    left = limits.output_bytes
    poll = select.poll()
    for fd in streams:
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    poll.register(box.fileno(), select.POLLIN)
    open_streams = set(streams)
    deadline = began + limits.wall_s
    tick, over_at = began + _FIRST_TICKS_S, 0.0

    def end(met: Ended, why: str) -> None:
        if seen.met is None:
            seen.met, seen.why = met, why
            box.kill()

    while not box.over or open_streams:
        now = time.monotonic()
        if box.over:
            over_at = over_at or now
            if now > over_at + _DRAIN_S:
                break
        elif seen.met is None:
            if now >= deadline:
                end("wall", f"ran for {limits.wall_s:g} s")
            elif now >= tick:
                _look(box, limits, group, before, folders, tree_watched, end)
                tick = now + _TICK_S
        wait = max(0.0, min(tick, deadline) - now) if seen.met is None and not box.over else _TICK_S
        for fd, _ in poll.poll(wait * 1000 + 0.9):
            if fd == box.fileno():
                box.hear()
                if box.over:
                    poll.unregister(fd)
                    seen.wall_s = time.monotonic() - began
                continue
            try:
                piece = os.read(fd, _PIECE)
            except BlockingIOError:
                continue
            if not piece:
                poll.unregister(fd)
                open_streams.discard(fd)
                continue
            if left > 0:
                pieces[fd].append(piece[:left])
            if len(piece) > left:
                seen.cut = True
                end("output", f"wrote more than {limits.output_bytes} bytes")
            left = max(0, left - len(piece))
    seen.stdout, seen.stderr = (b"".join(pieces[fd]) for fd in streams)
    return seen


def _look(
    box: Started,
    limits: Limits,
    group: Group | None,
    before: Counters,
    folders: Sequence[int],
    tree_watched: bool,
    end: Callable[[Ended, str], None],
) -> None:
    """What no single process's limit counts: CPU of all, files of all, and where no cgroup does it, memory of all."""
    if group is not None:
        if group.cpu_s() - before.cpu_s > limits.cpu_s:
            end("cpu", f"used {limits.cpu_s:g} s of CPU together")
        if group.oom() > before.oom:
            end("memory", f"the kernel killed one of it at {limits.memory_mib} MiB")
    made = 0
    for folder in folders:
        with contextlib.suppress(OSError):
            room = os.fstatvfs(folder)
            made += room.f_files - room.f_ffree
    if made > FILES:
        end("output", f"made more than {FILES} files")
    if tree_watched and box.init:
        pages = _tree_pages(box.init)
        if pages * resource.getpagesize() > limits.memory_mib << 20:
            end("memory", f"held more than {limits.memory_mib} MiB together")


def _tree_pages(init: int) -> int:
    """Private pages of all processes beneath `init`; what forked children share counts more than once."""
    total, stack, seen = 0, [init], 0
    while stack and seen < 5000:
        pid = stack.pop()
        seen += 1
        try:
            _, held, shared, *_ = Path(f"/proc/{pid}/statm").read_text("ascii").split()
            total += int(held) - int(shared)
            stack += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())
        except (OSError, ValueError):
            continue
    return total
