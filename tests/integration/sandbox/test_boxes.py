"""Programs in boxes: what they get, what comes back, and what happens when we are not there any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import sandbox_house
from clearway.records.errors import InputError
from clearway.sandbox import Bind, Limits, Run
from clearway.sandbox import spawn as spawning

OVERFLOW = """
#include <stdlib.h>
int main(int argc, char **argv) {
    volatile char *p = malloc(8);
    p[argc > 1 ? 8 : 7] = (char)argc;
    return argc > 9 ? p[7] : 0;
}
"""


def alive(word: str) -> list[int]:
    """Processes of the machine with this word in their command line, zombies not counted."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def gone(word: str, within_s: float = 60.0) -> bool:
    until = time.monotonic() + within_s
    while alive(word) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(word)


def test_a_program_gets_its_words_its_files_and_its_input(boxes):
    outcome = boxes.run(
        Run(
            argv=("/bin/sh", "-c", 'printf "%s|" "$@" "$A" "$PWD"; cat sub/file; cat', "sh", "one two", "*"),
            env={"A": "b c"},
            inputs={"sub/file": b"from a file, "},
            stdin=b"from stdin",
        )
    )
    assert outcome.stdout == b"one two|*|b c|/work|from a file, from stdin"
    assert (outcome.ended, outcome.code, outcome.stderr, outcome.cut) == ("exited", 0, b"", False)
    assert 0 < outcome.wall_s < 10
    assert outcome.max_rss_mib > 0.5


def test_standard_error_is_apart(boxes):
    outcome = boxes.run(Run(argv=("/bin/sh", "-c", "echo out; echo err >&2; exit 4")))
    assert (outcome.stdout, outcome.stderr, outcome.code) == (b"out\n", b"err\n", 4)


def test_a_folder_is_bound_read_only_where_it_is_wanted(boxes, tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.txt").write_text("text")
    folder.chmod(0o755)
    outcome = boxes.run(
        Run(argv=("/bin/sh", "-c", "cat a.txt; echo x >b"), binds=(Bind(folder, "/src"),), cwd="/src")
    )
    assert outcome.stdout == b"text"
    assert b"Read-only file system" in outcome.stderr
    assert not (folder / "b").exists()


def test_a_folder_that_other_users_may_not_read_is_named_with_the_cure(boxes, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("boxes have this user here, who may read it")
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    with pytest.raises(InputError, match=r"not readable by other users.*chmod"):
        boxes.run(Run(argv=("/bin/true",), binds=(Bind(folder, "/src"),)))


def test_a_bind_that_is_not_there_is_named(boxes, tmp_path):
    with pytest.raises(InputError, match="No such file"):
        boxes.run(Run(argv=("/bin/true",), binds=(Bind(tmp_path / "none", "/src"),)))


def test_a_program_that_is_not_there_is_refused_and_not_an_exit(boxes):
    outcome = boxes.run(Run(argv=("/work/none",)))
    assert outcome.ended == "refused"
    assert "No such file" in outcome.why
    assert boxes.run(Run(argv=("/bin/true",), cwd="/work/none")).ended != "signal"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_sanitizer_works_in_a_box_and_its_report_comes_back(boxes, tmp_path, compiler):
    source = tmp_path / "flaw.c"
    source.write_text(OVERFLOW)
    built = sandbox_house.compiled(
        source, tmp_path / "flaw", "-g", "-fsanitize=address,undefined", compiler=compiler
    )
    asked = Run(
        argv=("/work/flaw", "x"),
        inputs={"flaw": built},
        env={"ASAN_OPTIONS": "detect_leaks=0:symbolize=0"},
        sanitized=True,
        limits=Limits(memory_mib=256),
    )
    fires = boxes.run(asked)
    assert (fires.ended, fires.code) == ("exited", 1)
    assert b"heap-buffer-overflow" in fires.stderr
    silent = boxes.run(Run(argv=("/work/flaw",), inputs=asked.inputs, env=asked.env, sanitized=True))
    assert (silent.ended, silent.code, silent.stderr) == ("exited", 0, b"")


def test_a_compiler_works_in_a_box(boxes):
    sandbox_house.needs("gcc")
    outcome = boxes.run(
        Run(
            argv=("/usr/bin/gcc", "-fsanitize=address", "-o", "flaw", "flaw.c"),
            inputs={"flaw.c": OVERFLOW.encode()},
            keep=("flaw",),
        )
    )
    assert outcome.code == 0, outcome.stderr
    assert outcome.kept["flaw"].startswith(b"\x7fELF")


def test_the_same_run_again_says_the_same(boxes):
    asked = Run(argv=("/bin/sh", "-c", "id; ls -a / /etc /work; echo $$"), inputs={"a": b"1"})
    assert len({boxes.run(asked).stdout for _ in range(5)}) == 1


def test_what_held_is_on_record(boxes):
    held = boxes.enforcement()
    assert held.backend.startswith("bubblewrap 0.")
    assert len(held.seccomp) == 64
    assert held.cgroup in {"v2", "v1", "rlimits"}
    assert held.network == "none"


def test_many_threads_run_at_the_same_time_and_each_gets_its_own(boxes):
    said: dict[int, bytes] = {}

    def one(number: int) -> None:
        said[number] = boxes.run(Run(argv=("/bin/cat",), stdin=str(number).encode())).stdout

    threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {n: str(n).encode() for n in range(12)}


def test_boxes_live_on_when_the_thread_that_made_them_ends():
    """`--die-with-parent` follows the thread that started the box, which is never ours."""
    sandbox_house.boxes().close()
    script = (
        "import threading, time\n"
        "from clearway.sandbox import Run, backend, range_of\n"
        "made = []\n"
        "def start():\n"
        "    backend('bubblewrap').run(Run(argv=('/bin/true',)))\n"
        "    made.append(range_of(('a',), []))\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join(); time.sleep(0.1)\n"
        "with made[0] as it:\n"
        "    print(it.hosts['a'].exec(Run(argv=('/bin/echo', 'in the range'))).stdout.decode())\n"
        "print(backend('bubblewrap').run(Run(argv=('/bin/echo', 'in a box'))).stdout.decode())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(sandbox_house.SRC)}
    said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=60)
    assert said.stdout.decode().split("\n\n") == ["in the range", "in a box", ""], said.stderr.decode()


def test_a_killed_keeper_is_named_and_the_next_run_has_a_new_one(boxes):
    boxes.run(Run(argv=("/bin/true",)))
    from clearway.records.errors import UpstreamError

    word = f"31.{os.getpid()}"
    raised: list[BaseException] = []

    def sleeps() -> None:
        try:
            boxes.run(Run(argv=("/bin/sleep", word), limits=Limits(wall_s=20)))
        except UpstreamError as error:
            raised.append(error)

    thread = threading.Thread(target=sleeps)
    thread.start()
    while not alive(f"sleep\0{word}"):
        time.sleep(0.01)
    keeper = spawning.keeper()._process.pid
    os.kill(keeper, signal.SIGKILL)
    thread.join(10)
    assert "ended" in str(raised[0])
    os.waitid(os.P_PID, keeper, os.WEXITED | os.WNOWAIT)  # its sockets close one after the other
    assert gone(f"sleep\0{word}")
    assert boxes.run(Run(argv=("/bin/true",))).code == 0


def test_a_request_that_finds_its_keeper_dead_is_taken_by_a_new_one(boxes, monkeypatch):
    boxes.run(Run(argv=("/bin/true",)))
    dead = spawning.keeper()
    os.kill(dead._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, dead._process.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(dead._process, "poll", lambda: None)  # as in the moment before it can be waited for
    assert boxes.run(Run(argv=("/bin/true",))).code == 0
    assert spawning.keeper() is not dead


def test_nothing_is_left_when_the_controller_is_killed():
    word = f"32.{os.getpid()}"
    script = (
        "import threading\n"
        "from clearway.sandbox import Limits, Run, backend\n"
        f"sleeps = 'setsid sleep {word} & setsid sleep {word} & wait'\n"
        "asked = Run(argv=('/bin/sh', '-c', sleeps), limits=Limits(wall_s=60))\n"
        "made = backend('bubblewrap')\n"
        "for _ in range(3): threading.Thread(target=made.run, args=(asked,)).start()\n"
    )
    sandbox_house.boxes().close()
    environment = {**os.environ, "PYTHONPATH": str(sandbox_house.SRC)}
    controller = subprocess.Popen([sys.executable, "-c", script], env=environment)
    try:
        until = time.monotonic() + 60
        while len(alive(f"sleep\0{word}")) < 6:
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        controller.kill()
        controller.wait()
    assert gone(word)
    until = time.monotonic() + 60
    while list(Path("/sys/fs/cgroup").rglob(f"clearway-{controller.pid}")):
        assert time.monotonic() < until, "its control groups are left"
        time.sleep(0.05)


def test_an_interrupted_caller_takes_its_box_along(boxes):
    word = f"33.{os.getpid()}"

    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(StopError):
            boxes.run(Run(argv=("/bin/sleep", word), limits=Limits(wall_s=20)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert gone(f"sleep\0{word}")


def test_a_forked_child_has_boxes_of_its_own(boxes):
    boxes.run(Run(argv=("/bin/true",)))
    script = (
        "import os, sys\n"
        "from clearway.sandbox import Run, backend\n"
        "made = backend('bubblewrap'); made.run(Run(argv=('/bin/true',)))\n"
        "pid = os.fork()\n"
        "code = made.run(Run(argv=('/bin/sh', '-c', 'exit 5'))).code\n"
        "if pid == 0: os._exit(code)\n"
        "sys.exit(code + os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(sandbox_house.SRC)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, timeout=60).returncode == 10


def test_a_process_is_born_in_a_group_of_version_2():
    mounts = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    mounted = next((m for m in mounts if (m / "cgroup.controllers").exists() and os.access(m, os.W_OK)), None)
    if mounted is None:
        pytest.skip("no control groups of version 2 that this user may make")
    group = mounted / f"clearway-test-{os.getpid()}"
    group.mkdir()
    made = spawning.Keeper()
    out, into = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    try:
        started = made.start(
            {"argv": ["/bin/cat", "/proc/self/cgroup"], "into": str(group)}, [null, into, null]
        )
        while not started.over:
            started.hear()
        assert f"0::/{group.name}" in os.read(out, 4096).decode().splitlines()
        assert started.status == 0
        started.close()
    finally:
        for fd in (out, into, null):
            os.close(fd)
        made.close()
        group.rmdir()


def test_a_box_at_its_gate_gives_up_when_nobody_is_left_to_open_it(boxes):
    """Neither the keeper nor the caller is there to kill it: the gate itself does not open."""
    word = f"34.{os.getpid()}"
    script = (
        "import contextlib, os, signal\n"
        "from clearway.sandbox import Run, bubblewrap, spawn\n"
        "made, held = bubblewrap.Bubblewrap(), contextlib.ExitStack()\n"
        f"asked = Run(argv=('/bin/sleep', '{word}'))\n"
        "null = os.open('/dev/null', os.O_RDWR)\n"
        "with made.user() as user:\n"
        "    launched = made.launch(asked, user, None, (null, null, null), spawn.start, held)\n"
        "    bubblewrap.mounted(launched, null, held)\n"
        "    os.kill(spawn.keeper()._process.pid, signal.SIGKILL)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(sandbox_house.SRC)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert gone(word)


def test_boxes_of_two_backends_never_share_a_group_or_a_user(boxes):
    other = sandbox_house.boxes()
    try:
        with boxes.user() as a, other.user() as b, boxes.group(Limits()) as one, other.group(Limits()) as two:
            assert a is None or a != b
            assert (
                one is None or not set(one.entrances) & set(two.entrances) or one.birthplace != two.birthplace
            )
    finally:
        other.close()


def test_health_is_a_box_that_was_made(monkeypatch):
    from clearway.sandbox.health import health

    sandbox_house.boxes().close()
    found = health("bubblewrap")
    assert found.ok
    assert "bubblewrap 0." in found.found
    monkeypatch.delenv("CLEARWAY_SANDBOX_IMAGE", raising=False)
    monkeypatch.setenv("CLEARWAY_SANDBOX_RUNTIME", "none-of-that-name")
    missing = health("oci")
    assert not missing.ok
    assert "install podman" in missing.mend


def test_many_boxes_one_after_the_other_leave_no_descriptor_and_no_process(boxes):
    def counts() -> tuple[int, int]:
        keeper = spawning.keeper()._process.pid
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path(f"/proc/{keeper}/fd").iterdir()))

    asked = Run(argv=("/bin/true",), inputs={"a": b"1"}, keep=("a",))
    boxes.run(asked)
    before = counts()
    for _ in range(20):
        boxes.run(asked)
    ends = time.monotonic() + 60  # the keeper closes the last box's ends a little after it is told of
    while (more := [now > then for now, then in zip(counts(), before, strict=True)]) and any(more):
        assert time.monotonic() < ends, (counts(), before)
        time.sleep(0.05)
    children = Path(f"/proc/{spawning.keeper()._process.pid}/task/{spawning.keeper()._process.pid}/children")
    assert children.read_text().split() == []


def test_a_box_that_is_let_go_at_any_moment_of_its_start_leaves_nothing():
    """The caller's end is closed 0 to 12 ms after the request: before, at and after the gate."""
    import contextlib

    made = sandbox_house.boxes()
    keeper = spawning.Keeper()
    null = os.open("/dev/null", os.O_RDWR)
    word = f"35.{os.getpid()}"
    try:
        with made.user() as user:
            for wait in range(25):
                with contextlib.ExitStack() as held:
                    made.launch(
                        Run(argv=("/bin/sleep", word)), user, None, (null, null, null), keeper.start, held
                    )
                    time.sleep(wait / 2000)
        children = Path(f"/proc/{keeper._process.pid}/task/{keeper._process.pid}/children")
        until = time.monotonic() + 60
        while children.read_text().split() and time.monotonic() < until:
            time.sleep(0.02)
        assert children.read_text().split() == []
        assert gone(word)
    finally:
        os.close(null)
        keeper.close()
        made.close()
