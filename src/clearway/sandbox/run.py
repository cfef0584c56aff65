"""What is to run, within which limits, and how it ended: frozen, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from msgspec import Struct, field

from clearway.records.errors import InputError

WORK = "/work"
WRITABLE = (WORK, "/tmp", "/dev/shm")  # noqa: S108  (inside the box: sized, and gone with it)
SCRATCH_MIB = 64  # of /tmp and of /dev/shm, each
MAX_ARGUMENTS_BYTES = 128 << 10  # argv and env together; the kernel's own bound for one string
MAX_INPUTS = 128  # each is one descriptor of a message that carries at most 253
MAX_BINDS = 64
MAX_KEEP = 64
MAX_STDIN_BYTES = 64 << 20
FILES = 50_000  # files and folders that one box may make

Ended = Literal["exited", "signal", "cpu", "wall", "memory", "output", "refused"]


class Limits(Struct, frozen=True, kw_only=True):
    """The bounds of one run. `Outcome.ended` names the one that was met."""

    cpu_s: float = 10.0  # of one process; of all together where a cgroup counts
    wall_s: float = 30.0
    memory_mib: int = 1024  # of all together in a cgroup; else see `Enforcement.memory`
    processes: int = 64
    open_files: int = 256  # of one process
    file_mib: int = 64  # the greatest file
    work_mib: int = 256  # all of /work
    output_bytes: int = 1 << 20  # stdout and stderr together
    keep_bytes: int = 64 << 20


class Bind(Struct, frozen=True):
    """A file or folder of this machine that the box may read at `inside`; never write."""

    host: Path
    inside: str


class Run(Struct, frozen=True, kw_only=True):
    """One program to run apart, with all it may see.

    `inputs` are files made in /work before the start, by relative name. `keep` says
    what of /work is handed back: relative names, a folder for all beneath it, or
    patterns of a shell, whose `*` also crosses a "/". `sanitized` is for programs built with AddressSanitizer and
    its kin: they reserve terabytes of addresses, so that no bound on addresses is set.
    Leak detection needs ptrace, which no box allows: run them with `detect_leaks=0`.
    `look_for` names places outside of /work, absolute, of which the outcome says whether a file came to lie there.
    `loopback` opens 127.0.0.1 of the box's own; nothing ever leads out.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    binds: tuple[Bind, ...] = ()
    keep: tuple[str, ...] = ()
    look_for: tuple[str, ...] = ()
    limits: Limits = Limits()
    cwd: str = WORK
    sanitized: bool = False
    loopback: bool = False


class Outcome(Struct, frozen=True, kw_only=True):
    """How a run ended, as seen from outside the box.

    `code` is the exit status, or the signal's number when `ended` is "signal". A box reports both in one
    number, so a program that exits with 128 + n reads as signal n: it could have raised that signal as well.
    With any other `ended` it is -1. `why` says in words which bound was met.
    """

    ended: Ended
    code: int = -1
    stdout: bytes = b""
    stderr: bytes = b""
    cut: bool = False  # more was written than is handed back
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_mib: float = 0.0  # of the greatest process; of all together in a cgroup
    kept: Mapping[str, bytes] = field(default_factory=dict)
    unkept: tuple[str, ...] = ()  # what was asked for and not handed back, with the reason
    # What it left in the box outside /work, for a person: a list that may be cut, and lacks what is not printable.
    stray: tuple[str, ...] = ()
    looked: Mapping[str, bool] = field(
        default_factory=dict
    )  # of `look_for`, where it can be told: whether it is there
    why: str = ""


class Enforcement(Struct, frozen=True, kw_only=True):
    """What held a run, for the record beside its outcome."""

    backend: str  # "bubblewrap 0.8.0"
    kernel: str
    cgroup: Literal["v2", "v1", "rlimits"]
    memory: str  # "cgroup", or what bounds memory without one
    processes: str
    cpu: str
    seccomp: str  # sha256 of the filters, or what the runtime applies
    user_namespace: bool
    own_user: bool  # a user number of its own for each box
    network: str = "none"


class Backend(Protocol):
    """Runs programs apart. Synchronous, and safe between threads."""

    def run(self, run: Run) -> Outcome:
        """Runs to its end or to the first limit.

        Raises:
            InputError: `run` asks for what no box grants.
            UpstreamError: the box could not be made.
        """
        ...

    def enforcement(self) -> Enforcement:
        """What holds on this machine."""
        ...


def checked(run: Run) -> Run:
    """`run`, when every name and bound in it can be granted.

    Raises:
        InputError: names the field and the cure. Recipes come from outside.
    """
    if not run.argv or not run.argv[0]:
        raise InputError("nothing to run", where="argv", mend="name a program")
    words = [*run.argv, *(f"{k}={v}" for k, v in run.env.items())]
    for word in words:
        if "\0" in word:
            raise InputError(
                "a NUL byte in an argument", where="argv", mend="pass bytes through stdin or a file"
            )
    if sum(len(_bytes(w, "argv")) + 1 for w in words) > MAX_ARGUMENTS_BYTES:
        raise InputError(
            f"more than {MAX_ARGUMENTS_BYTES} bytes of arguments", where="argv", mend="use a file"
        )
    for key in run.env:
        if not key or "=" in key:
            raise InputError(f"not a variable's name: {key[:40]!a}", where="env")
    if len(run.stdin) > MAX_STDIN_BYTES:
        raise InputError(
            f"stdin of more than {MAX_STDIN_BYTES} bytes", where="stdin", mend="use an input file"
        )
    _check_limits(run.limits)
    _check_files(run)
    if not run.cwd.startswith("/") or ".." in PurePosixPath(run.cwd).parts or "\0" in run.cwd:
        raise InputError("the working directory is an absolute path inside the box", where="cwd")
    return run


def _check_limits(limits: Limits) -> None:
    least = {
        "cpu_s": (0.05, 86_400),
        "wall_s": (0.05, 86_400),
        "memory_mib": (16, 1 << 20),
        "processes": (1, 4096),
        "open_files": (16, 65_536),
        "file_mib": (0, 65_536),
        "work_mib": (1, 65_536),
        "output_bytes": (0, 1 << 30),
        "keep_bytes": (0, 1 << 30),
    }
    for name, (low, high) in least.items():
        value = getattr(limits, name)
        if not low <= value <= high:  # also refuses NaN
            raise InputError(f"{value} is not between {low} and {high}", where=f"limits.{name}")


def _check_files(run: Run) -> None:
    if len(run.inputs) > MAX_INPUTS:
        raise InputError(f"more than {MAX_INPUTS} input files", where="inputs", mend="bind a folder")
    for name in run.inputs:
        relative(name, "inputs")
        # Told here: bubblewrap would fail on it as it fails where no box can be made.
        if name.endswith("/") or any(str(folder) in run.inputs for folder in PurePosixPath(name).parents):
            raise InputError(
                f"a file where a folder is, or a folder where a file is: {name[:80]!a}", where="inputs",
                mend="give each file a name of its own",
            )  # fmt: skip
    if sum(map(len, run.inputs.values())) > run.limits.work_mib << 20:
        raise InputError("the inputs do not fit in /work", where="inputs", mend="raise limits.work_mib")
    if len(run.keep) > MAX_KEEP:
        raise InputError(f"more than {MAX_KEEP} names to keep", where="keep", mend="use a pattern")
    for name in run.keep:
        relative(name, "keep")
    if len(run.look_for) > MAX_KEEP:
        raise InputError(f"more than {MAX_KEEP} places to look for", where="look_for", mend="name fewer")
    for name in run.look_for:
        beneath(name)
    if len(run.binds) > MAX_BINDS:
        raise InputError(f"more than {MAX_BINDS} binds", where="binds", mend="bind a folder")
    for bind in run.binds:
        inside = PurePosixPath(bind.inside)
        if (
            not inside.is_absolute()
            or ".." in inside.parts
            or "\0" in bind.inside
            or inside == PurePosixPath("/")
        ):
            raise InputError(f"not a place in the box: {bind.inside[:80]!a}", where="binds")
        if inside.parts[1] in {"proc", "dev", "sys", "etc"}:
            raise InputError(
                f"{bind.inside[:80]} is made by the box itself", where="binds", mend="bind it elsewhere"
            )


def beneath(name: str) -> tuple[str, str]:
    """The writable place outside of /work that `name` lies in, and the way from there.

    Raises:
        InputError: it lies in none of them, climbs with "..", or can't be a file's name.
    """
    for place in WRITABLE[1:]:
        if name.startswith(f"{place}/"):
            return place, relative(name.removeprefix(f"{place}/").rstrip("/"), "look_for")
    raise InputError(
        f"not beneath {' or '.join(WRITABLE[1:])}: {name[:80]!a}", where="look_for", mend="name a file there"
    )


def relative(name: str, where: str) -> str:
    """`name`, when it stays beneath the folder it is relative to.

    Raises:
        InputError: it is empty, absolute, climbs with "..", or can't be a file's name.
    """
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "" in parts[:-1] or "." in parts:
        raise InputError(f"not a relative name: {name[:80]!a}", where=where, mend="no leading /, no . or ..")
    if len(_bytes(name, where)) > 1024 or len(parts) > 32 or any(len(p.encode()) > 255 for p in parts):
        raise InputError(f"too long a name: {name[:80]!a}", where=where)
    if not name.isprintable():
        raise InputError(f"a name with control characters: {name[:80]!a}", where=where)
    return name


def _bytes(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text that is not Unicode: {text[:80]!a}", where=where) from error
