"""Timing whole processes, and where data and peers lie."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CLEARWAY = [sys.executable, "-c", "import sys; from clearway.app.cli import main; sys.exit(main())"]


class Run(NamedTuple):
    """One process: wall seconds, processor seconds (user and system), peak MiB, exit code."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    code: int


def program() -> list[str]:
    """The installed command, else the module."""
    script = Path(sys.executable).parent / "clearway"
    return [str(script)] if script.is_file() else CLEARWAY


def process(command: Sequence[str | Path], *, out: Path | None = None) -> Run:
    """Runs `command` to its end, its standard output to `out` or nowhere."""
    with (out or Path(os.devnull)).open("wb") as sink:
        begun = time.perf_counter()
        child = subprocess.Popen([str(c) for c in command], stdout=sink, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode)


def paired(ours: Sequence[str | Path], theirs: Sequence[str | Path], times: int) -> tuple[Run, Run]:
    """The medians of `times` runs of each, taken in turn so that both meet the same machine; one warm-up."""
    process(ours)
    process(theirs)
    runs = [(process(ours), process(theirs)) for _ in range(times)]
    return _median([r[0] for r in runs]), _median([r[1] for r in runs])


def several(command: Sequence[str | Path], times: int) -> Run:
    """The median of `times` runs after one warm-up."""
    process(command)
    return _median([process(command) for _ in range(times)])


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        statistics.median(r.wall_s for r in runs),
        statistics.median(r.cpu_s for r in runs),
        max(r.peak_mib for r in runs),
        runs[0].code,
    )


def shared_data() -> Path | None:
    """The folder of shared real data, or None: `CLEARWAY_SHARED_DATA`, else beside a parent of the project."""
    named = os.environ.get("CLEARWAY_SHARED_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    found = (parent / "shared" / "data" for parent in ROOT.parents)
    return next((folder for folder in found if folder.is_dir()), None)


def trivy() -> tuple[Path, Path] | None:
    """The Trivy binary and the script that builds its database from OSV records, or None."""
    data = shared_data()
    script = None if data is None else data.parent / "tools" / "trivy_peer.py"
    named = os.environ.get("CLEARWAY_BENCH_TRIVY")
    beside = ROOT / ".venv-peers" / "bin" / "trivy"
    binary = Path(named) if named else beside if beside.is_file() else Path(shutil.which("trivy") or "")
    if script is None or not script.is_file() or not binary.is_file():
        return None
    return binary, script


def goal(text: str, limit: float, value: float | None, unit: str, *, least: bool = False) -> dict[str, Any]:
    """One goal; `least` when more is better. `value` None: skipped, its data or peer is absent."""
    ok = None if value is None else (value >= limit if least else value <= limit)
    return {
        "goal": text,
        "limit": limit,
        "value": None if value is None else round(value, 4),
        "unit": unit,
        "ok": ok,
    }
