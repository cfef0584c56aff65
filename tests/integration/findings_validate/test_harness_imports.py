"""What the harness of a proof in steps imports: what it needs for these steps, and the standard library's alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import trial
from clearway.sandbox import Backend
from findings_targets import a_wheel, py_recipe, read

TOY = """
import sys
async def later(): return 'it was awaited'
def has(): return sorted({'asyncio', 'ssl'} & set(sys.modules))
def whose():
    import selectors
    return selectors.__file__
"""
PLANTED = "raise RuntimeError('the library stands in the place of the interpreter')\n"
LATER: list[dict[str, Any]] = [
    {"call": "toy.later", "as": "l", "await": True},
    {"call": "toy.has"},
]


def said(box: Backend, builds: Path, steps: list[Any], text: str, **beside: str) -> str:
    wheel = a_wheel({"toy.py": TOY, **{f"{name}.py": code for name, code in beside.items()}})
    made = read(py_recipe(wheel, None, steps, {"kind": "output", "text": text}))
    files = Given(wheel)
    built = Builder(box, builds).build(made.target, files)
    shown = trial(box, built, made.proof, made.oracle, files, made.limits)
    assert shown.seen.shows == "fires", (shown.said, shown.outcome.stderr)
    return shown.outcome.stdout.decode()


def test_a_step_is_awaited(box: Backend, builds: Path) -> None:
    assert "it was awaited" in said(box, builds, LATER[:1], "it was awaited")


def test_what_awaits_is_imported_where_a_step_is_awaited_alone(box: Backend, builds: Path) -> None:
    assert "result []" in said(box, builds, [{"call": "toy.has"}], "[]")
    assert "result ['asyncio', 'ssl']" in said(box, builds, LATER, "'asyncio'")


@pytest.mark.parametrize("name", ["asyncio", "selectors", "zipfile"])
def test_no_module_of_the_library_stands_in_the_place_of_the_interpreters(
    box: Backend, builds: Path, name: str
) -> None:
    beside = {name: PLANTED}
    assert "it was awaited" in said(box, builds, LATER[:1], "it was awaited", **beside)
    assert "/target" not in said(box, builds, [{"call": "toy.whose"}], "selectors", **beside)
    steps = [
        {"call": "io.BytesIO", "as": "b"},
        {"call": "zipfile.ZipFile", "args": [{"$": "b"}, "w"], "as": "z"},
        {"call": "toy.has"},
    ]
    assert "result [" in said(box, builds, steps, "[", **beside)
