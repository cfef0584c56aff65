"""A recipe is about what it names, and about what its finding is about: else it lifts nothing."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import identity, recipe
from clearway.findings.validate.files import Given
from findings_targets import COPIES, MENDED, a_wheel, c_recipe, py_recipe, py_target, read, sha

STEPS = [{"call": "toy.f"}]
SAYS = {"kind": "output", "text": "x"}


def python(before: bytes, after: bytes | None = None, **more: Any) -> recipe.Recipe:
    return read(py_recipe(before, after, STEPS, SAYS, **more))


def sdist(*infos: str, kind: str = "tar") -> bytes:
    held = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(held, "w") as archive:
            for n, text in enumerate(infos):
                archive.writestr(f"toy-{n}/PKG-INFO", text)
    else:
        with tarfile.open(fileobj=held, mode="w:gz") as packed:
            for n, text in enumerate(infos):
                member = tarfile.TarInfo(f"toy-{n}/PKG-INFO")
                member.size = len(text)
                packed.addfile(member, io.BytesIO(text.encode()))
    return held.getvalue()


def test_wheels_that_say_what_they_are_raise_no_doubt() -> None:
    old, new = a_wheel({"toy.py": "x = 1\n"}), a_wheel({"toy.py": "x = 2\n"}, version="2")
    helper = a_wheel({"help.py": ""}, name="helper", version="9")
    target = py_target(old)
    target["wheels"]["helper-9.whl"] = sha(helper)
    made = python(old, new, target=target)
    assert identity.doubts(made, Given(old, new, helper)) == ()


@pytest.mark.parametrize(
    ("name", "version"), [("requests", "1"), ("toy", "1.1"), ("toy2", "1"), ("", ""), ("toy", "")]
)
def test_a_wheel_that_says_another_name_or_release_is_named(name: str, version: str) -> None:
    old, new = a_wheel({"toy.py": "x = 1\n"}, name, version), a_wheel({"toy.py": ""}, version="2")
    (doubt,) = identity.doubts(python(old, new), Given(old, new))
    assert "no file of target" in doubt
    (doubt,) = identity.doubts(python(new, old, target=py_target(new, "2")), Given(old, new))
    assert "no file of patched" in doubt


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    ("infos", "holds"),
    [
        (["Metadata-Version: 1.0\nName: Toy\nVersion: 1.0\n\nName: other\n"], True),
        (["Name: other\nVersion: 1\n"], False),
        (["Name: toy\nName: other\nVersion: 1\n"], False),
        (["Name: toy\nVersion: 1\n", "Name: other\nVersion: 1\n"], False),
        ([], False),
    ],
    ids=["it says so", "another", "two names", "two files", "it says nothing"],
)
def test_a_source_distribution_goes_by_its_one_pkg_info(kind: str, infos: list[str], holds: bool) -> None:
    data = sdist(*infos, kind=kind)
    target = {"kind": "python", "name": "toy", "version": "1"}
    name = "toy-1.zip" if kind == "zip" else "toy-1.tar.gz"
    made = python(data, target={**target, "sdist": {name: sha(data)}})
    assert (identity.doubts(made, Given(data)) == ()) is holds


@given(st.binary(max_size=300))
def test_bytes_that_are_no_archive_are_no_release(data: bytes) -> None:
    assert len(identity.doubts(python(data), Given(data))) == 1


C = read(c_recipe(COPIES, MENDED))
PY = python(a_wheel({"toy.py": ""}))
DEBIAN = read(
    {
        **c_recipe(COPIES, None),
        "target": {
            "kind": "debian", "name": "toy", "version": "1-2~without-CVE-2020-1", "source": {
                "toy_1-2.dsc": "0" * 64, "toy_1.orig.tar.gz": "1" * 64,
            },
        },
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("made", "ecosystem", "package", "release"),
    [
        (PY, "PyPI", "toy", "1.0"),
        (PY, "PyPI", "Toy", "v1"),
        (C, "", "toy", "1"),
        (C, "GIT", "github.com/somebody/Toy", "v1"),
        (C, "Debian:12", "toy", "1"),
        (DEBIAN, "Debian:12", "toy", "1-2"),
    ],
)
def test_a_recipe_about_the_findings_product_and_release_agrees(
    made: recipe.Recipe, ecosystem: str, package: str, release: str
) -> None:
    assert identity.of_finding(made, ecosystem, package, release) == ""


@pytest.mark.parametrize(
    ("made", "ecosystem", "package", "release", "why"),
    [
        (C, "PyPI", "openlib", "9.9", "another ecosystem"),
        (C, "PyPI", "toy", "1", "another ecosystem"),
        (PY, "", "toy", "1", "another ecosystem"),
        (PY, "npm", "toy", "1", "another ecosystem"),
        (C, "Maven", "a:toy", "1", "another ecosystem"),
        (PY, "PyPI", "openlib", "1", "another product"),
        (PY, "PyPI", "a/toy", "1", "another product"),
        (C, "", "github.com/toy/other", "1", "another product"),
        (PY, "PyPI", "toy", "1.0.1", "another release"),
        (C, "", "toy", "", "another release"),
        (C, "", "", "1", "no product"),
        (DEBIAN, "Alpine", "toy", "1-2", "Debian source package"),
        (DEBIAN, "Debian:12", "toy", "1-3", "another release"),
    ],
)
def test_a_recipe_about_something_else_is_told_so(
    made: recipe.Recipe, ecosystem: str, package: str, release: str, why: str
) -> None:
    assert why in identity.of_finding(made, ecosystem, package, release)
