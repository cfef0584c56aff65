"""What a program in a box tries on the machine around it: refused, and seen to be refused.

Where it does no harm, the same program is run outside first: there it succeeds, so that a test can fail.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from clearway.sandbox import Bind, Limits, Run

REFUSED = {errno.EPERM, errno.ENOSYS}


def tries(stdout: bytes) -> dict[str, int]:
    """Name and errno of each try."""
    lines = [line.rsplit(" ", 1) for line in stdout.decode("utf-8", "replace").splitlines()]
    return {name: int(number) for name, number in lines}


def outside(attack: Path, *words: str) -> dict[str, int]:
    return tries(subprocess.run([attack, *words], capture_output=True, check=True).stdout)


def test_every_dangerous_kernel_interface_is_refused(attacks, attack):
    there = outside(attack, "kernel")
    assert sum(number not in REFUSED for number in there.values()) > 20, (
        "these tries show nothing on this kernel"
    )
    here = tries(attacks("kernel").stdout)
    assert here.keys() == there.keys()
    assert {name: n for name, n in here.items() if n not in REFUSED} == {}


WATCH = """
import ctypes, fcntl, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def told(name, result):
    print(name, 0 if result >= 0 else ctypes.get_errno())
told("inotify", libc.inotify_init1(0))
told("fanotify", libc.fanotify_init(0x200, 0))
for name, flags, path, command, value in (
    ("dnotify", os.O_RDONLY | os.O_DIRECTORY, "/usr/bin", 0x402, 1),
    ("dnotify with high bits", os.O_RDONLY | os.O_DIRECTORY, "/usr/bin", 0x402 + (1 << 32), 1),
    ("lease", os.O_RDONLY, sys.argv[1], 0x400, 0),
    ("lock", os.O_RDONLY, sys.argv[1], 6, 0),
):
    fd = os.open(path, flags)
    if name == "lock":
        fcntl.flock(fd, fcntl.LOCK_EX)
        print(name, 0)
    else:
        told(name, libc.syscall(ctypes.c_long(72), ctypes.c_long(fd), ctypes.c_long(command), ctypes.c_long(value)))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="fcntl has another number there")
def test_nobody_watches_who_uses_the_files_of_the_machine(boxes, tmp_path):
    own = tmp_path / "own"
    own.touch()
    done = subprocess.run(["/usr/bin/python3", "-c", WATCH, own], capture_output=True, check=True)
    there = tries(done.stdout)
    assert [there[n] for n in ("inotify", "dnotify", "lease", "lock")] == [0, 0, 0, 0]
    run = Run(argv=("/usr/bin/python3", "-c", WATCH, "/work/own"), inputs={"own": b""})
    here = tries(boxes.run(run).stdout)
    assert here.pop("lock") == 0  # of a file of its own, as programs do
    assert here == {
        "inotify": errno.ENOSYS,
        "fanotify": errno.EPERM,
        "dnotify": errno.EINVAL,
        "dnotify with high bits": errno.EINVAL,
        "lease": errno.EINVAL,
    }


def test_proc_tells_nothing_of_the_start_the_disks_and_the_devices_of_the_machine(boxes):
    names = [n for n in ("cmdline", "partitions", "diskstats", "iomem") if Path("/proc", n).read_bytes()]
    assert names
    script = (
        "wc -c " + " ".join(f"/proc/{n}" for n in names) + "; cat /proc/cpuinfo | head -1; cat /proc/swaps"
    )
    said = boxes.run(Run(argv=("/bin/sh", "-c", script))).stdout.decode().splitlines()
    assert [line.split()[0] for line in said[: len(names)]] == ["0"] * len(names)
    assert said[-1].startswith(("processor", "0 total"))


def test_no_new_namespace_is_made(attacks):
    here = tries(attacks("namespaces").stdout)
    assert len(here) == 14
    assert set(here.values()) <= REFUSED


def test_no_socket_but_of_the_box_itself(attacks, attack):
    assert outside(attack, "families")["inet"] == 0
    here = tries(attacks("families").stdout)
    assert here.pop("unix") == 0
    assert set(here.values()) == {errno.ENOSYS}


def test_the_entrance_of_another_architecture_ends_the_program(attacks):
    outcome = attacks("i386")
    assert (outcome.ended, outcome.code) == ("signal", 31)  # SIGSYS
    assert outcome.stdout == b""


def test_a_listener_of_the_host_is_not_reached(attacks, attack):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert outside(attack, "inet", "127.0.0.1", port) == {"inet": 0}
        assert tries(attacks("inet", "127.0.0.1", port).stdout)["inet"] == errno.ENOSYS
        assert tries(attacks("inet", "127.0.0.1", port, loopback=True).stdout)["inet"] == errno.ECONNREFUSED
        assert (
            tries(attacks("inet", "169.254.169.254", "80", loopback=True).stdout)["inet"] == errno.ENETUNREACH
        )
        assert tries(attacks("inet", "8.8.8.8", "53", loopback=True).stdout)["inet"] == errno.ENETUNREACH


def test_an_abstract_socket_of_the_host_is_not_reached(attacks, attack):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0clearway-box-test")
        listener.listen()
        assert outside(attack, "abstract", "clearway-box-test") == {"abstract": 0}
        assert tries(attacks("abstract", "clearway-box-test").stdout) == {"abstract": errno.ECONNREFUSED}


def test_no_file_of_the_host_but_the_system_is_there(attacks, attack, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    names = [
        str(secret),
        str(Path(__file__)),
        "/etc/shadow",
        "/root",
        "/home",
        "/var/lib",
        "/sys/kernel",
        "/boot",
        "/mnt",
    ]
    assert outside(attack, "files", *names)[str(secret)] == 0
    here = tries(attacks("files", *names).stdout)
    assert set(here.values()) == {errno.ENOENT}


def test_nothing_of_the_system_can_be_written(attacks):
    names = [
        *("/usr/bin/x", "/etc/passwd", "/etc/x", "/x", "/run/x", "/dev/x", "/lib/x"),
        *(
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/core_pattern",
            "/proc/sysrq-trigger",
        ),
        *("/proc/1/mem", "/proc/sys/user/max_user_namespaces", "/sys/x", "/proc/self/uid_map"),
    ]
    here = tries(attacks("writes", *names, "/work/x").stdout)
    assert here.pop("/work/x") == 0
    assert 0 not in here.values()
    assert set(here.values()) <= {errno.EROFS, errno.EACCES, errno.ENOENT, errno.EPERM, errno.EIO}


def test_devices_and_other_users_are_refused(attacks):
    here = tries(attacks("devices").stdout)
    assert len(here) == 9
    assert 0 not in here.values()


def test_the_terminal_can_not_be_typed_into(attacks, attack):
    assert outside(attack, "terminal")["TIOCSTI-high-bits"] == errno.ENOTTY
    here = tries(attacks("terminal").stdout)
    assert here["TIOCSTI"] == here["TIOCSTI-high-bits"] == here["TIOCLINUX"] == errno.EPERM
    assert here["tty"] == here["ptmx"] == here["console"] == errno.ENOENT


def test_nobody_outside_can_be_signalled_and_the_init_does_not_die(attacks):
    outcome = attacks("kills")
    here = tries(outcome.stdout)
    assert here["alive"] == 0
    assert not [name for name in here if name.startswith("sees")]


def test_neither_the_environment_nor_the_command_line_of_the_host_can_be_read(boxes, monkeypatch):
    monkeypatch.setenv("CLEARWAY_TEST_KEY", "do-not-tell")
    outcome = boxes.run(Run(argv=("/bin/cat", "/proc/1/environ", "/proc/1/cmdline"), env={"A": "b"}))
    environ, _, rest = outcome.stdout.partition(b"/usr/")
    assert environ.strip(b"\0") == b""
    assert b"do-not-tell" not in rest
    assert rest.split(b"\0")[1] == b"--args"
    own = boxes.run(Run(argv=("/usr/bin/env",), env={"A": "b"})).stdout.decode().splitlines()
    assert sorted(line.split("=")[0] for line in own) == ["A", "HOME", "LANG", "PATH", "PWD", "TMPDIR"]


def test_no_descriptor_is_inherited(boxes):
    outcome = boxes.run(Run(argv=("/bin/ls", "-l", "/proc/self/fd")))
    numbers = [
        line.split(" -> ")[0].split()[-1] for line in outcome.stdout.decode().splitlines() if " -> " in line
    ]
    assert numbers == ["0", "1", "2", "3"]  # 3 is the folder that ls reads


def test_stdin_and_inputs_can_not_be_changed_for_others(boxes):
    script = "printf evil 1<>/proc/self/fd/0; printf evil >/proc/self/fd/0; cat"
    outcome = boxes.run(Run(argv=("/bin/sh", "-c", script), stdin=b"good"))
    assert outcome.stdout == b"good"


def test_privileges_are_gone_for_good(boxes):
    status = boxes.run(Run(argv=("/bin/cat", "/proc/self/status"))).stdout.decode()
    words = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {words[c].strip() for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert words["NoNewPrivs"] == "1"
    assert (words["Seccomp"], words["Seccomp_filters"]) == ("2", "2")
    assert words["Uid"].split() == ["1000"] * 4


def test_a_setuid_program_gives_nothing(boxes, tmp_path, attack):
    place = tmp_path / "setuid"
    place.mkdir(mode=0o755)
    (place / "attack").write_bytes(attack.read_bytes())
    (place / "attack").chmod(0o4755)
    for folder in (place, *place.parents):  # as far as pytest made them for this user alone
        if folder.stat().st_uid == os.geteuid() and "pytest" in str(folder):
            folder.chmod(0o755)
    outcome = boxes.run(Run(argv=("/opt/attack", "devices"), binds=(Bind(place, "/opt"),)))
    assert tries(outcome.stdout)["setuid"] in {errno.EPERM, errno.EINVAL}
    assert tries(
        boxes.run(Run(argv=("/opt/attack", "writes", "/opt/x"), binds=(Bind(place, "/opt"),))).stdout
    ) == {"/opt/x": errno.EROFS}


def test_boxes_that_run_at_the_same_time_see_nothing_of_each_other(boxes, attack):
    if type(boxes).__name__ == "Elsewhere":
        pytest.skip("one at a time there")
    from concurrent.futures import ThreadPoolExecutor

    look = "echo $$ >/tmp/mine; echo x >/dev/shm/mine; sleep 0.3; ls /tmp /dev/shm /work; ls -d /proc/[0-9]* | wc -l"
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: boxes.run(Run(argv=("/bin/sh", "-c", look))), range(4)))
    for outcome in outcomes:
        *seen, processes = outcome.stdout.decode().split()
        assert seen == ["/dev/shm:", "mine", "/tmp:", "mine", "/work:"]
        assert int(processes) <= 5  # the init, the shell and what it runs


@pytest.mark.parametrize(
    "flood", [b"\x1b]0;owned\x07\x1b[2J", b"\xff\xfe\x00"], ids=["terminal codes", "no text"]
)
def test_output_is_bytes_and_nothing_reads_it(boxes, flood):
    outcome = boxes.run(Run(argv=("/bin/cat",), stdin=flood))
    assert outcome.stdout == flood


def test_the_wall_clock_is_ours_and_not_the_programs(attacks):
    outcome = attacks("outlast", "30", limits=Limits(wall_s=0.4))
    assert outcome.ended == "wall"
    assert outcome.why == "ran for 0.4 s"
