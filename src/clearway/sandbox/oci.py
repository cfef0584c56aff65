"""The backend for those who have a container runtime: podman, docker or nerdctl, by their common command line.

One container a run, from an image that the operator names and that has `sleep`, `sh`, `cat` and GNU `tar`:

1. `run --detach` with everything closed: no network, read-only, no capabilities, no new privileges, an ordinary
   user, sized tmpfs for /work and /tmp, bounds of memory, processes, files and CPU.
2. `exec tar -x` puts the inputs into /work.
3. `exec` runs the program; its streams are taken up to the bound, and the clock runs.
4. All that the program left running is killed: what follows is read from a container where nothing moves. Where that
   can't be done, nothing is read.
5. `exec cat` and `exec tar -v` tell of processor time (the container's own cgroup) and of what was left in /tmp,
   /dev/shm and /work; `exec tar -c` hands back what is kept, by names that we match. All of it is read as hostile.
6. `rm --force`, always.

The runtime's own seccomp profile holds, and its word is what an outcome's status rests on. That a box was killed for
memory is told by the container's own account of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import os
import platform
import re
import secrets
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from clearway.records.errors import ConfigError, InputError, UpstreamError

from .keep import MAX_ENTRIES, MAX_STRAY, MAX_UNKEPT, is_glob
from .pack import packed, unpacked
from .run import SCRATCH_MIB, WORK, Ended, Enforcement, Outcome, Run, checked

ENV_IMAGE = "CLEARWAY_SANDBOX_IMAGE"
ENV_RUNTIME = "CLEARWAY_SANDBOX_RUNTIME"
_RUNTIMES = ("podman", "nerdctl", "docker")
_ANSWER_S = 60.0  # of the runtime itself
_USER = "65534:65534"
_SPARE = 3  # sleep, and what the runtime starts beside the program
_PIECE = 1 << 16
_SPENT = 0.7  # of its limit, for SIGXCPU to be the kernel's: anybody can raise it
_COUNTED = ("/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpuacct/cpuacct.usage")  # cgroup v2, and v1
_OOM = ("inspect", "--format", "{{.State.OOMKilled}}")


class Streams(Struct):
    """What a command wrote, up to a bound, and how it ended; `code` None when it was ended by us."""

    stdout: bytes
    stderr: bytes
    code: int | None
    met: Ended | None
    wall_s: float


class Oci:
    """Containers on this machine, one a run."""

    def __init__(self, runtime: str = "", image: str = "") -> None:
        """Finds the runtime and asks whether it answers.

        Raises:
            ConfigError: there is none, it does not answer, or no image is named; with the cure.
        """
        named = runtime or os.environ.get(ENV_RUNTIME, "")
        path = next((p for n in ([named] if named else _RUNTIMES) if (p := shutil.which(n))), None)
        if path is None:
            raise ConfigError(
                f"no container runtime: {named or ', '.join(_RUNTIMES)}",
                where="sandbox",
                mend=f"install podman, or name one in {ENV_RUNTIME}, or use the backend bubblewrap",
            )
        self._image = image or os.environ.get(ENV_IMAGE, "")
        if not self._image or self._image.startswith("-"):
            raise ConfigError(
                "no image for the boxes",
                where=ENV_IMAGE,
                mend="name a local image by digest; it needs sleep, cat, tar and the tools of the recipes",
            )
        self._runtime = path
        answer = self._call("version", "--format", "{{.Client.Version}}", deadline_s=15)
        up = self._call("info", deadline_s=15)
        if answer.code != 0 or up.code != 0:
            raise ConfigError(
                f"{path} does not answer: {_said(up if up.code else answer)}",
                where="sandbox",
                mend="start its service, or use podman, which needs none, or the backend bubblewrap",
            )
        self._version = answer.stdout.decode("ascii", "replace").strip()[:40]

    def run(self, run: Run) -> Outcome:
        """Runs one program in a container of its own.

        Raises:
            InputError: `run` asks for what no box grants.
            UpstreamError: the runtime failed.
        """
        checked(run)
        name = f"clearway-{secrets.token_hex(8)}"
        try:
            started = self._call(*create_argv(run, name, self._image))
            if started.code != 0:
                raise UpstreamError(f"no container: {_said(started)}", where=self._runtime)
            if run.inputs:
                filled = self._call(
                    "exec", "--interactive", name, "tar", "-xf", "-", "-C", WORK, stdin=packed(run.inputs)
                )
                if filled.code != 0:
                    raise UpstreamError(f"inputs were not taken: {_said(filled)}", where=self._runtime)
            return self._program(run, name)
        finally:
            with contextlib.suppress(UpstreamError):
                self._call("rm", "--force", "--volumes", name)

    def enforcement(self) -> Enforcement:
        """What the runtime was told to hold."""
        return Enforcement(
            backend=f"oci: {Path(self._runtime).name} {self._version}, image {self._image}",
            kernel=platform.release(),
            cgroup="v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1",
            memory="cgroup of the runtime",
            processes="cgroup of the runtime",
            cpu="rlimit of one process",
            seccomp="the runtime's own profile",
            user_namespace=False,
            own_user=False,
        )

    def _program(self, run: Run, name: str) -> Outcome:
        seen = self._call(
            *exec_argv(run, name),
            stdin=run.stdin,
            deadline_s=run.limits.wall_s,
            most=run.limits.output_bytes,
        )
        met, code, why = seen.met, seen.code, ""
        if met:
            # The client is dead, the program is not: it ends with its container, and nothing is handed back.
            why = (
                f"ran for {run.limits.wall_s:g} s"
                if met == "wall"
                else f"wrote more than {run.limits.output_bytes}"
            )
            return Outcome(
                ended=met,
                stdout=seen.stdout,
                stderr=seen.stderr,
                cut=met == "output",
                wall_s=seen.wall_s,
                why=why,
            )
        still = self._call("exec", name, "sh", "-c", KILL).code == 0
        cpu_s = counted(self._call("exec", name, "cat", *_COUNTED).stdout)
        killed = self._call(*_OOM, name).stdout.strip() == b"true"
        ended: Ended = "exited"
        code = -1 if code is None else code
        if killed:
            ended, code, why = "memory", -1, "the runtime says that it was killed for memory"
        elif code in (126, 127) and not seen.stdout:
            ended, why, code = "refused", _said(seen), -1
        elif 128 < code <= 192:
            ended, code = "signal", code - 128
            if code == 24 and cpu_s >= run.limits.cpu_s * _SPENT:  # SIGXCPU
                ended, code, why = "cpu", -1, f"used {run.limits.cpu_s:g} s of CPU in one process"
        if still:
            kept, unkept = self._kept(run, name)
            stray, looked = self._outside(run, name)
        else:
            kept, unkept, stray, looked = {}, (_MOVES,), (), {}
        return Outcome(
            ended=ended,
            code=code,
            stdout=seen.stdout,
            stderr=seen.stderr,
            wall_s=seen.wall_s,
            cpu_s=cpu_s,
            stray=stray,
            looked=looked,
            kept=kept,
            unkept=unkept,
            why=why,
        )

    def _kept(self, run: Run, name: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """What of /work the patterns name. We match them: tar would take none of them for a pattern when it writes."""
        if not run.keep:
            return {}, ()
        there = self._listed(name, WORK, ".")
        wanted, unkept = matched(run.keep, [n.removeprefix("./") for n in there.names])
        if not there.whole:
            unkept = (*unkept, "not all that lies there could be listed")
        if not wanted:
            return {}, unkept
        most = run.limits.keep_bytes + (MAX_ENTRIES << 10)  # headers and padding
        answer = self._call(
            *("exec", "--interactive", name, "tar", "-cf", "-", "-C", WORK, "--no-recursion", "--null"),
            *("--verbatim-files-from", "-T", "-"),
            stdin=b"".join(b"./" + os.fsencode(n) + b"\0" for n in wanted),
            most=most,
        )
        kept, refused = unpacked(answer.stdout, run.limits.keep_bytes)
        missing = tuple(f"{n}: not handed back" for n in wanted if n not in kept)
        return kept, (*unkept, *(refused or missing))[: MAX_UNKEPT + 1]

    def _outside(self, run: Run, name: str) -> tuple[tuple[str, ...], dict[str, bool]]:
        """What lies in the container outside of /work, and whether there is what was to be looked for."""
        there = self._listed(name, "/", "./tmp", "./dev/shm")
        found = [n.removeprefix(".") for n in there.names if not n.endswith("/")]
        printable = [n for n in found if n.isprintable()]
        return tuple(printable[:MAX_STRAY]), looked_for(run.look_for, found, whole=there.whole)

    def _listed(self, name: str, folder: str, *places: str) -> Listed:
        """All that lies in these places, as a tar of the image tells it, which writes to nowhere."""
        said = self._call(
            *("exec", name, "tar", "-cvf", "/dev/null", "--quoting-style=escape", "-C", folder, *places),
            most=_LISTING_BYTES,
        )
        lines = said.stdout.split(b"\n")[:-1]  # whole ones
        names = [unescaped(line) for line in lines if line.startswith(b"./")]
        # What tar leaves out, such as a socket, it says there.
        return Listed(names, whole=said.code == 0 and not said.stderr)

    def _call(
        self, *words: str, stdin: bytes = b"", deadline_s: float = _ANSWER_S, most: int = 1 << 20
    ) -> Streams:
        try:
            process = subprocess.Popen(  # noqa: S603
                [self._runtime, *words],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={k: v for k, v in os.environ.items() if k in _PASSED},
            )
        except OSError as error:
            raise UpstreamError(
                f"{self._runtime} does not start: {error.strerror}", where="sandbox"
            ) from error
        with process:
            return _taken(process, stdin, deadline_s, most)


# The kernel spares who asks and the first of the namespace. Only where that is the container's own `sleep` and the name
# is the box's: in a runtime that lets its containers see the machine's processes nothing is killed, and nothing read.
KILL = (
    "read -r first </proc/1/comm && read -r name </proc/sys/kernel/hostname"
    ' && [ "$first" = sleep ] && [ "$name" = box ] && { kill -9 -1 2>/dev/null || :; }'
)
_MOVES = "what it left running could not be killed; nothing was read"
_LISTING_BYTES = 4 << 20
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_PASSED = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINER_HOST", "DBUS_SESSION_BUS_ADDRESS")


class Listed(Struct, frozen=True):
    """Names beneath a folder, "./" first, folders with "/" last, and whether they are all that lies there."""

    names: list[str]
    whole: bool


def matched(patterns: Sequence[str], names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Which of `names` (files, and folders with "/" last) the patterns ask for, and which patterns ask for none.

    A name, a folder for all beneath it, or a pattern of a shell, as `keep.hand_back` takes them. Names that are not
    printable are refused.
    """
    files = dict.fromkeys(n for n in names if n and not n.endswith("/"))
    wanted: dict[str, None] = {}
    unkept: list[str] = []
    for pattern in patterns:
        if is_glob(pattern):
            wanted |= dict.fromkeys(n for n in files if fnmatch.fnmatchcase(n, pattern))
            continue
        plain = pattern.rstrip("/")
        below = [n for n in files if n == plain or n.startswith(f"{plain}/")]
        wanted |= dict.fromkeys(below)
        if not below and f"{plain}/" not in names:
            unkept.append(f"{plain}: No such file or directory")
    unkept += [f"{n!a}: not a printable name"[:200] for n in wanted if not n.isprintable()]
    return [n for n in wanted if n.isprintable()][:MAX_ENTRIES], tuple(unkept[:MAX_UNKEPT])


def looked_for(asked: Sequence[str], found: Sequence[str], *, whole: bool) -> dict[str, bool]:
    """Of each place whether a file lies there; nothing of one where that can't be told.

    `found` are all that is no folder, absolute; `whole` says that no name is missing from it.
    """
    there = set(found)
    told: dict[str, bool] = {}
    for name in asked:
        plain = name.rstrip("/")
        above = [str(p) for p in PurePosixPath(plain).parents]
        if plain in there:
            told[name] = True
        elif whole and not there.intersection(above):  # a link on the way would lead elsewhere
            told[name] = False
    return told


def unescaped(line: bytes) -> str:
    """A name as GNU tar writes it with `--quoting-style=escape`: C's escapes, octal for what is not printable."""

    def plain(found: re.Match[bytes]) -> bytes:
        word = found[1]
        return bytes([int(word, 8) & 0xFF]) if word.isdigit() else _ESCAPES.get(word, word)

    return os.fsdecode(re.sub(rb"\\([0-7]{3}|.)", plain, line, flags=re.DOTALL))


def counted(said: bytes) -> float:
    """Seconds of processor time from a cgroup's own files, all processes of a container together; 0.0 without."""
    for line in said.decode("ascii", "replace").splitlines():
        name, _, value = line.rpartition(" ")
        if name in ("usage_usec", "") and value.isascii() and value.isdigit() and len(value) <= 18:
            return int(value) / (1e6 if name else 1e9)
    return 0.0


def create_argv(run: Run, name: str, image: str) -> list[str]:
    """The runtime's arguments for a closed container that waits."""
    limits = run.limits
    mounts: list[str] = []
    for bind in run.binds:
        place = str(bind.host.resolve())
        if "," in place or "," in bind.inside:
            raise InputError("a comma in the name of a bind", where="binds", mend="rename it")
        mounts += ["--mount", f"type=bind,source={place},target={bind.inside},readonly"]
    return [
        *("run", "--detach", "--rm", "--pull", "never", "--name", name, "--hostname", "box"),
        *("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--user", _USER, "--ipc", "private", "--cgroupns", "private"),
        *("--memory", f"{limits.memory_mib}m", "--memory-swap", f"{limits.memory_mib}m"),
        *("--pids-limit", str(limits.processes + _SPARE), "--shm-size", f"{SCRATCH_MIB}m"),
        *("--tmpfs", f"{WORK}:rw,exec,nosuid,nodev,size={limits.work_mib}m,mode=1777"),
        *("--tmpfs", f"/tmp:rw,exec,nosuid,nodev,size={SCRATCH_MIB}m,mode=1777"),  # noqa: S108
        *("--ulimit", f"cpu={max(1, round(limits.cpu_s))}", "--ulimit", f"fsize={limits.file_mib << 20}"),
        *("--ulimit", f"nofile={limits.open_files}", "--ulimit", "core=0"),
        *mounts,
        *("--entrypoint", "sleep", image, str(round(limits.wall_s + 4 * _ANSWER_S))),
    ]


def exec_argv(run: Run, name: str) -> list[str]:
    """The runtime's arguments for the program itself."""
    env = [word for key, value in run.env.items() for word in ("--env", f"{key}={value}")]
    stdin = ["--interactive"] if run.stdin else []
    return ["exec", *stdin, "--workdir", run.cwd, "--env", f"HOME={WORK}", *env, name, *run.argv]


def _taken(process: subprocess.Popen[bytes], stdin: bytes, deadline_s: float, most: int) -> Streams:
    """Feeds and reads a process to its end, its deadline or its bound of output."""
    began = time.monotonic()
    assert process.stdout
    assert process.stderr
    streams = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    poll = select.poll()
    for fd in streams:
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    view, feed = memoryview(stdin), -1
    if process.stdin:
        feed = process.stdin.fileno()
        os.set_blocking(feed, False)
        poll.register(feed, select.POLLOUT)
    # What the program left running may hold its streams: they end for us when the program does.
    over = os.pidfd_open(process.pid)
    poll.register(over, select.POLLIN)
    watching, met, left = set(streams), None, most
    while watching and met is None:
        rest = began + deadline_s - time.monotonic()
        if rest <= 0:
            met = "wall"
            break
        for fd, _ in poll.poll(rest * 1000 + 1):
            if fd == over:
                for one in watching:
                    piece = os.read(one, most_now) if (most_now := _waiting(one)) else b""
                    streams[one] += piece[:left]
                    met = "output" if len(piece) > left else met
                    left = max(0, left - len(piece))
                watching.clear()
                break
            if fd == feed:
                try:
                    view = view[os.write(feed, view[:_PIECE]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    view = view[:0]
                if not view and process.stdin:
                    poll.unregister(feed)
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.close()
                continue
            piece = os.read(fd, _PIECE)
            if not piece:
                poll.unregister(fd)
                watching.discard(fd)
            streams[fd] += piece[:left]
            if len(piece) > left:
                met = "output"
            left = max(0, left - len(piece))
    os.close(over)
    code: int | None = None
    if met is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(max(0.1, began + deadline_s - time.monotonic()))
    if code is None:
        met = met or "wall"
        process.kill()
        process.wait()
    out, err = (bytes(taken) for taken in streams.values())
    return Streams(out, err, code, met, time.monotonic() - began)  # type: ignore[arg-type]


def _waiting(pipe: int) -> int:
    """How many bytes can be read from a pipe now: who goes on to write is not waited for."""
    held = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, held)
    return int.from_bytes(held, sys.byteorder)


def _said(streams: Streams) -> str:
    text = (streams.stderr or streams.stdout).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()


def available() -> Sequence[str]:
    """The runtimes that are installed here, whether or not they answer."""
    return [name for name in _RUNTIMES if shutil.which(name)]
