"""Killed, starved and crowded: intake ends in the same state, and says what is wrong on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.table import TABLE_FILE, Table
from clearway.records.errors import ClearwayError
from clearway.store.server import lease, status
from intake_world import World, command, environment, kev, osv, package, processes_naming, rows_of, run, write
from often import often
from published import validated

RECORDS = often(1_000, 3_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some thousand records, or three, with aliases, versions, a catalogue, scores and two bad ones."""
    made = tmp_path_factory.mktemp("records")
    chance = random.Random(14409)
    records = [
        osv(
            f"{'GHSA' if n % 2 else 'PYSEC'}-{n}",
            package("PyPI", f"p{chance.randrange(400)}", f"{chance.randrange(1, 9)}.0"),
            modified=f"2026-01-0{chance.randrange(1, 9)}T00:00:00Z",
            aliases=[f"CVE-2026-{1000 + n // 2}"],
        )
        for n in range(RECORDS)
    ]
    newer = [{**r, "modified": "2026-02-01T00:00:00Z"} for r in records[::10]]
    for number in range(6):
        write(made / f"{number}.jsonl", *records[number::6])
    write(made / "7.jsonl", *newer, {"id": 7})
    write(made / "kev.json", kev("2026.01.05", *(f"CVE-2026-{n}" for n in range(1000, 1100))))
    lines = "".join(f"CVE-2026-{n},0.{n},0.5\n" for n in range(1000, 2000))
    (made / "epss.csv").write_text(
        f"#model_version:v1,score_date:2026-01-05T00:00:00Z\ncve,epss,percentile\n{lines}"
    )
    return made


class State:
    """What a home holds, for comparison, and how long it took to get there."""

    seconds = 0.0

    def __init__(self, home: Path) -> None:
        with lease(home) as url:
            self.standing = World(url, home).standing()
        table = Table.of_home(home)
        self.content = table.meta.content
        table.close()
        self.rows = rows_of(home / TABLE_FILE)

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, State)
        return (self.content, self.standing, self.rows) == (other.content, other.standing, other.rows)

    __hash__ = object.__hash__


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory, made_home: Path) -> State:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    subprocess.run(["cp", "-a", str(made_home), str(home)], check=True)
    began = time.monotonic()
    done = run("--home", home, "ingest", folder, "--json")
    seconds = time.monotonic() - began
    assert done.returncode == 10, done.stderr
    counts = validated("ingest", done.stdout)
    assert counts["new"] == RECORDS + 100 + 1000
    assert counts["changed"] == RECORDS // 10
    assert counts["set_aside"] == 1
    state = State(home)
    state.seconds = seconds
    return state


def start(home: Path, *words: str | Path, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("--home", home, "ingest", *words, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**more),
        start_new_session=True,
        preexec_fn=_hears_ctrl_c,
    )


def _hears_ctrl_c() -> None:
    """It is inherited where it is ignored, as behind nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(holds: Callable[[], bool], timeout_s: float = 8) -> bool:
    ends = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def workers_of(session: int) -> list[str]:
    """Processes of the session that a command began, the database's apart."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat[3]) == session and stat[0] != "Z" and b"postgres" not in line:
            found.append(f"{entry.name} {line!r}")
    return found


def killed_again_and_again(home: Path, folder: Path, kills: int, seconds: float) -> None:
    """Kills the command at random moments of the `seconds` that it takes; each time its workers must go with it."""
    chance = random.Random(26)
    for _ in range(kills):
        process = start(home, folder)
        session = process.pid
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.1, 1.0) * seconds)
        process.kill()
        process.communicate(timeout=20)  # until its last heir has closed the pipes
        gone = wait_until(lambda session=session: not workers_of(session))  # type: ignore[misc]
        assert gone, workers_of(session)


def test_killed_at_any_moment_it_resumes_and_ends_in_the_same_state(
    home: Path, folder: Path, undisturbed: State
) -> None:
    killed_again_and_again(home, folder, 5, undisturbed.seconds)
    done = run("--home", home, "ingest", folder, "--json")
    assert done.returncode == 10, done.stderr
    assert State(home) == undisturbed
    assert wait_until(lambda: not processes_naming(str(home))), processes_naming(str(home))


def test_killed_while_it_compiles_nothing_of_it_stays_and_the_next_run_goes_on(
    home: Path, folder: Path, undisturbed: State
) -> None:
    process = start(home, folder)
    drafts = home / "table"
    ends = time.monotonic() + 60
    while not (drafts.is_dir() and any(drafts.glob("*.new"))):
        assert process.poll() is None, "it ended before a draft was seen"
        assert time.monotonic() < ends
    process.kill()
    process.communicate(timeout=20)
    assert wait_until(lambda: not workers_of(process.pid)), workers_of(process.pid)
    done = run("--home", home, "ingest", folder, "--json")
    assert done.returncode == 10, done.stderr
    assert not list(drafts.glob("*.new"))
    assert State(home) == undisturbed


@pytest.mark.slow
def test_killed_a_dozen_times_it_ends_in_the_same_state(home: Path, folder: Path, undisturbed: State) -> None:
    killed_again_and_again(home, folder, 12, undisturbed.seconds)
    run("--home", home, "ingest", folder)
    assert State(home) == undisturbed
    assert wait_until(lambda: not processes_naming(str(home))), processes_naming(str(home))


def test_interrupted_by_hand_it_says_that_what_was_committed_stands(
    home: Path, folder: Path, undisturbed: State
) -> None:
    process = start(home, folder)
    time.sleep(undisturbed.seconds * 0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=30)
    if process.returncode == 10:
        pytest.skip("it had ended before the signal")
    assert process.returncode == 130
    assert said.decode() == "clearway: interrupted; what was committed stands\n"
    assert wait_until(lambda: not workers_of(process.pid)), workers_of(process.pid)
    run("--home", home, "ingest", folder)
    assert State(home) == undisturbed


INTERRUPTED_AS_THE_FIRST_WORKER_STARTS = """
import os, signal
from contextlib import ExitStack
from multiprocessing.context import ForkServerProcess
from clearway.advisories import intake

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it came ignored, as behind nohup
start = ForkServerProcess.start
def started(process):
    start(process)
    os.kill(os.getpid(), signal.SIGINT)
ForkServerProcess.start = started

try:
    with ExitStack() as stack:
        work = intake._Work(stack, "")
        for _ in range(100):
            work.submit([])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_interrupted_between_the_starts_of_two_workers_each_ends_in_peace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AS_THE_FIRST_WORKER_STARTS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_a_server_killed_in_the_middle_is_8_and_the_next_run_completes(
    home: Path, folder: Path, undisturbed: State
) -> None:
    process = start(home, folder)

    def records() -> int:
        found = status(home)
        if not found.running:
            return 0
        try:
            return int(World(found.url, home).sql("select count(*) from clearway.record")[0][0])
        except ClearwayError:  # it is just starting or stopping
            return 0

    assert wait_until(lambda: records() > 0 or process.poll() is not None, 20)
    os.kill(status(home).pid, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 8, said
    assert b"give the same command again" in said
    assert b"Traceback" not in said
    assert run("--home", home, "ingest", folder).returncode == 10
    assert State(home) == undisturbed


def test_two_commands_at_once_take_turns(home: Path, folder: Path, undisturbed: State) -> None:
    both = [start(home, folder), start(home, folder)]
    answers = []
    for process in both:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 10, said
        answers.append(validated("ingest", out))
    assert sum(a["new"] for a in answers) == RECORDS + 100 + 1000
    assert sum(a["changed"] for a in answers) == RECORDS // 10
    assert answers[0]["read"] == answers[1]["read"]
    assert State(home) == undisturbed


def test_two_commands_at_once_on_other_files_both_land(home: Path, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.jsonl", *(osv(f"GHSA-{n}-{m}") for m in range(300))) for n in range(3)]
    running = [start(home, f) for f in files]
    answers = []
    for process in running:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        answers.append(json.loads(out)["new"])
    assert answers == [300, 300, 300]
    table = Table.of_home(home)
    assert table.meta.records == 900
    assert all(table.records(f"GHSA-{n}-{m}") for n in range(3) for m in (0, 299))


# A place to write that fails


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"can't mount here: {done.stderr.decode().strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(place: Path, leave_bytes: int) -> Path:
    ballast = place / "ballast"
    free = os.statvfs(place)
    ballast.write_bytes(b"\1" * max(0, free.f_bavail * free.f_bsize - leave_bytes))
    return ballast


def test_a_full_disk_is_8_with_its_cure_and_the_table_still_answers(
    disk: Callable[[str], Path], folder: Path, undisturbed: State, made_home: Path, tmp_path: Path
) -> None:
    place = disk("130m")
    home = place / "home"
    subprocess.run(["cp", "-a", str(made_home), str(home)], check=True)
    assert run("--home", home, "ingest", folder / "0.jsonl").returncode == 0
    before = rows_of(home / TABLE_FILE)
    ballast = fill(place, 1_000_000)
    done = run("--home", home, "ingest", folder)
    assert done.returncode == 8, (done.returncode, done.stderr)
    assert b"free some" in done.stderr
    assert b"Traceback" not in done.stderr
    assert rows_of(home / TABLE_FILE).keys() == before.keys()
    assert (
        run("--home", home, "query", "--ecosystem", "PyPI", "--name", "p1", "--version", "0.1").returncode
        == 0
    )
    ballast.unlink()
    assert run("--home", home, "ingest", folder).returncode == 10
    assert State(home) == undisturbed


def test_a_table_that_can_not_be_written_is_8_and_the_next_run_makes_it(
    disk: Callable[[str], Path], home: Path, folder: Path, undisturbed: State
) -> None:
    assert run("--home", home, "ingest", folder / "0.jsonl").returncode == 0
    before = rows_of(home / TABLE_FILE)
    small = disk("1m")
    for file in (home / "table").iterdir():
        (small / file.name).write_bytes(file.read_bytes()) if file.stat().st_size < 700_000 else None
    if not (small / "advisories.sqlite").exists():
        pytest.skip("the table is larger than the small disk")
    subprocess.run(["mount", "--bind", str(small), str(home / "table")], check=True)
    try:
        ballast = fill(small, 20_000)
        done = run("--home", home, "ingest", folder)
        assert done.returncode == 8, done.stderr
        assert b"the advisory table can't be written" in done.stderr
        assert b"free disk space" in done.stderr
        assert rows_of(home / TABLE_FILE) == before
        assert not list((home / "table").glob("*.new*"))
        ballast.unlink()
    finally:
        subprocess.run(["umount", "-l", str(home / "table")], check=True)
    done = run("--home", home, "ingest", folder)
    assert done.returncode == 10
    assert State(home) == undisturbed


def test_a_read_only_home_is_3_with_the_way_out(
    disk: Callable[[str], Path], made_home: Path, folder: Path
) -> None:
    place = disk("80m")
    subprocess.run(["cp", "-a", str(made_home), str(place / "home")], check=True)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    done = run("--home", place / "home", "ingest", folder)
    assert done.returncode == 3
    assert b"read-only" in done.stderr
    assert b"--home" in done.stderr


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("postgresql://nobody@127.0.0.1:9/none", {8}),
        ("postgresql:///none?host=/no/such/folder", {8}),
        ("not a url", {3}),
    ],
)
def test_a_database_that_is_not_there_is_named(
    tmp_path: Path, folder: Path, url: str, codes: set[int]
) -> None:
    done = run("--home", tmp_path / "home", "ingest", folder, env=environment(CLEARWAY_DATABASE_URL=url))
    assert done.returncode in codes, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"CLEARWAY_DATABASE_URL" in done.stderr or b"see that the server is up" in done.stderr


def test_a_file_for_the_rejects_that_can_not_be_written_is_8(home: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.json", b"{")
    done = run("--home", home, "ingest", bad, "--rejects", tmp_path / "no" / "such" / "folder")
    assert done.returncode == 8
    assert b"can't be written" in done.stderr


def test_rejects_are_json_lines_of_place_and_reason(home: Path, tmp_path: Path) -> None:
    into = tmp_path / "in"
    write(into / "good.json", osv("GHSA-a"))
    write(into / "bad.json", b"{")
    (into / "odd\x1bname.json").write_bytes(b'{"id": NaN}')
    file = tmp_path / "rejects.jsonl"
    done = run("--home", home, "ingest", into, "--rejects", file, "--json")
    assert done.returncode == 10
    counts = validated("ingest", done.stdout)
    lines = [json.loads(x) for x in file.read_text().splitlines()]
    assert lines == counts["rejects"]
    assert {Path(x["place"].partition(":")[0]).name for x in lines} == {"bad.json", "odd\\x1bname.json"}


def test_standard_input_is_taken_in(home: Path) -> None:
    records = b"".join(json.dumps(osv(f"GHSA-{n}")).encode() + b"\n" for n in range(3))
    for data, new in ((records, 3), (records, 0), (json.dumps(osv("GHSA-x")).encode(), 1)):
        done = run("--home", home, "ingest", "-", "--json", stdin=data)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["new"] == new


def test_a_path_that_does_not_exist_takes_nothing_in(home: Path, tmp_path: Path) -> None:
    good: Any = write(tmp_path / "a.json", osv("GHSA-a"))
    done = run("--home", home, "ingest", good, tmp_path / "none")
    assert done.returncode == 6
    assert str(tmp_path / "none") in done.stderr.decode()
    assert json.loads(run("--home", home, "ingest", good, "--json").stdout)["new"] == 1
