"""The threads that answer keep to one processor, and two servers never to the same one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from clearway.app import processor
from clearway.records.errors import ConfigError

ALL = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="takes two processors")
SRC = Path(__file__).resolve().parents[3] / "src"


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No claims but the test's own; its thread ends as it began."""
    monkeypatch.setattr(processor, "CLAIM", f"clearway-test/{uuid4().hex}/")
    monkeypatch.delenv(processor.VARIABLE, raising=False)
    yield
    assert os.sched_getaffinity(0) == ALL


def _of_thread() -> set[int]:
    found: list[set[int]] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join()
    return found[0]


def test_this_thread_and_those_it_starts_keep_to_one_and_those_before_to_none() -> None:
    go, seen = threading.Event(), list[set[int]]()

    def look() -> None:
        go.wait(30)
        seen.append(os.sched_getaffinity(0))

    before = threading.Thread(target=look)
    before.start()
    with processor.kept() as number:
        assert number in ALL
        assert os.sched_getaffinity(0) == _of_thread() == {number}
        go.set()
        before.join()
    assert seen == [set(ALL)]


def test_each_server_has_one_of_its_own_and_one_too_many_has_none() -> None:
    taken = [processor._claimed(set(ALL)) for _ in ALL]
    try:
        numbers = [one[0] for one in taken if one is not None]
        assert sorted(numbers) == sorted(ALL)
        with processor.kept() as number:
            assert number is None
            assert os.sched_getaffinity(0) == ALL
        assert taken[0] is not None
        taken[0][1].close()
        with processor.kept() as number:
            assert number == taken[0][0]
    finally:
        for one in taken:
            if one is not None:
                one[1].close()


def test_the_processor_of_a_server_that_was_killed_is_free_again() -> None:
    program = (
        "import os, sys, time\n"
        "from clearway.app import processor\n"
        "processor.CLAIM = sys.argv[1]\n"
        "with processor.kept() as number:\n"
        "    print(number, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, processor.CLAIM],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(SRC)},
    ) as other:  # fmt: skip
        assert other.stdout is not None
        its = int(other.stdout.readline())
        with processor.kept() as ours:
            assert ours != its
        other.send_signal(signal.SIGKILL)
        other.wait(30)
    found = processor._claimed({its})
    assert found is not None
    found[1].close()


def test_any_leaves_it_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processor.VARIABLE, "any")
    with processor.kept() as number:
        assert number is None
        assert os.sched_getaffinity(0) == ALL


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processor.VARIABLE, "")
    with processor.kept() as number:
        assert number in ALL


def test_who_has_one_only_keeps_it_and_claims_nothing() -> None:
    one = min(ALL)
    os.sched_setaffinity(0, {one})
    try:
        with processor.kept() as number:
            assert number is None
            found = processor._claimed({one})
            assert found is not None
            found[1].close()
    finally:
        os.sched_setaffinity(0, ALL)


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processor.VARIABLE, "two")
    with pytest.raises(ConfigError, match="neither one nor any") as raised, processor.kept():
        pytest.fail("it was taken")
    assert raised.value.where == processor.VARIABLE


def test_an_error_within_frees_it() -> None:
    with pytest.raises(KeyError), processor.kept():
        raise KeyError
    taken = [processor._claimed({number}) for number in ALL]
    assert all(taken)
    for one in taken:
        if one is not None:
            one[1].close()
