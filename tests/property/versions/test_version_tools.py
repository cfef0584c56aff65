"""The same order as the ecosystems' own tools, where they are installed on this machine."""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clearway.records.errors import VersionUnreadableError
from clearway.versions import compare

_MAVEN_JARS = (
    "/usr/share/java/maven-artifact-3.x.jar",
    "/usr/share/maven-repo/org/apache/maven/maven-artifact/3.x/maven-artifact-3.x.jar",
)
_NPM_SEMVER = (
    "/usr/lib/node_modules/npm/node_modules/semver",
    "/usr/local/lib/node_modules/npm/node_modules/semver",
    "/usr/share/nodejs/semver",
)


def first_there(paths: tuple[str, ...], what: str) -> str:
    for path in paths:
        if Path(path).exists():
            return path
    pytest.skip(f"{what} is absent")


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is absent")
    return path


def made_of(parts: list[str], count: int, head: str = "1") -> list[str]:
    chosen = random.Random(11)
    return [head + "".join(chosen.choices(parts, k=chosen.randint(0, 5))) for _ in range(count)]


def test_maven_itself_agrees_on_versions_whose_order_is_transitive() -> None:
    java, jar = tool("java"), first_there(_MAVEN_JARS, "maven-artifact")
    language = "/usr/share/java/commons-lang3.jar"  # older releases of the class need it
    # A bare qualifier within a list (".x.", ".Final.") is left out: there Maven's order is not transitive.
    parts = [
        ".0",
        ".1",
        ".10",
        ".02",
        "-alpha-1",
        "-beta",
        "-rc1",
        "-SNAPSHOT",
        "-sp",
        "-1",
        "-jre",
        "a1",
        "x",
    ]
    found = [text + random.Random(text).choice(["", "", ".Final", "-GA"]) for text in made_of(parts, 600)]
    ran = subprocess.run(
        [java, "-cp", f"{jar}:{language}", "org.apache.maven.artifact.versioning.ComparableVersion", *found],
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.findall(r"^\s+(\S+) (<|==|>) (\S+)$", ran.stdout, re.MULTILINE)
    assert len(said) == len(found) - 1
    wrong = [
        (a, sign, b) for a, sign, b in said if compare("maven", a, b) != {"<": -1, "==": 0, ">": 1}[sign]
    ]
    assert not wrong


def test_npm_itself_agrees_and_reads_no_complete_version_that_is_refused() -> None:
    node, semver = tool("node"), first_there(_NPM_SEMVER, "npm's semver")
    parts = ["-rc", "-1", ".1", ".a", "-beta.2", "+b", "-", "alpha", ".01", "-0"]
    found = made_of(parts, 600, "1.2.3") + made_of(parts, 200, "v1.10.0") + made_of(parts, 200, "1.2.3-0")
    pairs = list(itertools.pairwise(found))
    script = (
        "const semver = require(process.argv[1]);"
        "const pairs = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify(pairs.map(([a, b]) =>"
        " semver.valid(a) && semver.valid(b) ? semver.compare(a, b) : null)));"
    )
    ran = subprocess.run(
        [node, "-e", script, semver], input=json.dumps(pairs), capture_output=True, text=True, check=True
    )
    said = json.loads(ran.stdout)
    assert sum(one is not None for one in said) > 100
    wrong = [
        (pair, one)
        for pair, one in zip(pairs, said, strict=True)
        if one is not None and one != compare("semver", *pair)
    ]
    assert not wrong


def test_dpkg_itself_agrees_on_a_sample() -> None:
    dpkg = tool("dpkg")
    parts = [".", "0", "2", "~", "-1", "rc", "+", "a", "10", ".0", "~rc1", "+deb12u1", "-0"]
    found = made_of(parts, 120) + made_of(parts, 30, "1:0")
    compared = 0
    for a, b in itertools.pairwise(found):
        try:
            got = compare("dpkg", a, b)
        except VersionUnreadableError:
            continue
        sign = "lt" if got < 0 else "gt" if got > 0 else "eq"
        ran = subprocess.run([dpkg, "--compare-versions", a, sign, b], capture_output=True, check=False)
        assert ran.returncode == 0, (a, sign, b, ran.stderr)
        compared += 1
    assert compared > 50
