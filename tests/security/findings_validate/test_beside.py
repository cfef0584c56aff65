"""What lies beside a package is not the package: neither its harmless input, nor its flaw, nor its fix."""

from __future__ import annotations

import io
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate import recipe as r
from clearway.findings.validate.build import Builder, Built
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import trial
from clearway.sandbox import Backend
from findings_targets import a_wheel, judged, py_recipe, read, sha

LIMITS = {"cpu_s": 2.0, "wall_s": 20.0}
MARKED = {"kind": "output", "text": "marker"}


def installed(name: str) -> bytes:
    """The wheel of a project that is installed here, from its RECORD."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path in metadata.files(name) or ():
            if ".." not in path.parts and "__pycache__" not in path.parts and path.locate().is_file():
                archive.writestr(zipfile.ZipInfo(str(path)), path.read_binary())
    return held.getvalue()


@pytest.fixture(scope="module")
def jinja(box: Backend, builds: Path) -> tuple[r.Recipe, Built, Given]:
    """Jinja2 as it is, with MarkupSafe beside it."""
    wheels = {f"{name}.whl": installed(name) for name in ("markupsafe", "jinja2")}
    target = {
        "kind": "python", "name": "Jinja2", "version": metadata.version("jinja2"),
        "wheels": {name: sha(data) for name, data in wheels.items()},
    }  # fmt: skip
    made = py_recipe(b"", None, [{"call": "jinja2.Template", "args": ["x"]}], {"kind": "signal"})
    found, files = read(made | {"target": target}), Given(*wheels.values())
    return found, Builder(box, builds).build(found.target, files), files


RENDER = [
    {"call": "jinja2.Template", "args": ["{{ x }}"], "as": "t"},
    {"call": "$t.render", "kwargs": {"x": 1}},
]


@pytest.mark.parametrize(
    ("steps", "whose"),
    [
        (RENDER, "package"),
        ([*RENDER, {"call": "len", "args": ["x"]}], "other"),
        ([RENDER[0], {"call": "str", "args": [{"$": "t"}]}], "package"),
        ([{"call": "markupsafe.escape", "args": ["<"]}], "beside"),
        ([*RENDER, {"call": "markupsafe.escape", "args": ["<"]}], "beside"),
        ([{"call": "markupsafe.Markup", "args": ["<"], "as": "m"}, {"call": "$m.striptags"}], "beside"),
        ([{"call": "markupsafe.Markup", "args": ["<"], "as": "m"}, {"call": "len", "args": [{"$": "m"}]}], "beside"),
        ([{"call": "jinja2.filters.escape", "args": ["<"]}], "beside"),
        ([{"call": "jinja2.utils.markupsafe.escape", "args": ["<"]}], "beside"),
        ([{"call": "markupsafe.escape", "args": [{"object": "jinja2"}]}], "beside"),
        ([{"call": "jinja2.Environment", "as": "e"}, {"call": "$e.filters.keys"}], "package"),
        ([{"call": "jinja2.lexer.get_lexer", "args": [{"$": "e"}]}], "package"),
    ],
    ids=[
        "it renders", "a builtin last", "a builtin on what is its own", "the other package", "the other package last",
        "a method of the other's", "a builtin on what is the other's", "the other's by its name in the package",
        "through a module of the package", "handed a module of the package", "a method of a dict that it holds",
        "a function behind a cache",
    ],
)  # fmt: skip
def test_a_call_is_the_packages_whose_code_it_runs(
    box: Backend, jinja: tuple[r.Recipe, Built, Given], steps: list[Any], whose: str
) -> None:
    recipe, built, files = jinja
    if steps[-1].get("args") == [{"$": "e"}]:
        steps = [{"call": "jinja2.Environment", "as": "e"}, *steps]
    shown = trial(box, built, r.Steps(steps=tuple(steps)), recipe.oracle, files, recipe.limits)
    assert shown.said.missing is False
    assert shown.said.step == whose
    assert shown.said.aside is (whose == "beside" and not any("jinja2.T" in str(s) for s in steps))


def toys(old: str, new: str, dep: str = "def clean(x): return x\n", newer: str = "") -> tuple[bytes, ...]:
    """Two releases of a package and of one that lies beside it: the same one of it without `newer`."""
    beside = a_wheel({"dep.py": dep}, "dep")
    return (
        a_wheel({"toy.py": old}), a_wheel({"toy.py": new}, version="2"), beside,
        a_wheel({"dep.py": newer}, "dep", "2") if newer else beside,
    )  # fmt: skip


def with_beside(wheels: tuple[bytes, ...], steps: list[Any], **more: Any) -> dict[str, Any]:
    old, new, dep, newer = wheels
    made = py_recipe(old, new, steps, more.pop("oracle", MARKED), limits=LIMITS, **more)
    made["target"]["wheels"]["dep.whl"] = sha(dep)
    made["patched"]["wheels"]["dep.whl"] = sha(newer)
    return made


USES = "import dep\ndef run(x): return dep.clean(x)\n"
LEAKS, QUIET = "def run(x): return x + 'marker'\n", "def run(x): return x\n"
RUN = [{"call": "toy.run", "args": ["a"]}]


def steps(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "steps", "steps": list(calls)}


@pytest.mark.slow
def test_harmless_input_of_what_lies_beside_it_says_nothing_of_the_package(
    box: Backend, builds: Path
) -> None:
    """The fix breaks the package, and twenty inputs that it does not see would have hidden that."""
    wheels = toys(LEAKS + "def keep(x): return x\n", QUIET + "def keep(x): return ''\n")
    theirs = [steps({"call": "dep.clean", "args": ["b" * n]}) for n in range(3)]
    found = judged(box, builds, with_beside(wheels, RUN, benign=theirs), *wheels, upto=3)
    assert (found.ladder.level, found.ladder.steps[-1].result) == (2, "not_tried")
    assert "3 benign inputs call last what is not the package's" in found.ladder.why
    made = with_beside(wheels, RUN, benign=[*theirs, steps({"call": "toy.keep", "args": ["b"]})])
    found = judged(box, builds, made, *wheels, upto=3)
    assert (found.ladder.level, found.ladder.steps[-1].result) == (2, "failed")


def test_a_command_counts_where_it_runs_a_module_of_the_package(box: Backend, builds: Path) -> None:
    says = "import sys\nprint(open(sys.argv[1]).read())\n"
    wheels = toys(LEAKS + "if __name__ == '__main__': print('well')\n", QUIET, dep=says)
    files = {"in.txt": sha(b"marker")}
    theirs = {"kind": "command", "argv": ["python3", "-m", "dep", "in.txt"], "files": files}
    made = with_beside(wheels, RUN) | {"proof": theirs}
    found = judged(box, builds, made, *wheels, b"marker", upto=1)
    assert found.ladder.level == 0
    assert "what does lies beside it" in found.ladder.why
    own = {"kind": "command", "argv": ["python3", "-m", "toy"]}
    made = with_beside(wheels, RUN, benign=[theirs, own])
    found = judged(box, builds, made, *wheels, b"marker", upto=3)
    assert "1 of 1 benign inputs go another way" in found.ladder.why


def test_what_fires_in_what_lies_beside_it_alone_is_no_flaw_of_the_package(
    box: Backend, builds: Path
) -> None:
    wheels = toys(USES, USES + "#\n", dep="def clean(x): return x + 'marker'\n")
    made = with_beside(wheels, [{"call": "dep.clean", "args": ["a"]}])
    found = judged(box, builds, made, *wheels, upto=1)
    assert found.ladder.level == 0
    assert "what does lies beside it" in found.ladder.why
    assert judged(box, builds, with_beside(wheels, RUN), *wheels, upto=1).ladder.level == 1


PLUGGED = "import importlib\ndef clean(x, name): return importlib.import_module(name).run(x)\n"


@pytest.mark.parametrize(
    ("plugin", "level"),
    [(LEAKS, 1), ("from dep import late as run\n", 0)],
    ids=["its own", "another's in it"],
)
def test_a_plugin_is_called_by_what_it_plugs_into(
    box: Backend, builds: Path, plugin: str, level: int
) -> None:
    wheels = toys(plugin, QUIET, dep=PLUGGED + "def late(x): return x + 'marker'\n")
    made = with_beside(wheels, [{"call": "dep.clean", "args": ["a", "toy"]}])
    assert judged(box, builds, made, *wheels, upto=1).ladder.level == level


def test_a_fix_that_lies_beside_the_package_is_not_its_own(box: Backend, builds: Path) -> None:
    leaks, mended = "def clean(x): return x + 'marker'\n", "def clean(x): return x\n"
    wheels = toys(USES, USES + "#\n", leaks, mended)
    found = judged(box, builds, with_beside(wheels, RUN), *wheels, upto=2)
    assert (found.ladder.level, found.ladder.steps[-1].result) == (1, "failed")
    assert "other packages lie beside the fix" in found.ladder.why


def test_and_one_of_its_own_counts_whatever_else_changed_beside_it(box: Backend, builds: Path) -> None:
    wheels = toys(LEAKS, QUIET, newer="def clean(x): return x\n# newer\n")
    assert judged(box, builds, with_beside(wheels, RUN), *wheels, upto=2).ladder.level == 2


def test_what_lies_beside_it_takes_the_place_of_none_of_its_files(box: Backend, builds: Path) -> None:
    over = a_wheel({"toy.py": LEAKS, "toy.dist-info/METADATA": "", "dep.py": ""}, "dep")
    honest = a_wheel({"toy.py": QUIET})
    for first in (True, False):
        pair = {"a.whl": sha(over), "b.whl": sha(honest)}
        made = py_recipe(honest, None, RUN, MARKED, limits=LIMITS)
        made["target"]["wheels"] = pair if first else dict(reversed(pair.items()))
        found = judged(box, builds, made, over, honest, upto=1)
        assert found.ladder.level == 0
        assert "did not come out" in found.ladder.why


def test_two_releases_of_the_package_in_one_target_are_neither(box: Backend, builds: Path) -> None:
    """The older one would lie over the newer, and show its flaw in a release that has it no more."""
    fixed, flawed, newest = a_wheel({"toy.py": QUIET}, version="2"), a_wheel({"toy.py": LEAKS}), a_wheel(
        {"toy.py": QUIET + "#\n"}, version="3"
    )  # fmt: skip
    made = py_recipe(fixed, newest, RUN, MARKED, limits=LIMITS)
    made["target"] |= {"version": "2", "wheels": {"a.whl": sha(fixed), "b.whl": sha(flawed)}}
    made["patched"] |= {"version": "3"}
    found = judged(box, builds, made, fixed, flawed, newest, upto=2)
    assert found.ladder.level <= 1
    assert "another release of its package" in "; ".join(found.capped_by)
