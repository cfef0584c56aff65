"""What the test folder itself must hold to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


def test_no_two_test_files_have_one_name() -> None:
    """Folders of tests are no packages: two modules of one name can't be collected together."""
    names = Counter(
        p.name
        for p in TESTS.rglob("*.py")
        if p.name not in ("conftest.py", "__init__.py") and "fixtures" not in p.parts
    )
    assert [name for name, n in names.items() if n > 1] == []


@pytest.mark.slow
def test_every_test_is_found_without_shared_data(tmp_path: Path) -> None:
    """What reads it while it is imported would be an error there, and take every other test with it."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", str(TESTS)],
        env={**os.environ, "CLEARWAY_SHARED_DATA": str(tmp_path / "absent")},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:]
