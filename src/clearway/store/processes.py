"""The server's processes: which are alive, and how they are ended.

A process belongs to a cluster when its working directory *is* the cluster's folder (same device and
inode), which every PostgreSQL process keeps for life. Where there is no /proc, the pid file is
believed as far as the process exists; the server's own shared-memory check guards the rest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc")
_PROGRAMS = ("postgres", "initdb")
_POLL_S = 0.01
_NOTICE_S = 0.5  # 0.05 to 0.1 s were measured on a busy machine

# Servers that this process started. They are reaped when they end, so that none stays as a zombie.
_children: list[subprocess.Popen[bytes]] = []


def adopt(child: subprocess.Popen[bytes]) -> None:
    """Remembers a server started by this process."""
    _children.append(child)


def reap() -> None:
    """Collects the servers of this process that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def of_cluster(data: Path) -> list[int]:
    """The living processes of the cluster `data`, the postmaster first. Zombies are dead."""
    reap()
    if not (_PROC / "self" / "stat").exists():
        pid = pid_in_file(data)
        return [pid] if pid and _exists(pid) else []
    try:
        cluster = data.stat()
    except OSError:
        return []
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cwd = (entry / "cwd").stat()
            if (cwd.st_dev, cwd.st_ino) != (cluster.st_dev, cluster.st_ino):
                continue
            # A shell that somebody left in the folder is not the server.
            if (entry / "comm").read_text().strip() not in _PROGRAMS:
                continue
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            parents[int(entry.name)] = int(parent)
    return sorted(parents, key=lambda pid: (parents[pid] in parents, pid))


def pid_in_file(data: Path) -> int:
    """The pid in the first line of `postmaster.pid`, 0 when there is none to be read."""
    try:
        first = (data / "postmaster.pid").read_bytes()[:200].split(b"\n")[0]
    except OSError:
        return 0
    return int(first) if first.isdigit() and len(first) < 10 else 0


def stop(data: Path, timeout_s: float) -> bool:
    """Stops the server of `data`; whether it is gone afterwards.

    A fast shutdown first (open transactions are rolled back, everything is written). What has not
    ended by `timeout_s` is shut down at once, and then killed: the next start replays the log.
    """
    for number, patience in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        alive = of_cluster(data)
        if not alive:
            return True
        # Only the postmaster is told, as long as there is one: it ends the others in order.
        for pid in alive if number == signal.SIGKILL else alive[:1]:
            _send(pid, number)
        if wait_until(lambda: not of_cluster(data), patience):
            return True
    return False


def has_postmaster(data: Path) -> bool:
    """Whether the first process of a server of `data` lives. The others carry a title, "postgres: …"."""
    for pid in of_cluster(data):
        try:
            if not (_PROC / str(pid) / "cmdline").read_bytes().startswith(b"postgres: "):
                return True
        except OSError:
            continue
    return False


def end_orphans(data: Path) -> bool:
    """Waits for what a killed postmaster left behind, and ends it if need be; whether all are gone.

    A new server must not start beside a backend of the old one. Backends notice within moments
    that the postmaster is gone, unless they are deep in a query: nobody can use what that would answer.
    """
    if wait_until(lambda: not of_cluster(data), _NOTICE_S):
        return True
    for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)):
        for pid in of_cluster(data):
            _send(pid, number)
        if wait_until(lambda: not of_cluster(data), patience):
            return True
    return False


def kill(data: Path) -> None:
    """Ends at once what still works on `data`, which nobody will use any more."""
    for pid in of_cluster(data):
        _send(pid, signal.SIGKILL)


def wait_until(true: Callable[[], bool], timeout_s: float) -> bool:
    """Whether `true()` became so within `timeout_s`."""
    ends = time.monotonic() + timeout_s
    pause = _POLL_S
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
