"""How much memory this machine, or the container that we are in, has."""

from __future__ import annotations

import os
from pathlib import Path

# The bound of a control group: version 2, version 1. A container sees its own here.
_BOUNDS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def total(root: Path = Path("/")) -> int | None:
    """Bytes of memory, the least of the machine's and the container's bound; None where neither can be known."""
    found = [_machine(), *(_number(root / bound) for bound in _BOUNDS)]
    return min((n for n in found if n), default=None)


def _machine() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _number(path: Path) -> int | None:
    """The number in a file; None for "max", and where there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() else None
