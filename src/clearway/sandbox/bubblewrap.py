"""The backend that runs each program in a bubblewrap box.

1. Open what the box may read, take a user number and a control group, write its arguments.
2. The keeper starts it. When all is mounted, the box waits at a gate.
3. Open its writable folders from outside, then open the gate. The program starts; the clock runs.
4. Follow it to its end or to the first limit; then it is dead to the last process.
5. Read what it left through the open folders, which outlive it.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import resource
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from clearway.records.errors import ClearwayError, UpstreamError

from . import layout, need
from .cgroup import Counters, Group, Groups
from .ending import outcome_of
from .filter import digest, programs
from .handles import Launched, Pipe, memory, pair, readable, sealed
from .keeper import FIRST_FD, INFO_FD, STAGE
from .run import WRITABLE, Enforcement, Limits, Outcome, Run, checked
from .spawn import Started, start
from .watch import follow

_START_S = 20.0  # for making a box; only a machine without room needs longer
_NUMBERS_PER_PROCESS = 64
_SANE_KERNEL = (5, 14)  # counts processes per user namespace


_taken: set[int] = set()  # user numbers that boxes of this process have
_lock = threading.Lock()


class Bubblewrap:
    """Boxes on this machine. One object serves all threads."""

    def __init__(self) -> None:
        self._program = need.bubblewrap()
        self._host = layout.host(bind_by_descriptor=self._program.bind_by_descriptor)
        self._users = need.users()
        self._groups = Groups()
        self._fixed = _fixed(uncounted=self._groups.version != "rlimits")
        self._owner = os.getpid()

    def run(self, run: Run) -> Outcome:
        """Runs one program to its end, or to the first limit.

        Raises:
            InputError: `run` asks for what no box grants.
            ConfigError: this machine can't make boxes; says why and the cure.
            UpstreamError: the box was lost to a fault outside it.
        """
        checked(run)
        if self._owner != os.getpid():  # after a fork: groups and numbers are the parent's
            self.__init__()  # type: ignore[misc]
        with contextlib.ExitStack() as held:
            user = held.enter_context(self.user())
            group = held.enter_context(self.group(run.limits))
            return self._run(run, user, group, held)

    def enforcement(self) -> Enforcement:
        """What holds on this machine."""
        version = self._groups.version
        counted = version != "rlimits"
        return Enforcement(
            backend=f"bubblewrap {self._program.version}",
            kernel=platform.release(),
            cgroup=version,
            memory="cgroup" if counted else "addresses of one process; sum of private memory every 50 ms",
            processes="cgroup" if counted else self._processes_by(),
            cpu="cgroup every 50 ms, and rlimit of one process" if counted else "rlimit of one process",
            seccomp=digest(self._fixed.filters[False]),
            user_namespace=True,
            own_user=self._users.count > 0,
        )

    def filters(self, *, loopback: bool) -> tuple[bytes, bytes]:
        """The seccomp programs that boxes are under."""
        return self._fixed.filters[loopback]

    def close(self) -> None:
        """Removes the control groups. Boxes that run are not touched."""
        self._groups.close()

    def _processes_by(self) -> str:
        if self._users.count:
            return "rlimit of the box's own user"
        return (
            "rlimit in the box's user namespace" if _counts_per_namespace() else "nothing: kernel before 5.14"
        )

    @contextlib.contextmanager
    def user(self) -> Iterator[int | None]:
        """A number that no other box of this process has, when we may choose."""
        if not self._users.count:
            yield None
            return
        slots = max(1, self._users.count // _NUMBERS_PER_PROCESS)
        start = self._users.first + os.getpid() % slots * _NUMBERS_PER_PROCESS
        with _lock:
            number = next(n for n in range(start, start + self._users.count) if n not in _taken)
            _taken.add(number)
        try:
            yield number
        finally:
            with _lock:
                _taken.discard(number)

    @contextlib.contextmanager
    def group(self, limits: Limits) -> Iterator[Group | None]:
        """A control group with these limits, while nobody else uses it; None where there are none."""
        group = self._groups.take()
        if group is None and self._groups.version != "rlimits":
            raise UpstreamError("no further control group can be made", where="sandbox")
        if group is None:
            yield None
            return
        try:
            group.bound(limits.memory_mib << 20, limits.processes)
        except OSError as error:
            group.remove()
            raise UpstreamError(
                f"the control group takes no limit: {error.strerror}", where="sandbox"
            ) from error
        try:
            yield group
        except BaseException:
            group.kill()  # not used again: something may still be in it
            group.remove()
            raise
        self._groups.give_back(group)

    def _run(self, run: Run, user: int | None, group: Group | None, held: contextlib.ExitStack) -> Outcome:
        out, err = Pipe(held), Pipe(held)
        before = group.read() if group else Counters(0, 0, 0)
        stdin = sealed(run.stdin, held)
        launched = self.launch(run, user, group, (stdin, out.box, err.box), start, held)
        out.close_box()
        err.close_box()
        folders = mounted(launched, err.ours, held)
        began = time.monotonic()
        launched.gate.shutdown(socket.SHUT_WR)
        seen = follow(
            launched.box,
            (out.ours, err.ours),
            run.limits,
            began=began,
            group=group,
            before=before,
            folders=folders,
            tree_watched=group is None,
        )
        return outcome_of(run, launched.box, seen, folders, before, group.read() if group else None)

    def launch(
        self,
        run: Run,
        user: int | None,
        group: Group | None,
        streams: tuple[int, int, int],
        begin: Callable[[dict[str, Any], Sequence[int]], Started],
        held: contextlib.ExitStack,
    ) -> Launched:
        """Starts a box that waits at its gate. What it holds open here is closed with `held`, and kills it."""
        numbers = layout.Numbers(FIRST_FD)
        ready, ready_box = pair(held)
        gate, gate_box = pair(held)
        ready.shutdown(socket.SHUT_WR)  # the box reads its end at once
        # A byte that we never read: when our end is closed otherwise than by the shutdown that opens the gate, even by
        # our death, the box reads an error (ECONNRESET, unix(7)) and gives up, instead of an end and goes on.
        gate_box.send(b"x")
        binds = [(readable(b.host, b.inside, user, held), str(b.host.resolve()), b.inside) for b in run.binds]
        stage = STAGE if user is not None else ""
        staged = [int(numbers.add(fd)) for fd, _, _ in binds] if stage else []
        arguments = self._arguments(run, numbers, binds, stage, held)
        arguments += [*layout.gate(numbers, ready_box.fileno(), gate_box.fileno()), "--chdir", run.cwd]
        args = sealed(b"\0".join(w.encode() for w in arguments) + b"\0", held)
        request: dict[str, Any] = {
            "argv": [self._program.path, "--args", numbers.add(args), "--", *self._argv(run)],
            "user": user,
            **(group.entry() if group else {}),
            "rlimits": self.rlimits(run, counted=group is not None),
            "fresh": numbers.of(self._fixed.all),
            "stage": staged,
        }
        box = begin(request, [*streams, *numbers.fds])
        held.callback(box.close)
        ready_box.close()
        gate_box.close()
        return Launched(box, ready, gate)

    def _arguments(
        self,
        run: Run,
        numbers: layout.Numbers,
        binds: Sequence[tuple[int, str, str]],
        stage: str,
        held: contextlib.ExitStack,
    ) -> list[str]:
        filters = self._fixed.descriptors[run.loopback]
        words = []
        for fd in filters:
            words += ["--add-seccomp-fd", numbers.add(fd)]
        words += layout.etc(numbers, self._fixed.etc)
        words += layout.masks(numbers, self._host, self._fixed.empty)
        return [
            *layout.namespaces(),
            *("--info-fd", str(INFO_FD)),
            *layout.environment(run.env),
            *layout.system(self._host),
            *words,
            *layout.writable(run.limits.work_mib),
            *layout.binds(numbers, self._host, binds, stage),
            *layout.inputs(numbers, [(sealed(data, held), name) for name, data in run.inputs.items()]),
        ]

    def _argv(self, run: Run) -> list[str]:
        if self._groups.version != "rlimits" or self._users.count or not _counts_per_namespace():
            return list(run.argv)
        # Counted per user namespace, so it is set inside: outside it would count all of this user's processes.
        if shutil.which("prlimit", path="/usr/bin") is None:
            return list(run.argv)
        return ["/usr/bin/prlimit", f"--nproc={run.limits.processes + 2}", "--", *run.argv]

    def rlimits(self, run: Run, *, counted: bool) -> list[tuple[int, int, int]]:
        """(kind, soft, hard) that a program is born with."""
        limits = run.limits
        cpu = math.ceil(limits.cpu_s)
        stack = _at_most(resource.RLIMIT_STACK, 8 << 20)
        made = [
            (resource.RLIMIT_CPU, cpu, cpu + 1),
            (resource.RLIMIT_FSIZE, limits.file_mib << 20, limits.file_mib << 20),
            (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_MEMLOCK, 0, 0),
            (resource.RLIMIT_MSGQUEUE, 0, 0),
            (resource.RLIMIT_STACK, stack, stack),
        ]
        if not counted:
            if not run.sanitized:
                most = limits.memory_mib << 20
                made.append((resource.RLIMIT_AS, most, most))
            if self._users.count:
                made.append((resource.RLIMIT_NPROC, limits.processes + 3, limits.processes + 3))
        return made


def mounted(launched: Launched, stderr: int, held: contextlib.ExitStack) -> list[int]:
    """Waits until all is mounted, and opens the writable places from outside, in the order of `WRITABLE`.

    Raises:
        ConfigError: this machine makes no boxes.
        UpstreamError: it took too long.
    """
    box = launched.box
    poll = select.poll()
    poll.register(launched.ready, select.POLLIN)
    poll.register(box.fileno(), select.POLLIN)
    until = time.monotonic() + _START_S
    ready = False
    while not ready and not box.over:
        for fd, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000):
            if fd == box.fileno():
                box.hear()
            else:
                ready = True  # nothing is ever sent: the box closed its end
        if time.monotonic() > until:
            raise UpstreamError(f"no box within {_START_S:g} s", where="sandbox", mend="run fewer at a time")
    folders: list[int] = []
    if box.hear_init():
        for place in WRITABLE:
            with contextlib.suppress(OSError):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                folders.append(os.open(f"/proc/{box.init}/root/newroot{place}", flags))
                held.callback(os.close, folders[-1])
    if len(folders) == len(WRITABLE):
        return folders
    raise _not_started(box, stderr)


def _not_started(box: Started, stderr: int) -> ClearwayError:
    box.kill()
    while not box.over:
        box.hear()
    os.set_blocking(stderr, False)
    said = b""
    with contextlib.suppress(BlockingIOError):
        said = os.read(stderr, 2000)
    text = box.error or said.decode("utf-8", "replace")
    return need.refused("".join(c if c.isprintable() else " " for c in text))


@cache
def _fixed(*, uncounted: bool) -> _Fixed:
    return _Fixed(uncounted=uncounted)


class _Fixed:
    """Files that every box reads and none changes, made once: filters and /etc. Sealed, so that it stays so."""

    def __init__(self, *, uncounted: bool) -> None:
        self.filters = {
            loopback: programs(loopback=loopback, uncounted=uncounted) for loopback in (False, True)
        }
        self.descriptors = {k: [memory(code) for code in codes] for k, codes in self.filters.items()}
        self.etc = [memory(data) for data in layout.etc_files()]
        self.empty = memory(b"")
        self.all = {self.empty, *self.etc, *(fd for fds in self.descriptors.values() for fd in fds)}


def _at_most(kind: int, wanted: int) -> int:
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _counts_per_namespace() -> bool:
    parts = platform.release().split(".")
    try:
        return (int(parts[0]), int(parts[1])) >= _SANE_KERNEL
    except (ValueError, IndexError):
        return False
