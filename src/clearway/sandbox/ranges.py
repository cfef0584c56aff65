"""Ranges: several hosts, each a box of its own, joined by networks that lead nowhere else.

    with range_of(("target", "agent"), [Segment("lan", {"target": "10.0.0.1/24", "agent": "10.0.0.2/24"})]) as it:
        it.hosts["target"].exec(Run(argv=("/usr/bin/python3", "/work/service.py"), inputs={...}))

- A host is a box whose only program waits; what is run in it goes in from outside, under the same filters and limits.
- A cable (veth) is made directly inside the two hosts' network namespaces, by pid. The machine's own namespace
  never has an end of it: nothing to clean up, no names to collide, and equal addresses in two ranges stay apart.
- A network of more than two hosts has a switch: a further box that holds a bridge and runs nothing.
- There is no way out: no route, no resolver, no gateway. What is to leave is asked of a host, and is an `Outcome`.
- When the controller dies, by any signal, the keeper's socket closes; it and every host end, and the cables with them.

An ordinary user's range lives in one outer user namespace of its own, in which its keeper may wire networks.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import resource
import shutil
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from clearway.records.errors import ConfigError, InputError, UpstreamError

from . import need
from .bubblewrap import Bubblewrap, mounted
from .cgroup import Counters, Group
from .choose import backend
from .ending import outcome_of
from .handles import Pipe, sealed
from .layout import environment_of
from .pack import packed
from .run import WORK, Limits, Outcome, Run, checked
from .spawn import Keeper, Started, keeper
from .watch import follow

MAX_HOSTS = 32
MAX_SEGMENTS = 32
_NAME = re.compile(r"[a-z][a-z0-9-]{0,14}")
_CAT = "/usr/bin/cat"
_ANSWER_S = 20.0


class Segment(Struct, frozen=True):
    """One network: its hosts, each with its address and prefix ("10.0.0.2/24", "fd00::2/64")."""

    name: str
    members: Mapping[str, str]


class Box:
    """One host of a range. Its files and background programs last as long as the range."""

    def __init__(self, made: Bubblewrap, by: Keeper, limits: Limits, held: contextlib.ExitStack) -> None:
        self._made, self._by, self._limits = made, by, limits
        self._user = held.enter_context(made.user())
        self._group: Group | None = held.enter_context(made.group(limits))
        self._talk, theirs = socket.socketpair()
        held.callback(self._talk.close)
        self._errors = Pipe(held)
        with theirs:
            waits = Run(argv=(_CAT,), limits=limits, loopback=True)
            streams = (theirs.fileno(), theirs.fileno(), self._errors.box)
            self._launched = made.launch(waits, self._user, self._group, streams, by.start, held)
        self._errors.close_box()
        self._box: Started = self._launched.box
        self._held = held
        held.callback(self._end)  # before its sockets close, and long before its group is anybody else's
        self._folders: list[int] = []
        self.pid = 0

    def up(self) -> None:
        """Waits until it stands. Apart from the start, so that the hosts of a range start side by side."""
        self._folders = mounted(self._launched, self._errors.ours, self._held)
        self._launched.gate.shutdown(socket.SHUT_WR)
        self._talk.settimeout(_ANSWER_S)
        try:
            self._talk.sendall(b"up")
            heard = self._talk.recv(2)  # its echo: every map and mount stands, and it is past its start
        except OSError:
            heard = b""
        if heard != b"up":
            raise UpstreamError(
                "a host of the range did not come up", where="sandbox", mend="run fewer at a time"
            )
        self.pid = self._box.init
        self._init = os.pidfd_open(self.pid)
        self._held.callback(os.close, self._init)
        self._mounts = os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._held.callback(os.close, self._mounts)

    def exec(self, run: Run) -> Outcome:
        """Runs a program in this host to its end or to the first limit; `binds` are the host's, set at its start.

        The status is exact. What the program leaves running in the background goes on. `limits` of memory and
        processes are the host's own and shared by all in it; the rest is of this program.

        Raises:
            InputError: `run` asks for what no box grants.
            UpstreamError: the host is gone.
        """
        checked(run)
        if run.binds:
            raise InputError("a running host binds nothing more", where="binds", mend="use inputs")
        if self._box.over:
            raise UpstreamError("the host is gone", where="sandbox")
        with contextlib.ExitStack() as held:
            if run.inputs:
                self._fill(run)
            out, err = Pipe(held), Pipe(held)
            before = self._group.read() if self._group else Counters(0, 0, 0)
            rlimits = self._made.rlimits(run, counted=self._group is not None)
            if self._group is None:  # counted in the host's own user namespace
                most = self._limits.processes + 3
                rlimits.append((resource.RLIMIT_NPROC, most, most))
            filters = [sealed(code, held) for code in self._made.filters(loopback=True)]
            request: dict[str, Any] = {
                "argv": list(run.argv),
                "env": environment_of(run.env),
                "cwd": run.cwd,
                "filters": len(filters),
                **(self._group.entry() if self._group else {}),
                "rlimits": rlimits,
            }
            stdin = sealed(run.stdin, held)
            box = self._by.start(request, [stdin, out.box, err.box, self._init, self._mounts, *filters])
            held.callback(box.close)
            out.close_box()
            err.close_box()
            seen = follow(
                box,
                (out.ours, err.ours),
                run.limits,
                began=time.monotonic(),
                group=self._group,
                before=before,
                folders=self._folders,
                tree_watched=False,
            )
            after = self._group.read() if self._group else None
            return outcome_of(run, box, seen, self._folders, before, after)

    def _fill(self, run: Run) -> None:
        """From inside: the host's files belong to users that the machine outside does not have."""
        tar = Run(argv=("/usr/bin/tar", "-xf", "-", "-C", WORK), stdin=packed(run.inputs), limits=run.limits)
        filled = self.exec(tar)
        if filled.ended != "exited" or filled.code != 0:
            said = filled.why or filled.stderr[:200].decode("ascii", "replace")
            raise InputError(f"the inputs are not taken: {said!a}", where="inputs")

    def _end(self) -> None:
        self._box.kill()
        with contextlib.suppress(UpstreamError):
            while not self._box.over:
                self._box.hear()


class Range:
    """Hosts by name, until `close`, or the end of the `with` block."""

    def __init__(self, hosts: Sequence[str], segments: Sequence[Segment], limits: Limits) -> None:
        _check(hosts, segments)
        self._held = contextlib.ExitStack()
        self._lock = threading.Lock()
        self.hosts: dict[str, Box] = {}
        try:
            self._make(hosts, segments, limits)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Range:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every host; nothing of the range is left."""
        with self._lock:
            self._held.close()
            self.hosts = {}

    def _make(self, hosts: Sequence[str], segments: Sequence[Segment], limits: Limits) -> None:
        made = backend("bubblewrap")
        assert isinstance(made, Bubblewrap)
        if os.geteuid() == 0:
            by = keeper()
        else:
            by = Keeper(wrap=(_tool("unshare"), "--user", "--map-root-user", "--net"))
            self._held.callback(by.close)
        switches = [s.name for s in segments if len(s.members) > 2]
        small = structs.replace(limits, memory_mib=16, processes=4)
        boxes: dict[str, Box] = {}
        for name in (*hosts, *(f"switch {s}" for s in switches)):
            boxes[name] = Box(made, by, small if name.startswith("switch ") else limits, self._held)
        for box in boxes.values():
            box.up()
        _wire(by, boxes, segments)
        self.hosts = {name: boxes[name] for name in hosts}


def range_of(hosts: Sequence[str], segments: Sequence[Segment], *, limits: Limits | None = None) -> Range:
    """A range of these hosts and networks, up and wired. `limits` are each host's.

    Raises:
        InputError: names, addresses or numbers that can't be.
        ConfigError: what is missing on this machine, and the cure.
        UpstreamError: it did not come up.
    """
    return Range(hosts, segments, limits or Limits())


def _check(hosts: Sequence[str], segments: Sequence[Segment]) -> None:
    if not 1 <= len(hosts) <= MAX_HOSTS or len(set(hosts)) != len(hosts) or len(segments) > MAX_SEGMENTS:
        raise InputError(
            f"1 to {MAX_HOSTS} hosts of different names, up to {MAX_SEGMENTS} networks", where="range"
        )
    for name in (*hosts, *(s.name for s in segments)):
        if not _NAME.fullmatch(name):
            raise InputError(f"not a name: {name[:40]!a}", where="range", mend="a-z, 0-9 and -, at most 15")
    if len({s.name for s in segments}) != len(segments):
        raise InputError("two networks of one name", where="range")
    for segment in segments:
        if len(segment.members) < 2:
            raise InputError("a network joins two hosts or more", where=segment.name)
        for host, address in segment.members.items():
            if host not in hosts:
                raise InputError(f"no host {host[:40]!a}", where=segment.name)
            try:
                ipaddress.ip_interface(address)
            except ValueError as error:
                raise InputError(
                    f"not an address: {address[:60]!a}", where=segment.name, mend="such as 10.0.0.2/24"
                ) from error


def _wire(by: Keeper, boxes: Mapping[str, Box], segments: Sequence[Segment]) -> None:
    """Cables, addresses and switches, by one batch of `ip` for the cables and one inside each host."""
    cables: list[str] = []
    inside: dict[str, list[str]] = {name: ["link set lo up"] for name in boxes}
    taken = dict.fromkeys(boxes, 0)

    def plug(name: str) -> str:
        taken[name] += 1
        return f"eth{taken[name] - 1}"

    for segment in segments:
        names = list(segment.members)
        pairs = [(names[0], names[1])] if len(names) == 2 else [(n, f"switch {segment.name}") for n in names]
        if len(names) > 2:
            inside[f"switch {segment.name}"] += ["link add br0 type bridge", "link set br0 up"]
        for a, b in pairs:
            ends = {a: plug(a), b: plug(b)}
            cables.append(
                f"link add {ends[a]} netns {boxes[a].pid} type veth peer name {ends[b]} netns {boxes[b].pid}"
            )
            for name, end in ends.items():
                if name in segment.members:
                    inside[name].append(f"address add {segment.members[name]} dev {end} nodad")
                else:
                    inside[name].append(f"link set {end} master br0")
                inside[name].append(f"link set {end} up")
    ip, nsenter = _tool("ip"), _tool("nsenter")
    _told(by, [ip, "-batch", "-"], cables)
    waiting = []
    for name, lines in inside.items():
        enter = [nsenter, "--target", str(boxes[name].pid), "--net"]
        waiting.append(_ask(by, [*enter, ip, "-batch", "-"], lines))
        # Services of a host may have ports below 1024: nobody in it has the capability that these ask for.
        low = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
        waiting.append(_ask(by, [*enter, _tool("tee"), low], ["0"]))
    for asked in waiting:
        _answered(*asked)


def _told(by: Keeper, argv: list[str], lines: Sequence[str]) -> None:
    if lines:
        _answered(*_ask(by, argv, lines))


def _ask(by: Keeper, argv: list[str], lines: Sequence[str]) -> tuple[Started, Pipe, contextlib.ExitStack]:
    held = contextlib.ExitStack()
    stdin = sealed("".join(f"{line}\n" for line in lines).encode(), held)
    said = Pipe(held)
    started = by.start({"argv": argv}, [stdin, said.box, said.box])
    held.callback(started.close)
    said.close_box()
    return started, said, held


def _answered(started: Started, said: Pipe, held: contextlib.ExitStack) -> None:
    with held:
        while not started.over:
            started.hear()
        if started.status != 0:
            text = started.error or os.read(said.ours, 2000).decode("utf-8", "replace")
            raise need.wiring(" ".join(text.split()))


def _tool(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        package = "iproute2" if name == "ip" else "util-linux"
        raise ConfigError(
            f"{name} is missing", where="sandbox", mend=f"install it: apt-get install {package}"
        )
    return path
