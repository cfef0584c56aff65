"""Children that end with the process they work for, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


def die_with(parent: int) -> None:
    """Called in a forked child: the kernel kills it when `parent` is gone, even by kill -9.

    It would otherwise keep what it inherited: the database connection with its locks, and the lease on
    the server. Linux only; elsewhere a killed parent's child ends when its pipe does.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)
