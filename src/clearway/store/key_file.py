"""Files of the home that hold a key: made once, whole, synced, and for their owner's eyes alone."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_first(path: Path, data: bytes) -> None:
    """Writes the file (mode 0600) whole and synced; leaves alone the one that another process was first to write.

    Raises:
        OSError: it can't be written (`store.failures.at` says it in words).
    """
    fd, name = tempfile.mkstemp(prefix=".new.", dir=path.parent)  # mode 0600
    unfinished = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in it is on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
