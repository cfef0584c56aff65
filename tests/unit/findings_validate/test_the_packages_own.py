"""Whose the files of a Python target are: the package's that is judged, or another's that lies beside it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import recipe as r
from clearway.findings.validate import whose
from clearway.findings.validate.files import Given
from findings_targets import a_wheel, py_recipe, read, sha

OWN, OTHER = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("own", "other", "roots"),
    [
        (["toy/a.py", "toy/b.py", "toy.dist-info/METADATA"], ["dep/a.py"], ("toy",)),
        (["toy.py"], ["dep.py"], ("toy.py",)),
        (["google/toy/a.py"], ["google/dep/a.py"], ("google/toy",)),
        (["google/__init__.py", "google/toy/a.py"], ["google/__init__.py", "google/dep.py"],
         ("google/__init__.py", "google/toy")),
        (["toy/a.py"], ["toy/planted.py"], ("toy/a.py",)),
        (["toy.py"], [], ()),
    ],
    ids=["a folder", "a module", "a shared namespace", "a file of both", "another's file among them", "alone"],
)  # fmt: skip
def test_a_package_has_the_fewest_places_that_no_other_has(
    own: list[str], other: list[str], roots: tuple[str, ...]
) -> None:
    assert whose.roots({OWN: own, OTHER: other}, frozenset({OWN})) == roots


paths = st.frozensets(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/".join(parts) + ".py"),
    min_size=1, max_size=12,
)  # fmt: skip


@given(paths, paths)
def test_all_of_its_files_lie_there_and_no_other_file_does(
    own: frozenset[str], other: frozenset[str]
) -> None:
    roots = whose.roots({OWN: own, OTHER: other}, frozenset({OWN}))

    def there(path: str) -> bool:
        return any(path == root or path.startswith(f"{root}/") for root in roots)

    assert all(map(there, own))
    assert not any(map(there, other - own))


@pytest.mark.parametrize(
    ("own", "module", "runs"),
    [
        ((), "dep.tool", True),
        (("toy",), "toy", True),
        (("toy",), "toy.tool", True),
        (("toy.py",), "toy", True),
        (("toy",), "dep", False),
        (("toy",), "toys", False),
        (("google/toy",), "google.toy.tool", True),
        (("google/toy",), "google.dep", False),
        (("google/toy",), "google", False),
    ],
)
def test_a_module_is_run_by_the_file_that_it_is(own: tuple[str, ...], module: str, runs: bool) -> None:
    assert whose.runs_own(own, module) is runs


def target(*wheels: bytes, version: str = "1", **more: Any) -> r.PythonTarget:
    made = py_recipe(wheels[0], None, [{"call": "toy.run"}], {"kind": "signal"})
    held = {f"{n}.whl": sha(wheel) for n, wheel in enumerate(wheels)}
    found = read(made | {"target": {**made["target"], "wheels": held, "version": version, **more}}).target
    assert isinstance(found, r.PythonTarget)
    return found


TOY, NEW = a_wheel({"toy.py": "1"}), a_wheel({"toy.py": "2"}, version="2")
DEP, NEWER = a_wheel({"dep.py": "1"}, "dep"), a_wheel({"dep.py": "2"}, "dep", "2")
TWICE = a_wheel({"toy.py": "3", "x.dist-info/METADATA": "Name: toy\nVersion: 1\n"}, "other")
FILES = Given(TOY, NEW, DEP, NEWER, TWICE)


def test_a_wheel_goes_by_its_one_metadata_and_all_count_where_none_says_the_name() -> None:
    assert whose.own_files(target(TOY, DEP), FILES) == {sha(TOY)}
    assert whose.own_files(target(TOY, TWICE), FILES) == {sha(TOY)}
    assert whose.own_files(target(DEP, NEWER), FILES) == {sha(DEP), sha(NEWER)}


def test_the_vulnerable_release_is_tried_with_what_lies_beside_the_fix_where_that_is_another() -> None:
    assert whose.with_fixes_needs(target(TOY, DEP), target(NEW, DEP, version="2"), FILES) is None
    assert whose.with_fixes_needs(target(TOY), target(NEW, version="2"), FILES) is None
    mixed = whose.with_fixes_needs(target(TOY, DEP), target(NEW, NEWER, version="2"), FILES)
    assert mixed is not None
    assert set(mixed.wheels.values()) == {sha(TOY), sha(NEWER)}
    assert mixed.version == "1"
    bare = whose.with_fixes_needs(target(TOY, DEP), target(NEW, version="2"), FILES)
    assert bare is not None
    assert set(bare.wheels.values()) == {sha(TOY)}
