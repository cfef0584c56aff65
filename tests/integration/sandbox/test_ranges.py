"""Hosts that see each other, and nothing else."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox_house
from clearway.records.errors import ClearwayError, ConfigError, InputError
from clearway.sandbox import Limits, Range, Run, Segment, range_of

SERVE = ("/usr/bin/python3", "-m", "http.server", "80", "--directory", "/work")
FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=3).read().decode())"
LIMITS = Limits(memory_mib=128, wall_s=15, processes=40)
PAIR = [Segment("lan", {"target": "10.7.0.1/24", "agent": "10.7.0.2/24"})]


@pytest.fixture(scope="module")
def made() -> Iterator[Range]:
    """Three hosts: one in both networks, the agent in both, the third in one."""
    sandbox_house.boxes().close()
    sandbox_house.needs("/usr/bin/python3")
    wide = {"target": "10.8.0.1/24", "agent": "10.8.0.2/24", "third": "10.8.0.3/24"}
    try:
        made = range_of(("target", "agent", "third"), [*PAIR, Segment("wide", wide)], limits=LIMITS)
    except ConfigError as error:
        pytest.skip(str(error))
    with made:
        yield made


def fetch(made: Range, host: str, address: str) -> str:
    asked = Run(argv=("/usr/bin/python3", "-c", FETCH, address), limits=LIMITS)
    outcome = made.hosts[host].exec(asked)
    return outcome.stdout.decode().strip() or outcome.stderr.decode().strip().splitlines()[-1]


def serve(made: Range, host: str, files: dict[str, bytes]) -> None:
    """Leaves a server running in the background, and waits until it listens."""
    script = '"$@" >/dev/null 2>&1 & while ! grep -q ":0050 .* 0A " /proc/net/tcp; do sleep 0.02; done'
    outcome = made.hosts[host].exec(
        Run(argv=("/bin/sh", "-c", script, "sh", *SERVE), inputs=files, limits=LIMITS)
    )
    assert (outcome.ended, outcome.code) == ("exited", 0), outcome


def test_a_service_of_one_host_is_reached_from_another_by_cable_and_by_switch(made):
    serve(made, "target", {"name": b"the target's"})
    assert fetch(made, "agent", "http://10.7.0.1/name") == "the target's"
    assert fetch(made, "agent", "http://10.8.0.1/name") == "the target's"
    assert fetch(made, "third", "http://10.8.0.1/name") == "the target's"


@pytest.mark.parametrize(
    "address",
    ["10.7.0.1", "8.8.8.8", "169.254.169.254", "127.0.0.1"],
    ids=["other network", "world", "cloud", "itself"],
)
def test_nothing_leads_out_of_the_networks_that_a_host_is_in(made, address):
    assert "Error" in fetch(made, "third", f"http://{address}/")


def test_a_hosts_program_is_under_the_filters_and_without_privileges(made):
    status = (
        made.hosts["agent"]
        .exec(Run(argv=("/bin/cat", "/proc/self/status", "/proc/1/environ")))
        .stdout.decode()
    )
    words = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {words[c].strip() for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (words["NoNewPrivs"], words["Seccomp"], words["Seccomp_filters"]) == ("1", "2", "2")
    assert words["Uid"].split() == words["Gid"].split() == ["1000"] * 4
    refused = made.hosts["agent"].exec(Run(argv=("/usr/bin/unshare", "--net", "/bin/true")))
    assert refused.code != 0


def test_files_stay_with_their_host_and_come_back(made):
    target = made.hosts["target"]
    target.exec(Run(argv=("/bin/sh", "-c", "echo kept >/work/kept"), limits=LIMITS))
    assert target.exec(Run(argv=("/bin/true",), keep=("kept",))).kept == {"kept": b"kept\n"}
    assert made.hosts["agent"].exec(Run(argv=("/bin/true",), keep=("kept",))).kept == {}


def test_a_status_is_exact_and_limits_hold(made):
    agent = made.hosts["agent"]
    exits = agent.exec(Run(argv=("/bin/sh", "-c", "exit 139")))
    assert (exits.ended, exits.code) == ("exited", 139)
    killed = agent.exec(Run(argv=("/bin/sh", "-c", "kill -11 $$")))
    assert (killed.ended, killed.code) == ("signal", 11)
    assert agent.exec(Run(argv=("/bin/sleep", "20"), limits=Limits(wall_s=0.2))).ended == "wall"
    assert agent.exec(Run(argv=("/usr/bin/yes",), limits=Limits(output_bytes=1000))).ended == "output"
    assert agent.exec(Run(argv=("/work/none",))).ended == "refused"
    assert agent.exec(Run(argv=("/bin/true",))).code == 0


def test_a_program_that_entered_can_not_be_read_by_those_that_are_there(made):
    agent = made.hosts["agent"]
    spy = "for i in $(seq 300); do cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep PYTHON; done | head -1"
    agent.exec(Run(argv=("/bin/sh", "-c", f"({spy}) >/work/seen 2>&1 &"), limits=LIMITS))
    for _ in range(10):
        agent.exec(Run(argv=("/bin/true",)))
    assert agent.exec(Run(argv=("/bin/cat", "/work/seen"))).stdout == b""


def test_two_ranges_with_equal_addresses_stay_apart(made):
    serve_file = {"name": b"another"}
    with range_of(("target", "agent"), PAIR, limits=LIMITS) as other:
        serve(other, "target", serve_file)
        assert fetch(other, "agent", "http://10.7.0.1/name") == "another"
        assert fetch(made, "agent", "http://10.7.0.1/name") == "the target's"


def test_the_machine_has_no_end_of_any_cable(made):
    before = set(os.listdir("/sys/class/net"))  # noqa: PTH208
    with range_of(("target", "agent"), PAIR, limits=LIMITS):
        assert set(os.listdir("/sys/class/net")) == before  # noqa: PTH208


@pytest.mark.parametrize(
    ("hosts", "segments", "said"),
    [
        ((), [], "1 to 32 hosts"),
        (("a", "a"), [], "different names"),
        (("Ä",), [], "not a name"),
        (("a", "b"), [Segment("x", {"a": "10.0.0.1/24"})], "two hosts or more"),
        (("a", "b"), [Segment("x", {"a": "10.0.0.1/24", "c": "10.0.0.2/24"})], "no host"),
        (("a", "b"), [Segment("x", {"a": "10.0.0.1/24", "b": "up\nlink del lo"})], "not an address"),
        (("a", "b"), [Segment("x", {"a": "10.0.0.1/24", "b": "10.0.0.2/24"})] * 2, "one name"),
    ],
)
def test_what_can_not_be_a_range_is_refused_before_anything_is_made(hosts, segments, said):
    with pytest.raises(InputError, match=said):
        range_of(hosts, segments)


_CONTROLLER = """
import os, sys, time
from clearway.sandbox import Limits, Run, Segment, range_of
made = range_of(("a", "b"), [Segment("lan", {"a": "10.9.0.1/24", "b": "10.9.0.2/24"})], limits=Limits(memory_mib=64))
made.hosts["a"].exec(Run(argv=("/bin/sh", "-c", "setsid sleep %s >/dev/null 2>&1 &")))
print(made.hosts["a"].pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("who", ["this user", "an ordinary user"])
def test_nothing_of_a_range_is_left_when_its_controller_is_killed(who):
    sandbox_house.boxes().close()
    ordinary = who == "an ordinary user"
    if ordinary and os.geteuid() != 0:
        pytest.skip("this user is ordinary already")
    word = f"41.{os.getpid()}{int(ordinary)}"
    more = (
        {"user": sandbox_house.ORDINARY, "group": sandbox_house.ORDINARY, "extra_groups": []}
        if ordinary
        else {}
    )
    path = os.pathsep.join([str(sandbox_house.SRC), *sandbox_house.packages()])
    controller = subprocess.Popen(
        [sandbox_house.python_for_all() if ordinary else sys.executable, "-c", _CONTROLLER % word],
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": path},
        cwd="/",
        **more,
    )
    with controller:
        pid = int(controller.stdout.readline())
        network = Path(f"/proc/{pid}/ns/net").stat().st_ino
        # The shell has ended, and what it left behind may not have begun.
        until = time.monotonic() + 30
        while time.monotonic() < until and not sleepers(word):
            time.sleep(0.02)
        there = sleepers(word)
        controller.send_signal(signal.SIGKILL)
    assert there
    until = time.monotonic() + 60
    while time.monotonic() < until and (sleepers(word) or network in networks()):
        time.sleep(0.02)
    assert not sleepers(word)
    assert network not in networks()


def sleepers(word: str) -> list[str]:
    return [p for p in os.listdir("/proc") if p.isdigit() and f"sleep\0{word}".encode() in _bytes(p)]  # noqa: PTH208


def _bytes(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def networks() -> set[int]:
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            found.add(Path(f"/proc/{pid}/ns/net").stat().st_ino)
        except OSError:
            continue
    return found


def test_an_ordinary_user_has_ranges_too():
    sandbox_house.needs("bwrap")
    if os.geteuid() != 0:
        pytest.skip("the other tests are that already")
    script = (
        "import pickle, sys\n"
        "from clearway.sandbox import Limits, Run, Segment, range_of\n"
        "hosts = {'a': '10.9.0.1/24', 'b': '10.9.0.2/24', 'c': '10.9.0.3/24'}\n"
        "listen = 'import socket; s = socket.create_server((\"\", 99)); print(s.accept()[1][0])'\n"
        "asked = Run(argv=('/usr/bin/python3', '-c', listen), limits=Limits(wall_s=10))\n"
        "call = Run(argv=('/usr/bin/python3', '-c', 'import socket, time\\n'\n"
        "    'for _ in range(100):\\n'\n"
        "    ' try: socket.create_connection((\"10.9.0.1\", 99)); break\\n'\n"
        "    ' except OSError: time.sleep(0.02)'), limits=Limits(wall_s=10))\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with range_of(tuple(hosts), [Segment('lan', hosts)]) as made, ThreadPoolExecutor() as pool:\n"
        "    heard = pool.submit(made.hosts['a'].exec, asked)\n"
        "    made.hosts['c'].exec(call)\n"
        "    sys.stdout.buffer.write(pickle.dumps(heard.result()))\n"
    )
    path = os.pathsep.join([str(sandbox_house.SRC), *sandbox_house.packages()])
    said = subprocess.run(
        [sandbox_house.python_for_all(), "-c", script],
        capture_output=True,
        user=sandbox_house.ORDINARY,
        group=sandbox_house.ORDINARY,
        extra_groups=[],
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": path},
        cwd="/",
        timeout=60,
    )
    assert said.returncode == 0, said.stderr.decode()
    assert pickle.loads(said.stdout).stdout == b"10.9.0.3\n"


def test_a_closed_range_refuses_in_words():
    sandbox_house.needs("bwrap")
    made = range_of(("a",), [])
    host = made.hosts["a"]
    made.close()
    with pytest.raises(ClearwayError):
        host.exec(Run(argv=("/bin/true",)))
