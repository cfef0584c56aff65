"""What a box looks like from inside, as bubblewrap's arguments: pure.

Read-only: /usr and the links into it, a made-up /etc, a root that is empty otherwise. Writable: /work, /tmp and
/dev/shm, each of a set size and empty. /proc is the box's own, and empty where it tells of this machine's disks,
devices and boot (`_MASKED`); there is no /sys; /dev has the five devices that are only data.
Bubblewrap reads its arguments from a descriptor: they are not in /proc/1/cmdline. What the kernel tells each process of
itself can't be masked: /proc/self/mountinfo names the places of this machine that are bound, /proc/self/uid_map the
box's user number outside (docs/explain/sandbox.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from .run import SCRATCH_MIB, WORK

USER = 1000  # the box's only user
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_ETC = {
    "passwd": "root:x:0:0::/:/usr/sbin/nologin\nbox:x:1000:1000::/work:/bin/sh\n",
    "group": "root:x:0:\nbox:x:1000:\n",
    "hosts": "127.0.0.1 localhost box\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "hostname": "box\n",
}
# Of /proc, what is the machine's: how it was started, its disks and devices. An empty file lies over each.
_MASKED = ("cmdline", "diskstats", "interrupts", "iomem", "ioports", "modules", "partitions", "swaps")
_BORROWED = ("ld.so.cache", "alternatives")  # where programs and libraries of /usr are found; names only


class Host(Struct, frozen=True):
    """What of this machine a box is made from."""

    links: tuple[tuple[str, str], ...]  # ("/bin", "usr/bin")
    folders: tuple[str, ...]  # those of / that are no links, and /usr
    etc: tuple[str, ...]
    masked: tuple[str, ...] = ()  # of /proc
    bind_by_descriptor: bool = True  # bubblewrap has --ro-bind-fd


def host(root: Path = Path("/"), *, bind_by_descriptor: bool = True) -> Host:
    """What `root` has of a system's folders."""
    links, folders = [], ["/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = root / name
        if place.is_symlink():
            links.append((f"/{name}", str(place.readlink())))
        elif place.is_dir():
            folders.append(f"/{name}")
    etc = tuple(name for name in _BORROWED if (root / "etc" / name).exists())
    masked = tuple(name for name in _MASKED if (root / "proc" / name).exists())
    return Host(tuple(links), tuple(folders), etc, masked=masked, bind_by_descriptor=bind_by_descriptor)


class Numbers:
    """Gives each descriptor that a box is born with its number there, in order."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.fds: list[int] = []

    def add(self, fd: int) -> str:
        self.fds.append(fd)
        return str(self._first + len(self.fds) - 1)

    def of(self, fds: set[int]) -> list[int]:
        """The numbers of those of `fds` that were added."""
        return [self._first + place for place, fd in enumerate(self.fds) if fd in fds]


def namespaces() -> list[str]:
    """Every namespace of its own, and no further ones."""
    return [
        *(
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ),
        *("--disable-userns", "--uid", str(USER), "--gid", str(USER), "--hostname", "box"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
    ]


def environment_of(env: Mapping[str, str]) -> dict[str, str]:
    """`env` over a path, a home and a locale; nothing else."""
    return {"PATH": _PATH, "HOME": WORK, "LANG": "C.UTF-8", "TMPDIR": "/tmp", **env}  # noqa: S108


def environment(env: Mapping[str, str]) -> list[str]:
    """The arguments for exactly that environment."""
    words = ["--clearenv"]
    for key, value in environment_of(env).items():
        words += ["--setenv", key, value]
    return words


def system(found: Host) -> list[str]:
    """/usr, /proc, /dev and what of /etc is borrowed."""
    words: list[str] = []
    for folder in found.folders:
        words += ["--ro-bind", folder, folder]
    for name, target in found.links:
        words += ["--symlink", target, name]
    words += ["--proc", "/proc"]
    for device in _DEVICES:
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        words += ["--symlink", f"/proc/self/fd/{number}", f"/dev/{name}"]
    words += ["--symlink", "/proc/self/fd", "/dev/fd"]
    for name in found.etc:
        words += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    return words


def etc(numbers: Numbers, files: Sequence[int]) -> list[str]:
    """The made-up files of /etc; `files` are descriptors in the order of `etc_files()`."""
    words: list[str] = []
    for name, fd in zip(_ETC, files, strict=True):
        words += ["--file", numbers.add(fd), f"/etc/{name}"]
    return words


def masks(numbers: Numbers, found: Host, empty: int) -> list[str]:
    """An empty file, the open `empty`, over each file of /proc that tells of this machine."""
    words: list[str] = []
    for name in found.masked:
        words += ["--ro-bind-data", numbers.add(empty), f"/proc/{name}"]
    return words


def etc_files() -> tuple[bytes, ...]:
    """What the files of /etc hold."""
    return tuple(text.encode() for text in _ETC.values())


def writable(work_mib: int) -> list[str]:
    """The three places of a set size."""
    words: list[str] = []
    for place, size in (("/tmp", SCRATCH_MIB), ("/dev/shm", SCRATCH_MIB), (WORK, work_mib)):  # noqa: S108
        words += ["--size", str(size << 20), "--tmpfs", place]
    return words


def binds(
    numbers: Numbers, found: Host, places: Sequence[tuple[int, str, str]], stage: str = ""
) -> list[str]:
    """Read-only binds: (descriptor, real path, place inside). By descriptor nothing can be exchanged under way.

    With `stage`, the keeper has bound the descriptors there, in this order, and closed them.
    """
    words: list[str] = []
    for number, (fd, path, inside) in enumerate(places):
        if stage:
            words += ["--ro-bind", f"{stage}/{number}", inside]
        elif found.bind_by_descriptor:
            words += ["--ro-bind-fd", numbers.add(fd), inside]
        else:
            words += ["--ro-bind", path, inside]
    return words


def inputs(numbers: Numbers, files: Sequence[tuple[int, str]]) -> list[str]:
    """Files made in /work: (descriptor, relative name). All may be executed."""
    words: list[str] = []
    for fd, name in files:
        words += ["--perms", "0755", "--file", numbers.add(fd), f"{WORK}/{name}"]
    return words


def gate(numbers: Numbers, ready: int, wait: int) -> list[str]:
    """Tells us that all is mounted, and then waits for us.

    Bubblewrap copies `ready` (at its end already) and closes it: the other end hangs up, which is the signal. Then it
    copies `wait`, which does not end before we say so. Last, the root becomes read-only.
    """
    return [
        *("--file", numbers.add(ready), "/run/ready", "--file", numbers.add(wait), "/run/started"),
        *("--remount-ro", "/"),
    ]
