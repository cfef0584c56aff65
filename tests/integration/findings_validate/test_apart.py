"""What is sealed lies in clear for as long as its trial and for nobody else; a whole validation has an end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clearway.app import worker
from clearway.findings.validate import apart, tasks
from clearway.findings.validate.build import place_of
from clearway.findings.validate.files import Given
from clearway.findings.validate.judge import Subject, judge
from clearway.sandbox import Backend
from findings_targets import COPIES, LONG, MENDED, SHORT, c_recipe, judged, read, sha
from findings_world import Desk

BLOBS = (COPIES, MENDED, LONG, SHORT)


@pytest.fixture
def home(box: Backend, tmp_path: Path) -> Iterator[Path]:
    """Closed to other users, as a home is."""
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    yield made
    shutil.rmtree(place_of(made))


def everything(home: Path) -> set[str]:
    place = place_of(home)
    return {str(p.relative_to(place)) for p in place.rglob("*")}


def test_a_trials_builds_are_closed_to_others_and_gone_with_it(box: Backend, home: Path) -> None:
    subject = Subject(recipe=read(c_recipe(COPIES, MENDED)), files=Given(*BLOBS))
    with apart.builder(box, home, frozenset()) as builder:
        found = judge(box, builder, subject, upto=2)
        (own,) = (place_of(home) / "trials").iterdir()
        assert own.stat().st_mode & 0o777 == 0o700
        assert any(own.iterdir()), "it is built there"
    assert found.ladder.level == 2
    assert everything(home) == {"trials", "published"}


def test_what_is_published_is_built_once_and_a_fix_that_is_not_lies_apart(box: Backend, home: Path) -> None:
    subject = Subject(recipe=read(c_recipe(COPIES, MENDED)), files=Given(*BLOBS))
    for _ in range(2):
        with apart.builder(box, home, frozenset({sha(COPIES)})) as builder:
            assert judge(box, builder, subject, upto=2).ladder.level == 2
        built = {
            p.parts[1] for p in map(Path, everything(home)) if p.parts[0] == "published" and len(p.parts) > 1
        }
        assert len(built) == 1


def test_a_trial_that_breaks_off_leaves_nothing(box: Backend, home: Path) -> None:
    def broken() -> None:
        with apart.builder(box, home, frozenset()) as builder:
            builder.build(read(c_recipe(COPIES, None)).target, Given(*BLOBS))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert everything(home) == {"trials", "published"}


def test_what_a_killed_trial_left_is_removed_and_what_runs_is_not(box: Backend, home: Path) -> None:
    place = place_of(home)
    old = place / ("a" * 40) / "files"  # as it lay before there were trials
    old.mkdir(parents=True)
    killed = (
        "import os, pathlib, sys\nfrom clearway.findings.validate import apart\n"
        "with apart.builder(None, pathlib.Path(sys.argv[1]), frozenset()):\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", killed, str(home)], check=False, env=dict(os.environ))
    assert len(list((place / "trials").iterdir())) == 1
    with apart.builder(box, home, frozenset()):
        (first,) = (place / "trials").iterdir()
        with apart.builder(box, home, frozenset()):
            assert first.is_dir()
            assert len(list((place / "trials").iterdir())) == 2
    assert everything(home) == {"trials", "published"}


HOLDS = """import pathlib, sys, time
from clearway.findings.validate import apart
with apart.builder(None, pathlib.Path(sys.argv[1]), frozenset()) as builder:
    half = apart.place_of(pathlib.Path(sys.argv[1])) / "published" / ("b" * 40 + "." + "c" * 32)
    (builder._folder / "sealed").write_bytes(b"clear")
    half.mkdir(exist_ok=True)
    print(builder._folder.name, flush=True)
    time.sleep(600)
"""


@contextmanager
def a_trial(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of its own in the middle of a trial, with the name of its folder."""
    words = [sys.executable, "-c", HOLDS, str(home)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def test_a_worker_removes_what_a_killed_one_left_as_it_starts_and_nothing_of_one_that_runs(
    home: Path,
) -> None:
    trials, published = place_of(home) / "trials", place_of(home) / "published"
    assert apart.sweep(home) == 0, "nothing was ever built"
    with a_trial(home) as (killed, first), a_trial(home) as (_, second):
        assert {first, second} == {p.name for p in trials.iterdir()}
        assert apart.sweep(home) == 0
        killed.kill()
        killed.wait(20)
        assert (trials / first / "sealed").is_file()
        stop = threading.Event()
        sweeper = tasks.begin(home, stop)
        ends = time.monotonic() + 20
        while (trials / first).exists() and time.monotonic() < ends:
            time.sleep(0.05)
        assert [p.name for p in trials.iterdir()] == [second]
        assert (trials / second / "sealed").is_file()
        assert len(list(published.iterdir())) == 1, "a trial runs that may be building it"
        assert sweeper.is_alive()
        stop.set()
        sweeper.join(20)
        assert not sweeper.is_alive()
    assert apart.sweep(home) == 2
    assert everything(home) == {"trials", "published"}


def test_every_worker_begins_by_looking_for_what_was_left(desk: Desk) -> None:
    left = place_of(desk.home) / "trials" / "left"
    left.mkdir(parents=True)
    (left / "sealed").write_bytes(b"clear")
    with worker.Beside(desk.people.url, desk.home):
        ends = time.monotonic() + 30
        while left.exists() and time.monotonic() < ends:
            time.sleep(0.05)
    assert not left.exists()


def test_a_validation_whose_time_is_used_up_keeps_what_it_showed_and_names_the_level(
    box: Backend, builds: Path
) -> None:
    made = c_recipe(COPIES, MENDED)
    subject = Subject(recipe=read(made), files=Given(*BLOBS))
    none = judge(box, apart.Builder(box, builds), subject, upto=2, seconds=0, total_s=0)
    assert (none.ladder.level, none.ladder.steps[1].result) == (0, "not_tried")
    assert "0 seconds of a whole validation were used up" in none.ladder.why
    assert none.vulnerable == judged(box, builds, made, *BLOBS, upto=1).vulnerable


def test_the_time_that_is_up_in_the_middle_lowers_nothing_that_was_shown(
    box: Backend, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps after eight runs, two of them benign: E1 and E2 are shown."""
    from clearway.findings.validate import bound

    real, runs = bound.time.monotonic, [0]

    class Counts:
        def run(self, run: object) -> object:
            runs[0] += 1
            return box.run(run)  # type: ignore[arg-type]

        def enforcement(self) -> object:
            return box.enforcement()

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return real() + (1e6 if runs[0] >= 8 else 0)

    monkeypatch.setattr(bound, "time", Clock)
    subject = Subject(recipe=read(c_recipe(COPIES, MENDED)), files=Given(*BLOBS))
    found = judge(Counts(), apart.Builder(box, builds), subject, upto=4, seconds=0)  # type: ignore[arg-type]
    assert found.ladder.level == 2
    assert [s.result for s in found.ladder.steps] == ["met", "met", "met", "not_tried"]
