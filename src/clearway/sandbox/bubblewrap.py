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
import shutil
import socket
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from clearway.records.errors import ClearwayError, InputError, UpstreamError

from . import keep, layout, need
from .cgroup import Counters, Group, Groups
from .filter import digest, programs
from .keeper import FIRST_FD, INFO_FD
from .run import WRITABLE, Ended, Enforcement, Limits, Outcome, Run, checked
from .spawn import Started, keeper
from .watch import Seen, follow

_START_S = 20.0  # for making a box; only a machine without room needs longer
_SIGNALS = 64
# SIGXCPU at the soft limit, SIGKILL a second later: believed when about that much was used. The kernel samples the
# time that it compares with a limit, and reports the exact one: on a machine with stolen time they differ by a tenth.
_SPENT = {24: 0.5, 9: 0.75}
_NUMBERS_PER_PROCESS = 64
_SANE_KERNEL = (5, 14)  # counts processes per user namespace


class Bubblewrap:
    """Boxes on this machine. One object serves all threads."""

    def __init__(self) -> None:
        self._program = need.bubblewrap()
        self._host = layout.host(bind_by_descriptor=self._program.bind_by_descriptor)
        self._users = need.users()
        self._taken: set[int] = set()
        self._lock = threading.Lock()
        self._groups = Groups()
        self._fixed = _Fixed(uncounted=self._groups.version != "rlimits")
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
            user = held.enter_context(self._user())
            group = held.enter_context(self._group(run.limits))
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
    def _user(self) -> Iterator[int | None]:
        """A number that no other box of this process has, when we may choose."""
        if not self._users.count:
            yield None
            return
        slots = max(1, self._users.count // _NUMBERS_PER_PROCESS)
        start = self._users.first + os.getpid() % slots * _NUMBERS_PER_PROCESS
        with self._lock:
            number = next(n for n in range(start, start + self._users.count) if n not in self._taken)
            self._taken.add(number)
        try:
            yield number
        finally:
            with self._lock:
                self._taken.discard(number)

    @contextlib.contextmanager
    def _group(self, limits: Limits) -> Iterator[Group | None]:
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
        yield group
        self._groups.give_back(group)  # not after an error: something may still be in it

    def _run(self, run: Run, user: int | None, group: Group | None, held: contextlib.ExitStack) -> Outcome:
        numbers = layout.Numbers(FIRST_FD)
        ready, ready_box = _pair(held)
        gate, gate_box = _pair(held)
        ready.shutdown(socket.SHUT_WR)  # the box reads its end at once
        arguments = self._arguments(run, user, numbers, (ready_box.fileno(), gate_box.fileno()), held)
        streams = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        for ends in streams:
            held.callback(os.close, ends[0])
        stdin = _sealed(run.stdin, held)
        args = _sealed(b"\0".join(w.encode() for w in arguments) + b"\0", held)
        before = group.read() if group else Counters(0, 0, 0)
        request: dict[str, Any] = {
            "argv": [self._program.path, "--args", numbers.add(args), "--", *self._argv(run)],
            "user": user,
            "groups": group.entrances if group else [],
            "rlimits": self._rlimits(run, counted=group is not None),
            "fresh": [0, *range(FIRST_FD, FIRST_FD + self._fixed.count)],
        }
        try:
            box = keeper().start(request, [stdin, streams[0][1], streams[1][1], *numbers.fds])
        finally:
            for ends in streams:
                os.close(ends[1])
        held.callback(box.close)
        ready_box.close()
        gate_box.close()
        folders = self._started(box, ready, streams[1][0], held)
        began = time.monotonic()
        gate.shutdown(socket.SHUT_WR)
        seen = follow(
            box,
            (streams[0][0], streams[1][0]),
            run.limits,
            began=began,
            group=group,
            before=before,
            folders=folders,
            tree_watched=group is None,
        )
        return self._outcome(run, box, seen, folders, before, group.read() if group else None)

    def _arguments(
        self,
        run: Run,
        user: int | None,
        numbers: layout.Numbers,
        gates: tuple[int, int],
        held: contextlib.ExitStack,
    ) -> list[str]:
        binds = [
            (_readable(b.host, b.inside, user, held), str(b.host.resolve()), b.inside) for b in run.binds
        ]
        filters = self._fixed.descriptors[run.loopback]
        words = []
        for fd in filters:
            words += ["--add-seccomp-fd", numbers.add(fd)]
        words += layout.etc(numbers, self._fixed.etc)
        return [
            *layout.namespaces(),
            *("--info-fd", str(INFO_FD)),
            *layout.environment(run.env),
            *layout.system(self._host),
            *words,
            *layout.writable(run.limits.work_mib),
            *layout.binds(numbers, self._host, binds),
            *layout.inputs(numbers, [(_sealed(data, held), name) for name, data in run.inputs.items()]),
            *layout.gate(numbers, *gates),
            *("--chdir", run.cwd),
        ]

    def _argv(self, run: Run) -> list[str]:
        if self._groups.version != "rlimits" or self._users.count or not _counts_per_namespace():
            return list(run.argv)
        # Counted per user namespace, so it is set inside: outside it would count all of this user's processes.
        if shutil.which("prlimit", path="/usr/bin") is None:
            return list(run.argv)
        return ["/usr/bin/prlimit", f"--nproc={run.limits.processes + 2}", "--", *run.argv]

    def _rlimits(self, run: Run, *, counted: bool) -> list[tuple[int, int, int]]:
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

    def _started(
        self, box: Started, ready: socket.socket, stderr: int, held: contextlib.ExitStack
    ) -> list[int]:
        """Waits until all is mounted, and opens the writable places from outside."""
        ready.settimeout(_START_S)
        try:
            ready.recv(1)  # nothing is ever sent: it returns when the box closed its end
        except TimeoutError as error:
            box.kill()
            raise UpstreamError(
                f"no box within {_START_S:g} s", where="sandbox", mend="run fewer at a time"
            ) from error
        folders: list[int] = []
        if box.hear_init():
            for place in WRITABLE:
                with contextlib.suppress(OSError):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                    folders.append(os.open(f"/proc/{box.init}/root/newroot{place}", flags))
                    held.callback(os.close, folders[-1])
        if len(folders) == len(WRITABLE):
            return folders
        raise self._not_started(box, stderr)

    def _not_started(self, box: Started, stderr: int) -> ClearwayError:
        box.kill()
        while not box.over:
            box.hear()
        os.set_blocking(stderr, False)
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(stderr, 2000)
        text = box.error or said.decode("utf-8", "replace")
        return need.refused("".join(c if c.isprintable() else " " for c in text))

    def _outcome(
        self, run: Run, box: Started, seen: Seen, folders: list[int], before: Counters, after: Counters | None
    ) -> Outcome:
        ended, code, why = judged(run, box, seen, before, after)
        kept = keep.hand_back(folders[0], run.keep, run.limits.keep_bytes) if run.keep else keep.Kept({}, ())
        cpu_s = max(box.cpu_s, after.cpu_s - before.cpu_s if after else 0.0)
        return Outcome(
            ended=ended,
            code=code,
            stdout=seen.stdout,
            stderr=seen.stderr,
            cut=seen.cut,
            wall_s=seen.wall_s,
            cpu_s=cpu_s,
            max_rss_mib=max(box.max_rss_mib, after.memory_bytes / (1 << 20) if after else 0.0),
            kept=kept.files,
            unkept=kept.unkept,
            stray=keep.names(list(zip(WRITABLE[1:], folders[1:], strict=True))),
            why=why,
        )


def judged(
    run: Run, box: Started, seen: Seen, before: Counters, after: Counters | None
) -> tuple[Ended, int, str]:
    """How it ended, by what was seen from outside alone: (ended, code, why)."""
    if after is not None and after.oom > before.oom:
        return "memory", -1, f"the kernel killed one of it at {run.limits.memory_mib} MiB"
    if seen.met is not None:
        return seen.met, -1, seen.why
    if box.error:
        return "refused", -1, box.error
    status = box.status if box.inner is None else box.inner
    code = os.waitstatus_to_exitcode(status) if status is not None and status >= 0 else -9
    if box.inner is None:
        if code < 0:
            return "refused", -1, f"the box itself was killed by signal {-code}"
        if code == 1 and not seen.stdout and _not_executed(run, seen.stderr):
            return "refused", -1, seen.stderr.decode("utf-8", "replace").strip()
        if 128 < code <= 128 + _SIGNALS:
            code = -(code - 128)
    if code >= 0:
        return "exited", code, ""
    spent = max(box.cpu_s, after.cpu_s - before.cpu_s if after else 0.0)
    if spent >= run.limits.cpu_s * _SPENT.get(-code, math.inf):
        return "cpu", -1, f"used {run.limits.cpu_s:g} s of CPU in one process"
    if -code == 25:
        return "signal", 25, f"SIGXFSZ: a file over {run.limits.file_mib} MiB, or raised by itself"
    return "signal", -code, ""


def _not_executed(run: Run, stderr: bytes) -> bool:
    return stderr.startswith(b"bwrap: execvp " + run.argv[0].encode() + b": ") and stderr.count(b"\n") == 1


class _Fixed:
    """Files that every box reads and none changes, made once: filters and /etc. Sealed, so that it stays so."""

    def __init__(self, *, uncounted: bool) -> None:
        self.filters = {
            loopback: programs(loopback=loopback, uncounted=uncounted) for loopback in (False, True)
        }
        self.descriptors = {k: [_memory(code) for code in codes] for k, codes in self.filters.items()}
        self.etc = [_memory(data) for data in layout.etc_files()]
        self.count = len(self.descriptors[False]) + len(self.etc)


class _Pair(NamedTuple):
    ours: socket.socket
    box: socket.socket


def _pair(held: contextlib.ExitStack) -> _Pair:
    ours, box = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    held.callback(ours.close)
    held.callback(box.close)
    return _Pair(ours, box)


def _sealed(data: bytes, held: contextlib.ExitStack) -> int:
    fd = _memory(data)
    held.callback(os.close, fd)
    return fd


def _memory(data: bytes) -> int:
    """`data` as a file that can be read and never changed: the box gets the descriptor itself."""
    import fcntl

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


def _readable(place: Any, inside: str, user: int | None, held: contextlib.ExitStack) -> int:
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


def _at_most(kind: int, wanted: int) -> int:
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _counts_per_namespace() -> bool:
    parts = platform.release().split(".")
    try:
        return (int(parts[0]), int(parts[1])) >= _SANE_KERNEL
    except (ValueError, IndexError):
        return False
