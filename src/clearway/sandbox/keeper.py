"""The process that starts boxes: small, single-threaded, with an empty environment.

Run as a program, so it is one file, with the standard library only.

Why a process of its own, and not `subprocess` from wherever a run is asked for:

- `--die-with-parent` follows the *thread* that made the box: a worker thread that ends would take its boxes along.
- What a box is born with is set between fork and exec (its cgroup, its user, its limits). That is safe and quick in a
  small process with one thread; from a server with many, it is neither, and helper programs cost a start each.
- Nothing of the server is inherited: no environment to read in /proc/1/environ, no descriptors, no memory.
- It is the boxes' only parent. When the server dies, its sockets close, and every box is killed; when the keeper
  itself is killed, the kernel kills the boxes (`--die-with-parent`).

One request is one packet: JSON and descriptors, of which the first is the run's own socket. On it the keeper answers
`{"init": pid}`, `{"error": text}` and last `{"status": wait status, "cpu": seconds, "rss": KiB}`; a byte on it kills
the box, and so does closing it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # not imported: it is half of what this small process would load
    from typing import Any

INFO_FD = 3  # where bubblewrap says its init's pid; a run's further descriptors follow from 4
FIRST_FD = 4
STAGE = "/tmp"  # noqa: S108  (covered by an own mount, and there in every system)
_HIGH = 1024  # above every number a box is given
_MAX_REQUEST = 128 << 10
_MAX_DESCRIPTORS = 253  # SCM_MAX_FD, linux/net.h
_OTHER_NAMESPACES = 0x6E020000  # CLONE_NEW{CGROUP,UTS,IPC,PID,NET,NS}
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 16384, 1 << 18  # linux/mount.h
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT = 428, 429  # of every architecture; Linux 5.2
_COPY_TREE = 1 | 0x1000 | 0x8000 | os.O_CLOEXEC  # OPEN_TREE_CLONE, AT_EMPTY_PATH, AT_RECURSIVE
_SYS_CLONE3, _CLONE_INTO_CGROUP = 435, 0x200000000
_MOVE_EMPTY_PATH, _AT_FDCWD = 4, -100
_NS_GET_USERNS = 0xB701  # linux/nsfs.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_TIDY_S = 5.0
_LAST_CAPABILITY = 63  # numbers beyond the kernel's last are refused, which is no harm


class _Box:
    """One started program: its monitor (our child), its init, and the socket of who asked."""

    def __init__(self, pid: int, talk: socket.socket, info: int, entered: bool) -> None:
        self.pid, self.talk, self.info, self.entered = pid, talk, info, entered
        self.init = -1  # a pidfd
        self.init_pid = 0
        self.heard = b""
        self.doomed, self.quiet = False, False
        self.status: int | None = None  # the monitor's, once it ended
        self.cpu_s, self.rss_kib = 0.0, 0

    def say(self, **words: object) -> None:
        with contextlib.suppress(OSError):  # who asked may be gone
            self.talk.send(json.dumps(words).encode())

    def read_info(self) -> bool:
        """Takes what there is of bubblewrap's word on its init; True when nothing more will come."""
        try:
            piece = os.read(self.info, 4096)
        except BlockingIOError:
            return False
        self.heard += piece
        try:
            pid = int(json.loads(self.heard)["child-pid"])
        except (ValueError, KeyError, TypeError):
            pid = -1
        if pid > 0:
            self.init_pid = pid
            with contextlib.suppress(OSError):
                self.init = os.pidfd_open(pid)
            self.say(init=pid)
        over = pid > 0 or not piece
        self.quiet = over and pid <= 0  # no bubblewrap, or one that ended before it had an init
        if over and self.doomed:
            self.kill()
        return over

    def kill(self) -> None:
        """Kills the init, and with it all in the box; the monitor then ends by itself and leaves no zombies.

        While the init is not known yet, that waits: a monitor killed alone would leave its half-made box behind.
        """
        self.doomed = True
        with contextlib.suppress(ProcessLookupError):
            if self.entered:
                os.kill(self.pid, signal.SIGTERM)
            elif self.init >= 0:
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
            elif self.quiet:
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        for fd in (self.info, self.init):
            if fd >= 0:
                os.close(fd)
        self.talk.close()


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class _House:
    """All boxes of one controller, and what is watched for them."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._parent = os.getppid()
        self._wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in _OURS:
            signal.signal(ignored, signal.SIG_IGN)  # a terminal's Ctrl-C is the server's to judge
        self._boxes: dict[int, _Box] = {}  # by monitor
        self._owners: dict[int, _Box] = {}  # by descriptor that is watched
        self._homes: set[str] = set()  # where control groups were made for us
        self._poll = select.poll()
        for fd in (control.fileno(), self._wake):
            self._poll.register(fd, select.POLLIN)

    def serve(self) -> None:
        """Until the controller is gone, or closes its end."""
        while os.getppid() == self._parent and self._step(1000):
            pass

    def _step(self, wait_ms: int) -> bool:
        """Hears what there is to hear; False when the controller closed its end."""
        more = True
        for fd, _ in self._poll.poll(wait_ms):
            if fd == self._control.fileno():
                more = self._start()
            elif fd == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            elif fd in self._owners:
                self._hear(fd, self._owners[fd])
        self._reap()
        return more

    def tidy(self) -> None:
        """Kills every box, and removes the groups that they were in: nobody else would."""
        self._poll.unregister(self._control)
        for box in self._boxes.values():
            box.kill()
        until = time.monotonic() + _TIDY_S
        while self._boxes and time.monotonic() < until:
            self._step(20)
        for home in self._homes:
            with contextlib.suppress(OSError):
                for name in os.listdir(home):  # noqa: PTH208
                    if name.startswith("box-"):
                        os.rmdir(f"{home}/{name}")  # noqa: PTH106
                os.rmdir(home)  # noqa: PTH106

    def _start(self) -> bool:
        """Forks what the next request asks for; False when there will be none."""
        request = _received(self._control)
        if request is None:
            return False
        asked, talk, fds = request
        asked["keeper"] = os.getpid()
        groups = [os.path.dirname(g) for g in asked.get("groups", ())]  # noqa: PTH120
        self._homes.update(os.path.dirname(g) for g in (*groups, asked.get("into", "")) if g)  # noqa: PTH120
        entered = "filters" in asked
        info, told = (-1, -1) if entered else os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            pid, inside = _forked(str(asked.get("into", "")))
            if pid == 0:
                if not inside and "into" in asked:
                    asked["groups"] = [f"{asked['into']}/cgroup.procs"]
                _become(asked, talk, told, fds, entered)
        except OSError as error:
            with contextlib.suppress(OSError):
                talk.send(
                    json.dumps({"error": f"no further process: {error.strerror}", "status": -1}).encode()
                )
            talk.close()
            fds.append(info)
        else:
            box = self._boxes[pid] = _Box(pid, talk, info, entered)
            self._watch(talk.fileno(), box)
            self._watch(info, box)
        finally:
            for fd in (*fds, told):
                if fd >= 0:
                    os.close(fd)
        return True

    def _watch(self, fd: int, box: _Box) -> None:
        if fd >= 0:
            self._owners[fd] = box
            self._poll.register(fd, select.POLLIN)

    def _leave(self, fd: int) -> None:
        if self._owners.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _hear(self, fd: int, box: _Box) -> None:
        if fd == box.info:
            self._hear_info(box)
            return
        word = b""
        with contextlib.suppress(OSError):
            word = box.talk.recv(16)
        box.kill()
        if not word:  # who asked is gone: nothing more will be heard on it
            self._leave(fd)

    def _hear_info(self, box: _Box) -> None:
        fd = box.info
        if box.read_info():
            self._leave(fd)
            os.close(fd)
            box.info = -1

    def _reap(self) -> None:
        """Tells of the boxes that are dead to the last process.

        A monitor ends as soon as the program does. Its init becomes our child then (we are the subreaper), and ends
        when all else in the box did; what they used is told to who waits for it.
        """
        inits = {box.init_pid: box for box in self._boxes.values() if box.status is not None}
        while self._boxes:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            box = inits.pop(pid, None) or self._boxes.get(pid)
            if box is None:
                continue
            box.cpu_s += used.ru_utime + used.ru_stime
            box.rss_kib = max(box.rss_kib, used.ru_maxrss)
            if pid == box.pid:
                box.status = status
                if box.info >= 0:
                    self._hear_info(box)
                if box.init_pid and _is_ours(box.init_pid):
                    inits[box.init_pid] = box
                    box.kill()
                    continue
            del self._boxes[box.pid]
            box.say(status=box.status, cpu=box.cpu_s, rss=box.rss_kib)
            self._leave(box.talk.fileno())
            self._leave(box.info)
            box.close()


def _received(control: socket.socket) -> tuple[dict[str, Any], socket.socket, list[int]] | None:
    """The next request, its own socket and its descriptors; None when the other end closed."""
    try:
        data, ancillary, _, _ = control.recvmsg(
            _MAX_REQUEST, socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
        )
    except OSError:
        return None
    fds: list[int] = []
    for _, _, packed in ancillary:
        fds += [int.from_bytes(packed[i : i + 4], sys.byteorder) for i in range(0, len(packed) - 3, 4)]
    if not data:
        return None
    return json.loads(data), socket.socket(fileno=fds[0]), fds[1:]


def _is_ours(pid: int) -> bool:
    """Whether it is a child of ours that was not waited for yet."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _forked(group: str) -> tuple[int, bool]:
    """As `fork`, born in this group of version 2 where the kernel can (clone3, Linux 5.7), and whether it was.

    To be born there is free; to move there takes a machine-wide lock and an RCU grace period.
    """
    if group:
        libc = ctypes.CDLL(None, use_errno=True)
        folder = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            words = (_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, folder)
            arguments = struct.pack("=11Q", *words)  # struct clone_args, linux/sched.h
            pid = libc.syscall(_SYS_CLONE3, arguments, len(arguments))
            if pid >= 0:
                return pid, True
        finally:
            os.close(folder)
    return os.fork(), False


def _become(asked: dict[str, Any], talk: socket.socket, told: int, fds: list[int], entered: bool) -> None:
    """In the forked child: takes on what the box is born with, and becomes its program. Never returns."""
    where = "start"
    try:
        talk = socket.socket(fileno=fcntl.fcntl(talk.detach(), fcntl.F_DUPFD_CLOEXEC, _HIGH))
        where = "cgroup"
        for path in asked.get("groups", ()):
            with open(path, "wb", buffering=0) as file:  # noqa: PTH123  (a module more to load)
                file.write(b"0")
        code: list[bytes] = []
        if entered:
            where = "namespaces"
            init, mounts, filters = fds[3], fds[4], fds[5:]
            code = [os.pread(fd, 1 << 20, 0) for fd in filters]
            _enter(init, mounts, talk)
            fds = fds[:3]
        where = "descriptors"
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH) for fd in (*fds[:3], told, *fds[3:]) if fd >= 0]
        for number, fd in enumerate(high):
            os.dup2(fd, number, inheritable=True)
        os.closerange(len(high), _HIGH)  # whatever else there is, our own end of the requests before all
        for number in asked.get("fresh", ()):
            # an own position in the file: boxes that start at the same time read the same filter
            again = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
            os.dup2(again, number, inheritable=True)
        staged: list[int] = asked.get("stage", [])
        if staged:
            where = "binds"
            _stage(staged)
        where = "limits"
        for kind, soft, hard in asked.get("rlimits", ()):
            resource.setrlimit(kind, (soft, hard))
        where = "user"
        user = asked.get("user")
        if user is not None:
            _take_user(int(user))
        where = "program"
        if not entered:  # bubblewrap does the same, but some time after its start
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != asked["keeper"]:
                os._exit(127)
        for number in (*_OURS, signal.SIGPIPE, signal.SIGXFSZ):  # the last two are ignored by the interpreter
            signal.signal(number, signal.SIG_DFL)
        argv: list[str] = asked["argv"]
        environment: dict[str, str] = asked.get("env", {})
        if entered:
            os.chdir(str(asked["cwd"]))
            _shut(code)
            os.execvpe(argv[0], argv, environment)  # noqa: S606
        os.execve(argv[0], argv, environment)  # noqa: S606
    except BaseException as error:  # noqa: BLE001  (there is nobody above: it is told to who asked)
        with contextlib.suppress(OSError):
            talk.send(json.dumps({"error": f"{where}: {error}"}).encode())
    os._exit(127)


def _stage(numbers: list[int]) -> None:
    """Binds these open files and folders to /tmp/0, /tmp/1… of a mount namespace of our own.

    Bubblewrap finds what it binds by its path, as the box's user, who may not walk the way to it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # Copied while the descriptors still belong to our mount namespace; a copy may then be put into any other.
    copies = [libc.syscall(_SYS_OPEN_TREE, number, b"", _COPY_TREE) for number in numbers]
    _checked(-1 if -1 in copies else 0)
    _checked(libc.unshare(_CLONE_NEWNS))
    _checked(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _checked(libc.mount(b"box", STAGE.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"size=64k,mode=0755"))
    for place, (number, copy) in enumerate(zip(numbers, copies, strict=True)):
        target = f"{STAGE}/{place}"
        if stat.S_ISDIR(os.fstat(number).st_mode):
            os.mkdir(target, 0o755)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        _checked(libc.syscall(_SYS_MOVE_MOUNT, copy, b"", _AT_FDCWD, target.encode(), _MOVE_EMPTY_PATH))
        os.close(copy)
        os.close(number)


def _leave_groups() -> None:
    try:
        os.setgroups([])
    except PermissionError:
        with open("/proc/self/setgroups", encoding="ascii") as file:  # noqa: PTH123
            if (
                file.read().strip() != "deny"
            ):  # denied where an ordinary user made the namespace: they are his
                raise


def _take_user(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _enter(init: int, mounts: int, talk: socket.socket) -> None:
    """Goes into a running box. A process stays outside as the one that waits, and tells the exact status."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        _leave_groups()
    # Not to be read or traced by what already runs in there: our memory is not the box's.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.setns(init, _OTHER_NAMESPACES) != 0:
        # An ordinary user has no rights over the others before it is in the user namespace that owns them.
        owner = fcntl.ioctl(mounts, _NS_GET_USERNS)
        _checked(libc.setns(owner, _CLONE_NEWUSER))
        _checked(libc.setns(init, _OTHER_NAMESPACES))
    if (
        libc.setns(init, _CLONE_NEWUSER) != 0 and ctypes.get_errno() != errno.EINVAL
    ):  # EINVAL: it is there already
        _checked(-1)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        os.setsid()
        return
    signal.set_wakeup_fd(-1)

    def end(*_: object) -> None:
        for one in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                one(child, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    # The program's own streams must end with it, so this process holds none of them.
    os.closerange(0, talk.fileno())
    os.closerange(talk.fileno() + 1, 1 << 20)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        talk.send(json.dumps({"inner": status}).encode())
    os._exit(0)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _shut(filters: list[bytes]) -> None:
    """Gives up every privilege for good, and loads the filters: what bubblewrap does for those it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    with contextlib.suppress(OSError):  # refused where an ordinary user made the namespace
        os.setgroups([])
    os.setresgid(1000, 1000, 1000)
    os.setresuid(1000, 1000, 1000)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no-new-privileges")
    for code in filters:
        held = ctypes.create_string_buffer(code, len(code))
        program = _Program(len(code) // 8, ctypes.addressof(held))
        if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp filter")


def main() -> None:
    """Serves on the descriptor that the command line names."""
    gc.disable()  # a collection in the forked child would copy every page
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)  # whoever holds it can have anything started
    house = _House(control)
    try:
        house.serve()
    finally:
        house.tidy()


if __name__ == "__main__":
    main()
