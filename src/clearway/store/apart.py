"""Long work in a process of its own, so that whoever is answered meanwhile does not share an interpreter with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from clearway.records.errors import UpstreamError

_NICE = 10  # whoever is answered meanwhile comes first


def run_apart(work: Callable[..., object], *args: Any) -> None:
    """Runs `work(*args)` in a process of its own and returns when it is done. Both have to be picklable.

    It gives way to others for the processor, and ends when this one does, however that ends.

    Raises:
        UpstreamError: it failed; what went wrong is on the standard error.
    """
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(work, args), daemon=True)
    with deaf_to_ctrl_c():
        process.start()
    try:
        process.join()
        if process.exitcode:
            raise UpstreamError(
                f"a process for {work.__qualname__} ended with {process.exitcode}",
                mend="it is tried again; what it says stands in the log of the server",
            )
    finally:
        process.kill()
        process.join()
        process.close()


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started within never hear Ctrl-C, from their first instruction on.

    Ctrl-C reaches every process of a terminal. It is for the one that was asked to end its workers, which would
    otherwise each print a traceback, the more surely while they still import. A new process inherits what its
    starter's thread has blocked, through exec too; Ctrl-C that comes meanwhile is heard at the end at the latest.
    """
    resource_tracker.ensure_running()  # else it starts within, and unblocks what it had found blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent() -> None:
    """Has this process end when the one that asked for it does.

    A fork server is a worker's parent in the kernel's eyes, and it lives as long as its workers do; so what is watched
    is the process that asked, through the pipe that ends with it.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _main(work: Callable[..., object], args: tuple[Any, ...]) -> None:
    die_with_parent()
    os.nice(_NICE)
    work(*args)
