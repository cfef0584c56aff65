"""What does as it is told is no flaw: a proof that hands over the place, a harmless input that is the proof, a module
that is set anew, time that an import or a machine at work takes. Each forged a level once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import check
from clearway.findings.validate import recipe as r
from clearway.findings.validate.oracle import growth
from clearway.records.errors import InputError
from clearway.sandbox import Backend, Outcome
from findings_targets import LONG, a_wheel, c_recipe, judged, py_recipe, read, sha

# Writes where it is told, in each release; the newer one has a way of writing less.
SAVES = """
class Saver:
    place = folder = None
    def write(self): open(self.place, "w").close()
def save(place, way="old", folder=""):
    if way == "old" and OLD: raise ValueError(way)
    import os
    open(os.path.join(folder, place), "w").close()
"""
OLD = a_wheel({"toy.py": SAVES.replace("OLD", "False")})
NEW = a_wheel({"toy.py": SAVES.replace("OLD", "True")}, version="2")
OUTSIDE = {"kind": "file-outside", "path": "/tmp/in/evil"}
LIMITS = {"cpu_s": 2.0, "wall_s": 20.0}
HARMLESS = {"kind": "steps", "steps": [{"call": "toy.save", "args": ["x", "new"]}]}
MAKE = {"call": "toy.Saver", "as": "s"}


def told(
    box: Backend, builds: Path, *steps: dict[str, Any], read_by: bool = False, **files: bytes
) -> tuple[int, str]:
    named = {name.replace("_", "."): sha(data) for name, data in files.items()}
    made = py_recipe(OLD, NEW, list(steps), OUTSIDE, limits=LIMITS, benign=[HARMLESS], proof={"files": named})
    made["oracle"] = OUTSIDE | {"path": "/tmp/evil"}
    known = r.published(read(made)) | ({"document"} if read_by else set())
    found = judged(
        box, builds, made, OLD, NEW, *files.values(), upto=1, known=frozenset(known), document="document"
    )
    assert found.ladder.level == 1, found.ladder.why
    return len(found.capped_by), "; ".join(found.capped_by)


@pytest.mark.parametrize(
    "steps",
    [
        [{"call": "toy.save", "args": ["/tmp/evil"]}],
        [{"call": "toy.save", "args": [{"concat": ["/tmp/", "evil"]}]}],
        [{"call": "toy.save", "kwargs": {"place": "//tmp//evil"}}],
        [{"call": "toy.save", "args": [{"bytes": "/tmp/evil"}], "kwargs": {"folder": {"bytes": "/"}}}],
        [{"call": "toy.save", "args": [{"file": "where.txt"}]}],
        [{"call": "toy.save", "args": ["evil"], "kwargs": {"folder": "/tmp"}}],
        [{"call": "toy.save", "args": ["/proc/self/root/tmp/evil"]}],
        [MAKE, {"set": "$s.place", "to": "/tmp/evil"}, {"call": "$s.write"}],
    ],
    ids=["plainly", "in parts", "by name", "as bytes", "in a file", "its folder", "by another name", "as an attribute"],
)  # fmt: skip
def test_a_proof_that_hands_over_the_place_waits_for_a_reader(
    box: Backend, builds: Path, steps: list[dict[str, Any]]
) -> None:
    assert told(box, builds, *steps, where_txt=b"/tmp/evil") == (1, check.NAMED)


def test_one_that_climbs_there_does_not_and_a_reader_may_take_either(box: Backend, builds: Path) -> None:
    assert told(box, builds, {"call": "toy.save", "args": ["../tmp/evil"]}) == (0, "")
    assert told(box, builds, {"call": "toy.save", "args": ["/tmp/evil"]}, read_by=True) == (0, "")


@pytest.mark.parametrize(
    ("words", "oracle", "waits"),
    [
        (["-o", "/tmp/in/evil"], OUTSIDE, True),
        (["--out=/tmp/in/evil"], OUTSIDE, True),
        (["-o/tmp/in/evil"], OUTSIDE, True),
        (["-C", "/tmp/in"], OUTSIDE, True),
        (["//tmp//in"], OUTSIDE, True),
        (["/proc/self/root/tmp/in"], OUTSIDE, True),
        (["--dir=/tmp"], OUTSIDE, True),
        (["../tmp/in/evil.zip"], OUTSIDE, False),
        (["bad.zip"], OUTSIDE, False),
        (["--root", "outside"], {"kind": "access", "file": "outside/a"}, True),
        (["--root", "."], {"kind": "access", "file": "outside/a"}, False),
        (["-o", "/tmp/in/evil"], {"kind": "sanitizer"}, False),
    ],
)
def test_a_command_that_names_it_does_too(words: list[str], oracle: dict[str, str], waits: bool) -> None:
    made = c_recipe(b"", None, oracle=oracle)
    made["proof"]["argv"] = ["target", *words]
    made["proof"]["files"] = {"outside/a": sha(LONG)}
    assert (check.NAMED in check.to_read(read(made))) is waits


def test_a_harmless_input_on_which_the_oracle_fires_is_none(box: Backend, builds: Path) -> None:
    """What it writes, and how it ends, is the same on both builds: only the file tells."""
    proof = {"kind": "steps", "steps": [{"call": "toy.run", "args": ["../tmp/evil"]}]}
    one = a_wheel({"toy.py": "def run(x): open(x, 'w').close()\n"})
    two = a_wheel({"toy.py": "def run(x): return None\n"}, version="2")
    oracle = OUTSIDE | {"path": "/tmp/evil"}
    made = py_recipe(one, two, proof["steps"], oracle, limits=LIMITS, benign=[proof])  # type: ignore[arg-type]
    found = judged(box, builds, made, one, two, upto=3)
    assert found.ladder.level == 2
    assert "1 of 1 benign inputs come to no good end on the vulnerable build" in found.ladder.why


@pytest.mark.parametrize(
    "steps",
    [
        [{"get": "toy", "as": "m"}, {"set": "$m.SAFE", "to": False}],
        [{"get": "toy.Kind", "as": "m"}, {"set": "$m.safe", "to": False}],
        [{"get": "toy.run", "as": "m"}, {"set": "$m.safe", "to": False}],
    ],
    ids=["a module", "a class", "a function"],
)
def test_a_package_that_is_set_anew_is_another_program(box: Backend, builds: Path, steps: list[Any]) -> None:
    package = "SAFE = True\nclass Kind: safe = True\n"
    package += "def run(): return SAFE and Kind.safe and run.safe\nrun.safe = True\n"
    wheel = a_wheel({"toy.py": package})
    made = py_recipe(
        wheel, None, [*steps, {"call": "toy.run"}], {"kind": "output", "text": "False"}, limits=LIMITS
    )
    found = judged(box, builds, made, wheel, upto=1)
    assert found.ladder.level == 0
    assert "a step names what is not there, or fails outside of the package" in found.ladder.why


def test_an_import_for_the_larger_input_is_no_growth() -> None:
    def shows(*times: float) -> str:
        oracle = r.Growth(sizes=(1, 2), ratio=2.0)
        return growth(oracle, [Outcome(ended="exited", code=0, cpu_s=s) for s in times]).shows

    assert shows(0.03, 0.4) == "unclear"
    assert shows(0.03, 0.7) == "fires"
    assert shows(0.03, 0.1) == "silent"


@pytest.mark.slow
def test_what_ends_within_twice_its_time_is_not_endless(box: Backend, builds: Path) -> None:
    """A machine at work makes a program slower: one that takes a little less than its limit meets it there."""
    busy = "import time\ndef run(s):\n    while time.process_time() < s: pass\n"
    wheel = a_wheel({"toy.py": busy})
    made = py_recipe(wheel, None, [{"call": "toy.run", "args": [2.6]}], {"kind": "endless"}, limits=LIMITS)
    found = judged(box, builds, made, wheel, upto=1)
    assert found.ladder.level == 0
    assert "it ended after" in found.ladder.why


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/",), ("steps.json/x",), ("drive.py/x", "b")])
def test_files_in_each_others_way_are_the_recipes_fault_and_not_the_machines(
    box: Backend, builds: Path, names: tuple[str, ...]
) -> None:
    """As a missing box it would be tried again on every machine."""
    made = py_recipe(OLD, None, [MAKE], {"kind": "signal"}, proof={"files": dict.fromkeys(names, sha(LONG))})
    with pytest.raises(InputError, match="a file where a folder is"):
        judged(box, builds, made, OLD, LONG, upto=1)


@pytest.mark.parametrize("name", ["toy.py/x", "a" * 290])
def test_a_test_file_that_can_not_lie_there_is_refused(box: Backend, builds: Path, name: str) -> None:
    made = py_recipe(OLD, None, [MAKE], {"kind": "signal"})
    made["target"] |= {
        "tests": [{"name": "t", "argv": ["unittest"]}], "test_files": {"toy.py": sha(LONG), name: sha(LONG)},
    }  # fmt: skip
    with pytest.raises(InputError) as refused:
        judged(box, builds, made, OLD, LONG, upto=1)
    assert str(builds) not in str(refused.value)


def test_a_wheel_that_can_not_be_unpacked_is_refused_without_naming_the_machines_folders(
    box: Backend, builds: Path
) -> None:
    odd = a_wheel({"toy.py/x": ""}, "dep")
    made = py_recipe(OLD, None, [MAKE], {"kind": "signal"})
    made["target"]["wheels"]["dep.whl"] = sha(odd)
    with pytest.raises(InputError, match="not a wheel: Is a directory") as refused:
        judged(box, builds, made, OLD, odd, upto=1)
    assert str(builds) not in str(refused.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$", "object", "file", "as", "repeat", "concat", "bytes", "dict", "n"]), inner,
                      max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(values, st.sampled_from(["args", "kwargs", "as", "await", "call", "get", "set", "to"]))
def test_any_value_in_a_step_is_taken_or_refused(value: Any, key: str) -> None:
    made = c_recipe(b"", None) | {"proof": {"kind": "steps", "steps": [{"call": "toy.run", "args": [value]}]}}
    made["proof"]["steps"].append({"call": "toy.run", key: value})
    try:
        r.read(json.dumps(made).encode())
    except InputError as refused:
        assert refused.where  # noqa: PT017 - where it lies is what is asked for
