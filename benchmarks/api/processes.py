"""The command line as processes of their own, and the memory that a tree of them holds."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks._measure import program


def once(words: Sequence[str]) -> None:
    """`clearway WORDS` to its end, its output nowhere."""
    subprocess.run(
        [*program(), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        env=_environment(),
    )


@contextmanager
def serving(words: Sequence[str]) -> Iterator[int]:
    """`clearway WORDS` from its ready line on; its process id."""
    process = subprocess.Popen([*program(), *words], stdout=subprocess.PIPE, text=True, env=_environment())
    try:
        assert process.stdout is not None
        while "http://" not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError("the server did not start")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def resident_mib(pid: int) -> float:
    """MiB that `pid` and its descendants hold; pages that they share count once."""
    return sum(_held_kib(one) for one in _tree(pid)) / 1024


def cpu_s(pid: int) -> float:
    """Processor seconds of `pid` so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_cpu_s(pid: int) -> float:
    """Processor seconds of the descendants of `pid` that live, such as a database's backends."""
    total = 0.0
    for child in _tree(pid)[1:]:
        with suppress(OSError):
            total += cpu_s(child)
    return total


def _tree(pid: int) -> list[int]:
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                children.append(int(entry.name))
    return [pid, *(below for child in children for below in _tree(child))]


def _held_kib(pid: int) -> int:
    for name, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
            return int(next(line for line in lines if line.startswith(field)).split()[1])
        except (OSError, StopIteration):
            continue
    return 0


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("CLEARWAY_")}
