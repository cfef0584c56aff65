"""Benign inputs that ask for what the proof asks: steps of the same calls, commands of the same words."""

from __future__ import annotations

from typing import Any

import pytest

from clearway.findings.validate import control
from findings_targets import a_wheel, c_recipe, py_recipe, read, sha

OLD = a_wheel({"toy.py": ""})
CALL = {"call": "toy.open", "args": ["x"], "kwargs": {"mode": "r"}, "as": "o"}
READ = {"call": "$o.read"}


def like(*benign: list[Any], proof: list[Any] | None = None) -> int:
    said = [{"kind": "steps", "steps": steps} for steps in benign]
    made = py_recipe(OLD, None, proof or [CALL, READ], {"kind": "signal"}, benign=said)
    return len(list(control.alike(read(made))))


@pytest.mark.parametrize(
    ("steps", "alike"),
    [
        ([CALL | {"args": ["another"]}, READ], True),
        ([CALL, READ | {"as": "text"}, {"call": "len", "args": [{"$": "text"}]}], True),
        ([CALL], False),
        ([CALL | {"args": []}, READ], False),
        ([CALL | {"kwargs": {}}, READ], False),
        ([CALL | {"kwargs": {"encoding": "r"}}, READ], False),
        ([CALL | {"call": "toy.close"}, READ], False),
        ([{"call": "len", "args": ["x"]}, CALL, READ], False),
        ([CALL, READ | {"as": "o"}], False),
    ],
    ids=[
        "other values", "more behind it", "fewer calls", "an argument less", "without an option", "another option",
        "another call", "another call first", "a label twice",
    ],
)  # fmt: skip
def test_steps_ask_for_the_same_by_the_same_calls(steps: list[Any], alike: bool) -> None:
    assert like(steps) == int(alike)


def words(argv: list[str], *benign: list[str], files: bool = True, stdin: bool = False) -> int:
    def command(words: list[str]) -> dict[str, Any]:
        held = {w.rpartition("=")[2]: sha(b"x") for w in words if w.endswith(".txt")} if files else {}
        more = {"stdin": sha(b"y")} if stdin else {}
        return {"kind": "command", "argv": ["target", *words], "files": held, **more}

    made = c_recipe(b"", None) | {"proof": command(argv), "benign": [command(b) for b in benign]}
    return len(list(control.alike(read(made))))


@pytest.mark.parametrize(
    ("benign", "alike"),
    [
        (["--parse", "good.txt"], True),
        (["--help", "good.txt"], False),
        (["good.txt"], False),
        (["--help", "--parse", "good.txt"], False),
        (["--parse", "good.txt", "--quiet"], False),
        (["--parse", "x"], False),
    ],
)
def test_a_command_asks_for_the_same_by_the_same_words(benign: list[str], alike: bool) -> None:
    assert words(["--parse", "bad.txt"], benign) == int(alike)


def test_a_command_whose_input_is_a_word_may_have_another_there_and_nowhere_else() -> None:
    assert words(["parse", "A" * 50], ["parse", "b"]) == 1
    assert words(["parse", "A" * 50], ["help", "b"]) == 0
    assert words(["parse", "--size=" + "9" * 50], ["parse", "--size=1"]) == 1
    assert words(["parse", "--size=" + "9" * 50], ["parse", "--help"]) == 0
    assert words(["--in=bad.txt", "--mode=" + "x" * 50], ["--in=good.txt", "--mode=help"]) == 0
    assert words(["parse", "A" * 50], ["parse", "b"], stdin=True) == 0
