"""Starts the embedded server again when it was killed under a process that goes on using it.

The process that serves holds a lease for weeks. What kills the database under it (the out-of-memory killer, a
mistaken `kill`) must cost seconds. The kernel tells when the server's first process has ended; nothing is asked
meanwhile.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clearway.records.errors import ClearwayError

from . import cluster, place, processes
from .server import URL_VARIABLE, starting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .place import Place

_AGAIN_S = 1.0  # between tries, when it won't start


@contextmanager
def kept_running(home: Path) -> Iterator[None]:
    """Keeps the embedded server of `home`, on which the caller holds a lease, running for the length of the block.

    Nothing happens for a server of the user's own, nor where the kernel offers no handle on a process.
    """
    where = place.find(home)
    if os.environ.get(URL_VARIABLE, "").strip() or where is None or not hasattr(os, "pidfd_open"):
        yield
        return
    ended = threading.Event()
    wake_read, wake_write = os.pipe()
    thread = threading.Thread(target=_keep, args=(where, ended, wake_read), name="database", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        os.write(wake_write, b"x")
        thread.join(10.0)
        os.close(wake_read)
        os.close(wake_write)


def _keep(where: Place, ended: threading.Event, wake: int) -> None:
    while not ended.is_set():
        if not _wait_for_end(where, wake) or ended.is_set():
            continue
        try:
            with starting(where):
                if not ended.is_set():
                    cluster.ensure_running(where)
            print("clearway: the database was gone and has been started again", file=sys.stderr, flush=True)
        except ClearwayError as error:
            print(f"clearway: the database is gone and does not start: {error}", file=sys.stderr, flush=True)
            ended.wait(_AGAIN_S)


def _wait_for_end(where: Place, wake: int) -> bool:
    """Returns True once the server's first process has ended, False when it is time to look again."""
    pids = processes.of_cluster(where.data)
    if not pids:
        return True
    try:
        handle = os.pidfd_open(pids[0])
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(wake, select.POLLIN)
        ready = {fd for fd, _ in poll.poll()}
        return handle in ready and wake not in ready
    finally:
        os.close(handle)
