"""Where the shared real data lies, for tests that read it there and skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_dir() -> Path | None:
    """The folder of shared data, or None: `CLEARWAY_SHARED_DATA`, else `shared/data` beside a parent of the project."""
    named = os.environ.get("CLEARWAY_SHARED_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    for parent in ROOT.parents:
        if (parent / "shared" / "data").is_dir():
            return parent / "shared" / "data"
    return None


def shared(relative: str) -> Path:
    """The path of one shared file or folder; skips the calling test where it is absent."""
    base = shared_dir()
    if base is None or not (base / relative).exists():
        pytest.skip(f"shared data is absent: {relative}")
    return base / relative
