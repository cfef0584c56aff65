"""A fix is one where its release does what it is asked: what can't be asked of it, or was not, says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate.level import Step
from clearway.sandbox import Backend
from findings_targets import LONG, SHORT, a_wheel, c_recipe, judged, py_recipe, sha

WRITES = "def extract(name): open('/tmp/' + name, 'w').close()\n"
OUTSIDE = {"kind": "file-outside", "path": "/tmp/evil"}
PROOF = [{"call": "toy.extract", "args": ["evil"]}]
ASKED = [{"kind": "steps", "steps": [{"call": "toy.extract", "args": ["a" * n]}]} for n in range(1, 5)]


def step(box: Backend, builds: Path, after: str, level: int = 2, before: str = WRITES, **more: Any) -> Step:
    needs = more.pop("needs", ())
    one = a_wheel({"toy.py": before})
    two = a_wheel({"toy.py": after}, version="2", needs=needs)
    made = py_recipe(one, two, more.pop("proof_steps", PROOF), OUTSIDE, **{"benign": ASKED, **more})
    return judged(box, builds, made, one, two, upto=level).ladder.steps[level]


REFUSES = "def extract(name):\n    if name == 'evil': raise ValueError(name)\n" + WRITES.partition("\n")[
    0
].replace("def extract(name):", "   ")


@pytest.mark.parametrize(
    "after",
    [
        "import newdep\n" + WRITES,
        "raise RuntimeError('no license')\n",
        "def extract(name):\n    import newdep\n    open('/tmp/' + name, 'w').close()\n",
        "def extract(name):\n    try:\n        import newdep\n    except ImportError:\n        raise OSError(name)\n",
        "def __getattr__(name): raise AttributeError(name)\n",
        "def extract(name): raise RuntimeError('settings are not configured')\n",
        "def extract(**more): raise TypeError(more)\n",
    ],
    ids=[
        "it can't be imported", "its import raises", "a call imports what is not there", "and says so otherwise",
        "a lazy package lacks the name", "it wants settings", "it takes other arguments",
    ],
)  # fmt: skip
def test_a_release_that_does_not_do_what_it_is_asked_is_not_silent(
    box: Backend, builds: Path, after: str
) -> None:
    found = step(box, builds, after)
    assert found.result == "failed"
    assert found.why.startswith("nothing can be said: "), found.why


def test_a_release_that_refuses_the_proof_and_takes_other_input_is_silent(box: Backend, builds: Path) -> None:
    assert step(box, builds, REFUSES).result == "met"
    refused = step(box, builds, REFUSES, benign=[])
    assert "no benign input that makes the same calls" in refused.why


def giving(value: str, refuses: bool) -> str:
    """A release that writes as it is asked, and gives a value."""
    refusal = "    if name == 'evil': raise ValueError(name)\n" if refuses else ""
    kind = "class Written: pass\n"
    return f"{kind}def extract(name):\n{refusal}    open('/tmp/' + name, 'w').close()\n    return {value}\n"


def test_where_an_object_lies_in_memory_is_no_other_way(box: Backend, builds: Path) -> None:
    """It lies elsewhere in each run."""
    found = step(box, builds, giving("Written()", True), 3, giving("Written()", False))
    assert found.result == "met", found.why


def test_which_value_is_another_and_from_where_on_is_said(box: Backend, builds: Path) -> None:
    found = step(box, builds, giving("'it was: ' + name", True), before=giving("'it is: ' + name", False))
    assert found.result == "failed"
    assert "on both builds; benign input 1 makes the same request, and gives another value" in found.why
    assert found.why.endswith("on the patched build: its text differs from byte 5 on"), found.why


def test_which_benign_input_goes_another_way_is_said(box: Backend, builds: Path) -> None:
    quiet = "def extract(name): return name if len(name) < 3 else name + '!'\n"
    before = "def extract(name):\n    open('/tmp/' + name, 'w').close()\n    return name\n"
    found = step(box, builds, quiet, 3, before)
    assert found.why == (
        "2 of 4 benign inputs go another way; benign input 3 gives another value on the patched build: "
        "its text differs from byte 5 on"
    )


def test_a_release_whose_needs_are_not_among_its_wheels_is_not_tried(box: Backend, builds: Path) -> None:
    found = step(box, builds, REFUSES, needs=("newdep>=1", "another; extra == 'x'"))
    assert found.result == "not_tried"
    assert "needs 1 packages that are not among its wheels" in found.why


LENGTHS = [{"kind": "steps", "steps": [{"call": "len", "args": ["x" * n]}]} for n in range(1, 23)]


@pytest.mark.slow
def test_benign_input_that_calls_nothing_of_the_package_last_counts_for_no_level(
    box: Backend, builds: Path
) -> None:
    found = step(box, builds, "def extract(name): return 1\n", 3, benign=LENGTHS)
    assert found.result == "not_tried"
    assert found.why.startswith("22 benign inputs call last what is not the package's")
    last = [{"kind": "steps", "steps": [*PROOF, {"call": "len", "args": ["x"]}]}]
    assert step(box, builds, "def extract(name): return 1\n", 3, benign=last).result == "not_tried"


@pytest.mark.slow
def test_and_not_for_e5_beside_input_that_does(box: Backend, builds: Path) -> None:
    quiet = a_wheel({"toy.py": "def extract(name): return None\n"}, version="2")
    one = a_wheel({"toy.py": WRITES})
    made = py_recipe(one, quiet, PROOF, OUTSIDE, benign=[*ASKED, *LENGTHS])
    steps = judged(box, builds, made, one, quiet, upto=5).ladder.steps
    assert "4 benign inputs go the same way; 22 benign inputs call last" in steps[3].why
    assert (steps[5].result, steps[5].of) == ("not_tried", 4)


READS = b"""#include <stdio.h>
#include <string.h>
static int go(const char *p) {
    FILE *f = fopen(p, "rb"); char b[8]; int n = 0, c;
    while ((c = fgetc(f)) != EOF && (SAFE || n < 8 || !SAFE)) { if (SAFE && n > 7) break; b[n++] = c; }
    return n && b[0] == 0;
}
int main(int c, char **v) {
    if (c > 2 && !strcmp(v[1], "--parse")) return go(v[2]);
    fprintf(stderr, "usage\\n");
    return 2;
}
"""
UNSAFE, SAFE = b"#define SAFE 0\n" + READS, b"#define SAFE 1\n" + READS
RENAMED = UNSAFE.replace(b"--parse", b"--read")


def parsing(data: bytes, word: str = "--parse") -> dict[str, Any]:
    return {"kind": "command", "argv": ["target", word, "in"], "files": {"in": sha(data)}}


@pytest.mark.parametrize(
    ("patched", "benign", "met"),
    [
        (SAFE, [parsing(SHORT)], True),
        (SAFE, [], False),
        (RENAMED, [parsing(SHORT)], False),
        (RENAMED, [], False),
        (RENAMED, [parsing(SHORT, "--help")], False),
    ],
    ids=[
        "it still parses", "nobody has tried", "it lacks the option", "and nobody has tried",
        "another word ends the same",
    ],
)  # fmt: skip
def test_a_command_is_answered_where_a_benign_one_of_its_words_still_is(
    box: Backend, builds: Path, patched: bytes, benign: list[Any], met: bool
) -> None:
    made = c_recipe(UNSAFE, patched) | {"proof": parsing(LONG), "benign": benign}
    found = judged(box, builds, made, UNSAFE, patched, LONG, SHORT, upto=2).ladder.steps[2]
    assert found.result == ("met" if met else "failed"), found.why
    if not met:
        assert "no benign command with the proof's own words" in found.why
