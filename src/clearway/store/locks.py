"""Advisory file locks that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearway.records.errors import ConflictError

from .failures import at

_POLL_S = 0.02


def open_lock(path: Path, owner: int) -> int:
    """A file descriptor on the lock file `path`, made when it is missing.

    The descriptor does not outlive an exec: a server started while it is open never holds the lock.
    As root the file is handed to `owner`, so that the owner of the home can still lock it.
    """
    with at(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0 and os.fstat(fd).st_uid != owner:
            os.fchown(fd, owner, -1)
        return fd


@contextmanager
def exclusive(path: Path, owner: int, timeout_s: float) -> Iterator[None]:
    """Holds `path` alone for the length of the block.

    Raises:
        ConflictError: somebody else has held it for all of `timeout_s`.
    """
    fd = open_lock(path, owner)
    try:
        ends = time.monotonic() + timeout_s
        while not try_exclusive(fd, path):
            if time.monotonic() > ends:
                raise ConflictError(
                    f"another process has been starting or stopping the database for {timeout_s:.0f} s",
                    where=str(path),
                    mend="wait for it, or end it, then try again",
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(fd)


def share(fd: int, path: Path) -> None:
    """Takes a shared lock. Only to be called where nobody can hold an exclusive one for long."""
    with at(path):
        fcntl.flock(fd, fcntl.LOCK_SH)


def try_exclusive(fd: int, path: Path) -> bool:
    """Whether nobody else holds a lock; if so, this descriptor now holds it alone.

    A shared lock held by `fd` itself is given up first, also when the answer is False.
    """
    with at(path):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
