"""Control groups: what bounds memory, processes and CPU of a whole box. Version 2, else version 1, else none.

A box's group is made once and used again, one box at a time: making and removing one costs more than all else
about it. Groups are named after this process; those of processes that are gone are removed at the next start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

Version = Literal["v2", "v1", "rlimits"]
ROOT = Path("/sys/fs/cgroup")
ENV = "CLEARWAY_SANDBOX_CGROUP"  # a group of version 2 that was delegated to us
_PREFIX = "clearway-"
_SPARE_PROCESSES = 4  # bubblewrap's monitor and init, and its helper at the start
_SPARE_MEMORY = 8 << 20  # theirs


class Counters(Struct, frozen=True):
    """What a group counted. `oom` is how many of its processes were killed for memory, ever."""

    cpu_s: float
    memory_bytes: int
    oom: int


class Group:
    """One box's group: a folder in version 2, one for each controller in version 1."""

    def __init__(self, version: Version, folders: dict[str, Path]) -> None:
        self._version, self._folders = version, folders
        self._bound = ("", "")

    @property
    def entrances(self) -> list[str]:
        """Files of version 1 into which a process writes "0" to enter.

        They are `tasks`: a thread that moves itself takes no machine-wide lock, which `cgroup.procs`
        does, at the price of an RCU grace period (milliseconds) for each controller.
        """
        if self._version == "v2":
            return []
        return [str(folder / "tasks") for folder in dict.fromkeys(self._folders.values())]

    @property
    def birthplace(self) -> str:
        """The folder of version 2 in which a process may be born; empty in version 1."""
        return str(self._folders["memory"]) if self._version == "v2" else ""

    def entry(self) -> dict[str, object]:
        """What a request to the keeper says of the group."""
        return {"groups": self.entrances} | ({"into": self.birthplace} if self._version == "v2" else {})

    def bound(self, memory_bytes: int, processes: int) -> None:
        """Sets what the next box may use, and forgets the peak of the last.

        Raises:
            OSError: the kernel refuses.
        """
        memory, pids = str(memory_bytes + _SPARE_MEMORY), str(processes + _SPARE_PROCESSES)
        if self._bound == (memory, pids):
            with contextlib.suppress(OSError):
                self._forget_peak()
            return
        self._bound = ("", "")
        if self._version == "v2":
            self._write("memory", "memory.max", memory)
            with contextlib.suppress(OSError):  # where there is no swap to account
                self._write("memory", "memory.swap.max", "0")
        else:
            with contextlib.suppress(
                OSError
            ):  # one of the two is refused, depending on which way the bound moves
                self._write("memory", "memory.memsw.limit_in_bytes", memory)
            self._write("memory", "memory.limit_in_bytes", memory)
            with contextlib.suppress(OSError):
                self._write("memory", "memory.memsw.limit_in_bytes", memory)
        self._write("pids", "pids.max", pids)
        with contextlib.suppress(OSError):
            self._forget_peak()
        self._bound = (memory, pids)

    def read(self) -> Counters:
        """The counters now; zeros for what can't be read."""
        if self._version == "v2":
            return Counters(
                cpu_s=_field(self._text("cpu", "cpu.stat"), "usage_usec") / 1e6,
                memory_bytes=_number(self._text("memory", "memory.peak")),
                oom=_field(self._text("memory", "memory.events"), "oom_kill"),
            )
        return Counters(
            cpu_s=_number(self._text("cpuacct", "cpuacct.usage")) / 1e9,
            memory_bytes=_number(self._text("memory", "memory.max_usage_in_bytes")),
            oom=_field(self._text("memory", "memory.oom_control"), "oom_kill"),
        )

    def cpu_s(self) -> float:
        """CPU of the whole box so far and of those before it in this group."""
        if self._version == "v2":
            return _field(self._text("cpu", "cpu.stat"), "usage_usec") / 1e6
        return _number(self._text("cpuacct", "cpuacct.usage")) / 1e9

    def oom(self) -> int:
        """How many processes were killed for memory, ever."""
        name = "memory.events" if self._version == "v2" else "memory.oom_control"
        return _field(self._text("memory", name), "oom_kill")

    def kill(self) -> None:
        """Kills what is left in it, whoever started it."""
        for folder in dict.fromkeys(self._folders.values()):
            with contextlib.suppress(OSError, ValueError):
                for pid in (folder / "cgroup.procs").read_text("ascii").split():
                    os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> None:
        """Removes its folders, where nothing is in them any more."""
        for folder in dict.fromkeys(self._folders.values()):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _forget_peak(self) -> None:
        if self._version == "v2":
            self._write("memory", "memory.peak", "reset")  # since Linux 6.12
        else:
            self._write("memory", "memory.max_usage_in_bytes", "0")

    def _write(self, controller: str, name: str, value: str) -> None:
        fd = os.open(self._folders[controller] / name, os.O_WRONLY)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)

    def _text(self, controller: str, name: str) -> str:
        folder = self._folders.get(controller)
        if folder is None:
            return ""
        try:
            return (folder / name).read_text("ascii")
        except OSError:
            return ""


class Groups:
    """The pool of groups of this process."""

    def __init__(self, root: Path = ROOT, own: str | None = None) -> None:
        own = _own() if own is None else own
        self.version: Version = "rlimits"
        self._homes: dict[str, Path] = {}
        self._free: list[Group] = []
        self._made = 0
        self._lock = threading.Lock()
        for version, homes in _candidates(root, own):
            if self._settle(version, homes):
                return

    def take(self) -> Group | None:
        """A group nobody uses; None where groups can't be made."""
        if self.version == "rlimits":
            return None
        with self._lock:
            if self._free:
                return self._free.pop()
            try:
                folders = self._new()
            except OSError:
                return None
        try:
            if self.version == "v2":
                with contextlib.suppress(OSError):  # all or none: no half-killed box
                    (folders["memory"] / "memory.oom.group").write_text("1")
        except OSError:
            return None
        return Group(self.version, folders)

    def _new(self) -> dict[str, Path]:
        """Folders that nobody has: another pool of this process may have made some."""
        while True:
            self._made += 1
            folders = {c: home / f"box-{self._made}" for c, home in self._homes.items()}
            try:
                for folder in dict.fromkeys(folders.values()):
                    folder.mkdir()
            except FileExistsError:
                continue
            return folders

    def give_back(self, group: Group) -> None:
        with self._lock:
            self._free.append(group)

    def close(self) -> None:
        """Removes the groups that nobody uses."""
        with self._lock:
            for group in self._free:
                group.remove()
            self._free.clear()
        for home in dict.fromkeys(self._homes.values()):
            with contextlib.suppress(OSError):
                home.rmdir()

    def _settle(self, version: Version, homes: dict[str, Path]) -> bool:
        mine = {c: base / f"{_PREFIX}{os.getpid()}" for c, base in homes.items()}
        try:
            for base in dict.fromkeys(homes.values()):
                sweep(base)
                (base / f"{_PREFIX}{os.getpid()}").mkdir(exist_ok=True)
            if version == "v2":
                base, home = homes["memory"], mine["memory"]
                for folder in (base, home):
                    (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
            self._homes, self.version = mine, version
            trial = self.take()
            if trial is None:
                raise OSError("no group can be made")
            trial.bound(64 << 20, 8)
            self._free.append(trial)
        except OSError:
            self._homes, self.version = {}, "rlimits"
            for home in dict.fromkeys(mine.values()):
                with contextlib.suppress(OSError):
                    home.rmdir()
            return False
        return True


def sweep(base: Path) -> None:
    """Removes the groups of processes that are gone; one that still holds a process stays."""
    with contextlib.suppress(OSError):
        for home in base.glob(f"{_PREFIX}*"):
            pid = home.name.removeprefix(_PREFIX)
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                for box in home.glob("box-*"):
                    with contextlib.suppress(OSError):
                        box.rmdir()
                with contextlib.suppress(OSError):
                    home.rmdir()


def _own() -> str:
    try:
        return Path("/proc/self/cgroup").read_text("utf-8")
    except OSError:
        return ""


def _candidates(root: Path, own: str) -> list[tuple[Version, dict[str, Path]]]:
    """Where groups might be made, the best first, from /proc/self/cgroup (cgroups(7))."""
    places: dict[str, str] = {}
    for line in own.splitlines():
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else [""]:
            places[controller] = path.lstrip("/")
    found: list[tuple[Version, dict[str, Path]]] = []
    if named := os.environ.get(ENV):
        found.append(("v2", dict.fromkeys(("memory", "pids", "cpu"), Path(named))))
    if "" in places:
        for mount in (root, root / "unified"):
            here = mount / places[""]
            # The own group holds processes, so that it can have no children with controllers unless it is the root:
            # a delegated parent (a user's slice) is the next place to ask.
            for base in [here, *here.parents][:3]:
                if base.is_relative_to(mount) and _has(base / "cgroup.controllers", ("memory", "pids")):
                    found.append(("v2", dict.fromkeys(("memory", "pids", "cpu"), base)))
    if {"memory", "pids"} <= places.keys():
        homes = {}
        for controller in ("memory", "pids", "cpuacct"):
            if controller in places:
                here = root / controller / places[controller]
                homes[controller] = (
                    here if here.is_dir() else root / controller
                )  # a container sees its own as the root
        found.append(("v1", homes))
    return found


def _has(path: Path, wanted: Sequence[str]) -> bool:
    try:
        return set(wanted) <= set(path.read_text("ascii").split())
    except OSError:
        return False


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isdigit() else 0


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value)
    return 0
