"""The real program, run on a home and a database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from clearway.store.server import URL_VARIABLE
from intake_world import PROGRAM, SRC


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of a command that uses the database at `url`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CLEARWAY_")}
    return {**kept, "PYTHONPATH": str(SRC), **({URL_VARIABLE: url} if url else {}), **more}


def clearway(home: Path, url: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [*PROGRAM, "--home", str(home), *words],
        env=environment(url, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def started(home: Path, url: str, *words: str, **more: str) -> subprocess.Popen[str]:
    """One command, at work."""
    return subprocess.Popen(
        [*PROGRAM, "--home", str(home), *words],
        env=environment(url, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
