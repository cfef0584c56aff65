"""What a recipe may say and may not: strict, bounded, and the same for both builds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearway.findings.validate import recipe
from clearway.records.errors import ClearwayError, InputError
from findings_targets import COPIES, LONG, MENDED, a_wheel, c_recipe, c_target, command, py_recipe, read, sha

WHEEL = a_wheel({"toy.py": ""})
STEPS = [{"call": "toy.f", "args": [{"repeat": ["a", {"n": 3}]}], "as": "r"}, {"get": "$r.value"}]


def steps(*given: Any, **more: Any) -> dict[str, Any]:
    return py_recipe(WHEEL, None, list(given), {"kind": "endless"}, **more)


def test_a_whole_recipe_is_read() -> None:
    found = read(c_recipe(COPIES, MENDED))
    assert isinstance(found.target, recipe.CTarget)
    assert found.times == 3
    assert recipe.files_of(found) == {
        "target/main.c": sha(COPIES), "patched/main.c": sha(MENDED), "proof/in": sha(LONG), "benign-1/in": sha(b"abc"),
    }  # fmt: skip
    assert read(steps(*STEPS)).proof.steps[1] == {"get": "$r.value"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "flag",
    [
        "-fplugin=/work/x.so", "-fno-sanitize=all", "-fsanitize-recover", "@/etc/passwd", "-Wl,-rpath,/x", "-wrapper",
        "-o", "x.c", "-Wp,-x", "-B/work", "-specs=x", "-D X", "-I$(id)", "-include",
    ],
)  # fmt: skip
def test_a_flag_that_could_load_code_or_turn_a_sanitizer_off_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="flag"):
        read(c_recipe(COPIES, None) | {"target": c_target(COPIES, flags=[flag])})


@pytest.mark.parametrize(
    "flag", ["-O2", "-DA=1", "-Iinclude", "-std=c99", "-lm", "-Wall", "-fwrapv", "-pthread"]
)
def test_an_ordinary_flag_is_taken(flag: str) -> None:
    assert read(c_recipe(COPIES, None) | {"target": c_target(COPIES, flags=[flag])}).target.flags == (flag,)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.c", "a/../../x.c", "-o", "a\0b"])
def test_a_name_outside_of_its_folder_is_refused(name: str) -> None:
    for made in (
        c_recipe(COPIES, None) | {"target": c_target(COPIES, compile=[name])},
        c_recipe(COPIES, None) | {"target": c_target(COPIES) | {"files": {name: sha(COPIES)}}},
        c_recipe(COPIES, None) | {"proof": command(LONG) | {"files": {name: sha(LONG)}}},
    ):
        with pytest.raises(InputError, match="name"):
            read(made)


@pytest.mark.parametrize(
    "more",
    [
        {"flags": ["-DSAFE"]},
        {"compile": ["other.c"]},
        {"tests": [{"name": "t", "compile": ["t.c"]}]},
        {"name": "other"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_both_builds_are_made_and_tested_in_one_way(more: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="patched release"):
        read(c_recipe(COPIES, None) | {"patched": c_target(MENDED, "2") | more})


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"call": "toy.f", "get": "toy.g"},
        {"call": "toy.__class__"},
        {"get": "$r.__globals__.os"},
        {"call": "toy.f()"},
        {"call": "toy.f", "args": "x"},
        {"call": "toy.f", "as": "a.b"},
        {"set": "toy.f", "to": 1},
        {"call": "toy.f", "args": [{"object": "os.__dict__"}]},
        {"call": "toy.f", "args": [{"$": "r.__class__"}]},
        {"call": "toy.f", "args": [{"file": "none"}]},
        {"call": "toy.f", "args": [{"repeat": ["a"]}]},
        {"call": "toy.f", "shell": True},
        {"call": ["toy.f"]},
    ],
    ids=str,
)
def test_a_step_that_is_none_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read(steps(step))


def test_the_secret_that_is_to_come_out_is_given_to_no_step() -> None:
    proof = {"files": {"a": sha(b"{{secret}}")}}
    with pytest.raises(InputError, match="secret"):
        read(
            steps({"call": "toy.f", "args": [{"file": "a"}]}, proof=proof)
            | {"oracle": {"kind": "access", "file": "a"}}
        )
    with pytest.raises(InputError, match="secret"):
        read(steps(*STEPS) | {"oracle": {"kind": "access", "file": "a"}})


@pytest.mark.parametrize(
    "more",
    [
        {"limits": {"cpu_s": 1e9}}, {"limits": {"wall_s": -1}}, {"limits": {"processes": 100_000}}, {"times": 0},
        {"times": 99}, {"verdict": "E6"}, {"oracle": {"kind": "growth", "sizes": [4, 2]}}, {"oracle": {"kind": "mine"}},
        {"oracle": {"kind": "growth", "sizes": [1, 1 << 40]}}, {"oracle": {"kind": "file-outside", "path": "/etc/x"}},
        {"oracle": {"kind": "file-outside", "path": "/tmp/../work/x"}},
        {"oracle": {"kind": "file-outside", "path": "/tmp/"}},
        {"proof": {"kind": "shell", "argv": ["id"]}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_beyond_its_bounds_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read(c_recipe(COPIES, MENDED) | more)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b"[" * 5000, b'{"target": {}}', b"0" * (2 << 20), b'{"a": 1, "a": 2}'],
    ids=lambda d: d[:10],
)  # fmt: skip
def test_what_is_no_recipe_is_one_error_of_ours(data: bytes) -> None:
    with pytest.raises(ClearwayError):
        recipe.read(data)


def test_a_value_nested_without_end_is_refused() -> None:
    value: Any = "a"
    for _ in range(40):
        value = [value]
    with pytest.raises(InputError, match="deep"):
        read(steps({"call": "toy.f", "args": [value]}))


def test_what_the_desk_must_know_is_all_but_the_patches() -> None:
    made = c_recipe(COPIES, None) | {"patched": c_target(COPIES, "1p", patches={"a.patch": sha(b"p")})}
    assert recipe.published(recipe.read(json.dumps(made).encode())) == {sha(COPIES)}
