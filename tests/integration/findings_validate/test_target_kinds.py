"""Debian source packages and the tests of Python packages as targets: unpacked, patched, built and tried for real."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from clearway.sandbox import Backend
from findings_targets import COPIES, LONG, SHORT, a_wheel, c_recipe, judged, py_recipe, sha

NEEDS_DPKG = pytest.mark.skipif(shutil.which("dpkg-source") is None, reason="no dpkg-source")
OTHER = b"""--- a/other.h
+++ b/other.h
@@ -1 +1 @@
-#define OTHER 1
+#define OTHER 2
"""
# What must not run: it would leave a file that the program then includes.
RULES = b"#!/bin/sh\necho '#define RAN 1' > ran.h\n"
SAYS = COPIES.replace(
    b"#include <stdio.h>",
    b'#include "other.h"\n#if __has_include("ran.h")\n#error a script of the package was run\n#endif\n'
    b"#if OTHER != 2\n#error the rest of the series is not applied\n#endif\n#include <stdio.h>",
)


def packed(files: dict[str, bytes], how: str) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=f"w:{how}") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def a_source_package(fix: bytes) -> dict[str, bytes]:
    """A source package in three files: its series has a patch of another thing, then the fix."""
    debian = {
        "debian/rules": RULES, "debian/source/format": b"3.0 (quilt)\n", "debian/changelog": b"toy (1.0-1) u; u=low\n",
        "debian/control": b"Source: toy\n", "debian/patches/series": b"other.patch # a note\nfix.patch\n",
        "debian/patches/other.patch": OTHER, "debian/patches/fix.patch": fix,
    }  # fmt: skip
    files = {
        "toy_1.0.orig.tar.gz": packed(
            {"toy-1.0/main.c": SAYS, "toy-1.0/other.h": b"#define OTHER 1\n"}, "gz"
        ),
        "toy_1.0-1.debian.tar.xz": packed(debian, "xz"),
    }
    lines = [
        "Format: 3.0 (quilt)",
        "Source: toy",
        "Version: 1.0-1",
        "Maintainer: nobody",
        "Checksums-Sha256:",
    ]
    lines += [f" {sha(data)} {len(data)} {name}" for name, data in files.items()]
    lines += ["Files:", *(f" {'0' * 32} {len(data)} {name}" for name, data in files.items())]
    return {"toy_1.0-1.dsc": ("\n".join(lines) + "\n").encode(), **files}


def the_fix() -> bytes:
    """The patch that mends `keep`, against the packaged source."""
    lines = SAYS.splitlines()
    at = next(n for n, line in enumerate(lines) if b"strcpy(to, from)" in line)
    new = lines[at].replace(b"strcpy(to, from)", b"strncpy(to, from, 15); to[15] = 0")
    return b"--- a/main.c\n+++ b/main.c\n@@ -%d +%d @@\n-%s\n+%s\n" % (at + 1, at + 1, lines[at], new)


def debian_recipe(package: dict[str, bytes], without: list[str], **more: Any) -> dict[str, Any]:
    source = {name: sha(data) for name, data in package.items()}
    target = {"kind": "debian", "name": "toy", "version": "1.0-1", "source": source}
    made = c_recipe(COPIES, None)
    made["target"] = target | {"version": "1.0-1~without-the-fix", "series": without}
    made["patched"] = target | more
    return made


@NEEDS_DPKG
def test_a_debian_source_package_is_vulnerable_without_its_patch_and_fixed_with_it(
    box: Backend, builds: Path
) -> None:
    package = a_source_package(the_fix())
    made = debian_recipe(package, ["other.patch"])
    found = judged(box, builds, made, *package.values(), LONG, SHORT, upto=3)
    assert found.ladder.level == 3, (found.ladder, found.output[-500:])
    assert found.state is not None
    assert found.state.frames == ("keep", "parse")


@NEEDS_DPKG
@pytest.mark.parametrize(
    ("series", "fix", "level"),
    [
        (["absent.patch"], "", 0),
        (["other.patch"], "--- a/main.c\n+++ b/main.c\n@@ -1 +1 @@\n-not there\n+x\n", 1),
        (["other.patch"], "--- a/../../escaped\n+++ b/../../escaped\n@@ -0,0 +1 @@\n+x\n", 1),
    ],
    ids=["a patch that is not in the series", "a patch that does not apply", "a patch that climbs out"],
)
def test_what_a_series_can_not_do_is_named(
    box: Backend, builds: Path, series: list[str], fix: str, level: int
) -> None:
    package = a_source_package(fix.encode() or the_fix())
    found = judged(box, builds, debian_recipe(package, series), *package.values(), LONG, SHORT, upto=2)
    assert found.ladder.level == level, (found.ladder, found.output[-500:])
    assert "not built" in found.ladder.why


@NEEDS_DPKG
def test_a_patch_of_a_finding_is_put_on_top_of_the_series(box: Backend, builds: Path) -> None:
    package = a_source_package(the_fix())
    fix = the_fix()
    made = debian_recipe(package, ["other.patch"], series=["other.patch"], patches={"p": sha(fix)})
    found = judged(box, builds, made, *package.values(), fix, LONG, SHORT, upto=2)
    assert found.ladder.level == 2, (found.ladder, found.output[-500:])


CRASHES = "import ctypes\ndef run(x): return ctypes.string_at(0) if x == 'bad' else 'kept ' + x\n"
MENDED_PY = "def run(x): return '' if x == 'bad' else 'kept ' + x\n"
BREAKS = "def run(x): return ''\n"
TESTS = b"""import unittest, toy
class Kept(unittest.TestCase):
    def test_it_keeps(self): self.assertEqual(toy.run('a'), 'kept a')
    def test_it_is_the_one_that_is_judged(self): self.assertTrue(toy.__file__.startswith('/target/'))
"""
FAILS = b"import unittest\nclass Never(unittest.TestCase):\n    def test_it(self): self.fail()\n"


def with_tests(after: str) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    one, two = a_wheel({"toy.py": CRASHES}), a_wheel({"toy.py": after}, version="2")
    sdist = packed(
        {"toy-1/tests/__init__.py": b"", "toy-1/tests/test_a.py": TESTS, "toy-1/toy.py": b"1/0\n"}, "gz"
    )
    made = py_recipe(one, two, [{"call": "toy.run", "args": ["bad"]}], {"kind": "signal"})
    for part in ("target", "patched"):
        made[part] |= {
            "test_archives": {"toy-1.tar.gz": sha(sdist)},
            "test_files": {"tests/test_b.py": sha(FAILS)},
            "tests": [{"name": n, "argv": ["unittest", "-q", f"tests.test_{n}"]} for n in ("a", "b")],
        }
    return made, (one, two, sdist, FAILS)


def test_the_projects_own_python_tests_run_before_and_after_the_patch(box: Backend, builds: Path) -> None:
    made, blobs = with_tests(MENDED_PY)
    found = judged(box, builds, made, *blobs, upto=3)
    assert found.ladder.level == 3, (found.ladder, found.output[-500:])
    assert "1 tests pass as before" in found.ladder.steps[3].why  # the other one failed before as well


def test_a_patch_that_breaks_a_python_test_that_passed_stays_at_e2(box: Backend, builds: Path) -> None:
    made, blobs = with_tests(BREAKS)
    found = judged(box, builds, made, *blobs, upto=3)
    assert found.ladder.level == 2
    assert "1 of 1 tests that passed before fail after" in found.ladder.why


def test_tests_of_the_reporters_own_do_not_lift_a_target_over_e1(box: Backend, builds: Path) -> None:
    made, blobs = with_tests(MENDED_PY)
    known = frozenset(map(sha, blobs[:3]))
    assert judged(box, builds, made, *blobs, upto=3, known=known).ladder.level == 1
    assert judged(box, builds, made, *blobs, upto=3, known=known | {sha(FAILS)}).ladder.level == 3
