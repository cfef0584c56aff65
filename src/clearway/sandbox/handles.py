"""Descriptors that a box is given: sealed files, pipes, gates, and what of the host it may read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple

from clearway.records.errors import InputError

from .spawn import Started


class Launched(NamedTuple):
    """A box at its gate: `ready` hangs up when all is mounted, and shutting `gate` lets the program start."""

    box: Started
    ready: socket.socket
    gate: socket.socket


class Pipe:
    """A pipe out of a box: our end is closed with the run, the box's end as soon as the box has it."""

    def __init__(self, held: contextlib.ExitStack) -> None:
        self.ours, self.box = os.pipe2(os.O_CLOEXEC)
        held.callback(os.close, self.ours)
        held.callback(self.close_box)

    def close_box(self) -> None:
        if self.box >= 0:
            os.close(self.box)
            self.box = -1


class Pair(NamedTuple):
    """Two ends of a socket."""

    ours: socket.socket
    box: socket.socket


def pair(held: contextlib.ExitStack) -> Pair:
    """Both ends are closed with `held`."""
    ours, box = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    held.callback(ours.close)
    held.callback(box.close)
    return Pair(ours, box)


def sealed(data: bytes, held: contextlib.ExitStack) -> int:
    """A descriptor of `data` that can be read and never changed, closed with `held`."""
    fd = memory(data)
    held.callback(os.close, fd)
    return fd


def memory(data: bytes) -> int:
    """`data` as a file that can be read and never changed: the box gets the descriptor itself."""
    fd = os.memfd_create("box", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(
        fd,
        fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL,
    )
    return fd


def readable(place: Path, inside: str, user: int | None, held: contextlib.ExitStack) -> int:
    """An open descriptor of what is bound; it can't be exchanged for something else afterwards.

    Raises:
        InputError: it is not there, or the box's user can't read it.
    """
    where = f"binds {inside}"
    try:
        fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{place}: {error.strerror}", where=where) from error
    held.callback(os.close, fd)
    mode = os.fstat(fd).st_mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    if user is not None and mode & wanted != wanted:
        raise InputError(
            f"{place} is not readable by other users, and a box has a user of its own",
            where=where,
            mend="chmod -R o+rX",
        )
    return fd
