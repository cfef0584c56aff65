"""E4 of a Python package with Atheris, for real: what coverage finds beyond mutation, and what is said without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate import statement, tools
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.guided import Guided
from clearway.sandbox import Backend
from findings_targets import a_wheel, judged, py_recipe, read, sha

NO_ATHERIS = pytest.mark.skipif(bool(tools.no_atheris()), reason=f"Atheris: {tools.no_atheris()}")
# Two ways to one flaw; the second stands behind a guard that nothing near the proof's bytes passes.
FLAWED = """import os
def parse(text):
    if text.startswith("go:"):
        os.kill(os.getpid(), 11)
    if text[:1] == "Q":
        if text[1:2] == "z":
            if text[2:3] == "~":
                os.kill(os.getpid(), 11)
    return len(text)
"""
HALF = FLAWED.replace('text.startswith("go:")', 'text.startswith("never:")')
WHOLE = HALF.replace("os.kill(os.getpid(), 11)", "return -1")
STEPS = [{"call": "toy.parse", "args": ["go:away"]}]
BENIGN = [{"kind": "steps", "steps": [{"call": "toy.parse", "args": ["b"]}]}]
ONE = a_wheel({"toy.py": FLAWED})


def recipe_of(fix: str, **more: Any) -> tuple[dict[str, Any], bytes]:
    two = a_wheel({"toy.py": fix}, version="2")
    return py_recipe(ONE, two, STEPS, {"kind": "signal"}, benign=BENIGN, **more), two


@NO_ATHERIS
def test_it_finds_the_other_way_to_a_flaw_behind_a_guard_that_mutation_does_not_pass(
    box: Backend, builds: Path
) -> None:
    made, two = recipe_of(HALF)
    found = judged(box, builds, made, ONE, two, seconds=24.0)
    assert found.ladder.level == 3, found.ladder
    assert "1 variants of the proof still fire" in found.ladder.why
    assert found.fuzzed is not None
    assert found.fuzzed.engine.startswith("Atheris ")


@NO_ATHERIS
@pytest.mark.slow
def test_a_flaw_that_is_mended_reaches_e4_and_its_statement_says_how_it_was_looked_for(
    box: Backend, builds: Path
) -> None:
    made, two = recipe_of(WHOLE)
    found = judged(box, builds, made, ONE, two, seconds=12.0)
    assert found.ladder.level == 4, found.ladder
    assert "Atheris made " in found.ladder.why
    assert found.fuzzed is not None
    assert (found.fuzzed.lacking, found.fuzzed.runs > 100, found.fuzzed.seed > 0) == ("", True, True)
    assert statement._variants(found.fuzzed).engine.startswith("Atheris ")


@NO_ATHERIS
@pytest.mark.slow
def test_a_patch_that_ends_it_at_once_is_said_and_mutation_goes_on(box: Backend, builds: Path) -> None:
    ends = WHOLE.replace("import os\n", "import os, sys\nif 'atheris' in sys.modules: os._exit(0)\n")
    made, two = recipe_of(ends)
    found = judged(box, builds, made, ONE, two, seconds=12.0)
    assert found.ladder.level == 4, found.ladder
    assert "Atheris was not used: the patched build ended it at once" in found.ladder.why


@NO_ATHERIS
@pytest.mark.slow
def test_an_input_that_nobody_can_look_at_fails_the_level(box: Backend, builds: Path) -> None:
    """The patched package leaves it where Atheris leaves what it stopped on."""
    hides = WHOLE.replace(
        "def parse(text):\n",
        "def parse(text):\n"
        "    if os.path.isdir('/work/found') and not os.path.exists('/work/found/crash-1'):\n"
        "        with open('/work/found/crash-1', 'wb') as one:\n"
        "            one.truncate(60 << 20)\n",
    )
    made, two = recipe_of(hides)
    found = judged(box, builds, made, ONE, two, seconds=12.0)
    assert found.ladder.level == 3, found.ladder
    assert found.ladder.why.startswith("nothing can be said: ")


def lacking(box: Backend, builds: Path, seconds: float = 10.0, **more: Any) -> str:
    made, two = recipe_of(WHOLE)
    recipe = read({**made, **more})
    files = Given(ONE, two, b"x")
    assert recipe.patched is not None
    patched = Builder(box, builds).build(recipe.patched, files)
    return Guided(box, patched, recipe, files, seconds).lacking


@pytest.mark.slow
def test_where_it_lacks_or_can_not_tell_it_is_said(
    box: Backend, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = {"kind": "command", "argv": ["python3", "-m", "toy", "in"], "files": {"in": sha(b"x")}}
    assert lacking(box, builds, proof=command) == "the proof is no steps of the package"
    assert "another input" in lacking(box, builds, oracle={"kind": "output", "text": "x"})
    monkeypatch.setattr(tools, "no_atheris", lambda: "")
    assert lacking(box, builds, seconds=1) == "1 s are too short for it"
    none = {"kind": "steps", "steps": [{"get": "toy.parse"}]}
    assert lacking(box, builds, proof=none) == "the proof has no input"
    monkeypatch.setattr(tools, "no_atheris", lambda: "it is not installed (pip install 'clearway[fuzz]')")
    made, two = recipe_of(WHOLE)
    found = judged(box, builds, made, ONE, two, seconds=0.5)
    assert found.ladder.level == 4
    assert "Atheris was not used: it is not installed (pip install 'clearway[fuzz]')" in found.ladder.why
