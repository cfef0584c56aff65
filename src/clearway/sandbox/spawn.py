"""Our end of the keeper: starts it once a process, hands it what to start, and hears how each ended."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearway.records.errors import UpstreamError

_KEEPER = Path(__file__).with_name("keeper.py")
_SEND_BYTES = 256 << 10


class Started:
    """One box from here: a socket that tells what happens to it."""

    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._init_fd = -1
        self.init = 0  # its pid, 0 while not known
        self.inner: int | None = None  # wait status of what was started inside a running box
        self.status: int | None = None  # wait status, once it ended
        self.error = ""
        self.cpu_s = 0.0
        self.max_rss_mib = 0.0

    def fileno(self) -> int:
        return self._talk.fileno()

    @property
    def over(self) -> bool:
        """Whether nothing more will be heard."""
        return self.status is not None

    def hear(self) -> None:
        """Takes the next word; blocks until there is one.

        Raises:
            UpstreamError: the keeper is gone, and every box with it.
        """
        try:
            data = self._talk.recv(4096)
        except OSError:
            data = b""
        if not data:
            self.status = -1
            raise UpstreamError(
                "the process that keeps the boxes ended",
                where="sandbox",
                mend="run it again; nothing of it is left",
            )
        word: dict[str, Any] = json.loads(data)
        if "init" in word:
            self.init = word["init"]
            with contextlib.suppress(OSError):  # it has ended already
                self._init_fd = os.pidfd_open(self.init)
        self.error = word.get("error", self.error)
        self.inner = word.get("inner", self.inner)
        if "status" in word:
            self.status = word["status"]
            self.cpu_s = word["cpu"]
            self.max_rss_mib = word["rss"] / 1024
        elif "error" in word and "no further process" in self.error:
            self.status = -1

    def hear_init(self) -> bool:
        """Waits for the init's pid; False when the box ended before it had one."""
        while not self.init and not self.over:
            self.hear()
        return bool(self.init)

    def kill(self) -> None:
        """Kills all in the box. Its end is heard as any other."""
        with contextlib.suppress(OSError):  # it has ended already
            self._talk.send(b"k")

    def close(self) -> None:
        """Lets go; a box that still runs is killed by that.

        By the keeper, and by us as well: were the keeper gone, nobody else would.
        """
        self._talk.close()
        if self._init_fd >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
            os.close(self._init_fd)
            self._init_fd = -1


class Keeper:
    """The keeper of this process. Safe between threads: each request is one packet."""

    def __init__(self, wrap: Sequence[str] = ()) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        with theirs:
            argv = [
                *wrap,
                str(Path(sys.executable).absolute()),
                "-I",
                "-S",
                "-B",
                str(_KEEPER),
                str(theirs.fileno()),
            ]
            # An empty environment: what is not there can't be read in a box's /proc/1/environ.
            self._process = subprocess.Popen(  # noqa: S603
                argv,
                env={},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        self._control = ours
        self._lost = False  # killed, though not yet waited for
        self.owner = os.getpid()

    def start(self, request: dict[str, Any], fds: Sequence[int]) -> Started:
        """What `request` says, with `fds` as its streams and further descriptors.

        Raises:
            UpstreamError: the keeper is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], [theirs.fileno(), *fds])
            except OSError as error:
                ours.close()
                self._lost = True
                raise UpstreamError(
                    f"the process that keeps the boxes does not answer: {error.strerror}", where="sandbox"
                ) from error
        return Started(ours)

    @property
    def alive(self) -> bool:
        return not self._lost and self.owner == os.getpid() and self._process.poll() is None

    def close(self) -> None:
        """Ends it, and all its boxes."""
        self._control.close()
        if self.owner != os.getpid():
            self._process.returncode = 0  # the parent's to wait for
            return
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_lock = threading.Lock()
_keeper: list[Keeper] = []


def keeper() -> Keeper:
    """This process's keeper, started at the first call, again after a fork, and again when it was killed."""
    with _lock:
        if _keeper and _keeper[0].alive:
            return _keeper[0]
        if _keeper:
            _keeper.pop().close()
        else:
            atexit.register(_close)
        _keeper.append(Keeper())
        return _keeper[0]


def start(request: dict[str, Any], fds: Sequence[int]) -> Started:
    """`Keeper.start` of this process's keeper. When that was killed before it took the request, a new one takes it.

    Raises:
        UpstreamError: the new one is gone as well.
    """
    try:
        return keeper().start(request, fds)
    except UpstreamError:
        return keeper().start(request, fds)


def _close() -> None:
    with _lock:
        while _keeper:
            _keeper.pop().close()
