"""Which level follows from which observations; a level needs all below it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from clearway.findings.validate import level
from clearway.findings.validate.crash import CrashState
from clearway.findings.validate.oracle import Seen

FIRES, SILENT = Seen(shows="fires", why="it fired"), Seen(shows="silent", why="nothing")


def test_e1_is_every_time_and_in_one_state() -> None:
    assert level.fires([FIRES] * 3).result == "met"
    assert level.fires([FIRES, SILENT, FIRES]).why.startswith("it fires 2 of 3 times")
    states = [Seen(shows="fires", why="", state=CrashState(error="SEGV", frames=(f,))) for f in ("a", "b")]
    assert level.fires(states).result == "failed"
    assert level.fires([]).result == "not_tried"


def test_e2_is_silence_on_another_build_that_holds_the_patch() -> None:
    assert level.silent([SILENT] * 3, same_build=False, holds_patch=True).result == "met"
    assert level.silent([SILENT] * 3, same_build=True, holds_patch=True).result == "failed"
    assert level.silent([SILENT] * 3, same_build=False, holds_patch=False).result == "failed"
    assert level.silent([SILENT, FIRES], same_build=False, holds_patch=True).result == "failed"
    away = level.silent([SILENT] * 3, same_build=False, holds_patch=True, looks_away=True)
    assert away.result == "failed"
    stopped = Seen(shows="unclear", why="it was stopped (wall)")
    assert level.silent([SILENT, stopped], same_build=False, holds_patch=True).result == "failed"


def test_e3_counts_tests_that_passed_before_alone() -> None:
    assert level.unbroken({"a": True, "b": False}, {"a": True, "b": False}).result == "met"
    assert level.unbroken({"a": True}, {}).result == "failed"
    assert level.unbroken({"a": False}, {"a": True}).result == "failed"  # nothing that could break
    assert level.unbroken({}, {}).result == "not_tried"
    assert level.unbroken({}, {}, [("x", "x"), ("y", "z")]).result == "failed"


def test_e4_needs_variants_and_the_second_compiler_where_there_is_one() -> None:
    none, sees = level.Second(), level.Second(tool="clang", seen=(FIRES,), of=1)
    blind = level.Second(tool="clang", seen=(SILENT,), of=1)
    assert level.variants(tried=20, related=0, seconds=1, second=none).result == "met"
    assert level.variants(tried=20, related=0, seconds=1, second=sees).result == "met"
    assert level.variants(tried=20, related=0, seconds=1, second=blind).result == "failed"
    assert level.variants(tried=10, related=1, seconds=1, second=sees).result == "failed"
    assert level.variants(tried=19, related=0, seconds=1, second=none).result == "not_tried"
    assert level.variants(tried=0, related=0, seconds=1, second=sees).result == "not_tried"


@pytest.mark.parametrize(
    ("sizes", "proof", "result"),
    [
        pytest.param(range(1, 21), 40, "met", id="twenty, up to half of the proof's size"),
        pytest.param(range(1, 20), 38, "not_tried", id="nineteen"),
        pytest.param(range(1, 21), 41, "not_tried", id="none comes near to the proof's size"),
        pytest.param([30] * 20, 40, "not_tried", id="all of one size"),
        pytest.param([0] * 20, 0, "met", id="the target is given no bytes"),
    ],
)
def test_e5_needs_enough_benign_input_of_many_sizes(sizes: Sequence[int], proof: int, result: str) -> None:
    step = level.differential(sizes, proof)
    assert step.result == result
    assert step.of == len(sizes)


def test_a_gap_ends_the_ladder_and_a_cap_hides_what_is_above() -> None:
    met = [level.Step(level=n, result="met", why="") for n in (1, 2, 3, 4)]
    assert level.ladder(met).level == 4
    assert level.ladder([met[0], met[2]]).level == 1
    assert level.ladder(met, cap=1).level == 1
    assert level.ladder([]).level == 0
    failed = level.Step(level=2, result="failed", why="because")
    assert level.ladder([met[0], failed]).why == "because"
