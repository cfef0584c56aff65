"""A new file that its owner alone reads: written beside its place, and put there whole under a name that is free.

    with PrivateFile(path, what="backup") as new:
        new.file.write(…)
        new.publish()

Without `publish` nothing is left of it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from clearway.records.errors import ConflictError, UpstreamError, UsageError

from .failures import at

if TYPE_CHECKING:
    from collections.abc import Iterator


class PrivateFile:
    """The file while it is written, with mode 0600. `what` names another of them that is being written there."""

    def __init__(self, path: Path, *, what: str) -> None:
        self.path = path
        self.unfinished = path.with_name(f".{path.name}.unfinished")
        self.file: IO[bytes]
        self._what = what
        self._done = False

    def __enter__(self) -> PrivateFile:
        """Begins it.

        Raises:
            UsageError: there is a file of that name, or no such folder.
            ConflictError: another one is being written there.
            UpstreamError, ConfigError: it can't be written.
        """
        with writing(self.path):
            if self.path.exists() or self.path.is_symlink():
                raise _taken(self.path)
            if not self.path.parent.is_dir():
                raise UsageError("there is no such folder", where=str(self.path.parent), mend="make it first")
            # Not truncated before the lock is held: somebody else may be writing it.
            fd = os.open(self.unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self.file = os.fdopen(fd, "r+b")
            if not self._held(fd):
                self.file.close()
                raise ConflictError(
                    f"another {self._what} is being written there",
                    where=str(self.path),
                    mend="name another file",
                )
            os.fchmod(fd, 0o600)
            self.file.truncate(0)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            with suppress(OSError):
                self.unfinished.unlink()
        with suppress(OSError):
            self.file.close()

    def _held(self, fd: int) -> bool:
        """Whether it is ours to write, and not one that somebody else has just put in its place."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(fd), os.lstat(self.unfinished))
        except (BlockingIOError, FileNotFoundError):
            return False

    def sync(self) -> None:
        """Puts what is written on the disk."""
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def publish(self) -> None:
        """Gives the file its name.

        Raises:
            UsageError: a file of that name has come there meanwhile; it is left alone.
        """
        with writing(self.path):
            # A link, not a rename: a file that has come there meanwhile is left alone.
            try:
                os.link(self.unfinished, self.path)
                self.unfinished.unlink()
            except FileExistsError:
                raise _taken(self.path) from None
            except PermissionError:  # a file system without links
                self.unfinished.rename(self.path)
            self._done = True
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tells what a disk does wrong, and names the file that was asked for and not the one that is written beside it."""
    try:
        with at(path):
            yield
    except UpstreamError as error:
        full = "no space" in error.what
        mend = "free some space there, or name a file on another disk" if full else error.mend
        raise UpstreamError(error.what, where=str(path), mend=mend) from error


def _taken(path: Path) -> UsageError:
    return UsageError("there is a file of that name", where=str(path), mend="name another")
