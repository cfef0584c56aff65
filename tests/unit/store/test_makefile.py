"""The targets that people and continuous integration rely on."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from shared import ROOT

TARGETS = ["help", "setup", "run", "serve", "test", "test-all", "check", "fmt", "bench", "lock", "clean"]


def test_make_help_lists_every_target_with_what_it_does() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(maxsplit=1) for line in said.splitlines()[1:])
    assert list(lines) == TARGETS


@pytest.mark.parametrize(
    "script", ["scripts/setup.sh", "scripts/lock.sh", "scripts/system-packages.sh", ".ci/run"]
)
def test_scripts_are_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].rpartition("/")[2].replace("env ", "")
    assert subprocess.run([shell, "-n", path], check=False).returncode == 0


def test_no_lock_names_an_address() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text(), lock.name
