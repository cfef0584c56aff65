"""What the test folder itself must hold to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_no_two_test_files_have_one_name() -> None:
    """Folders of tests are no packages: two modules of one name can't be collected together."""
    names = Counter(
        p.name
        for p in TESTS.rglob("*.py")
        if p.name not in ("conftest.py", "__init__.py") and "fixtures" not in p.parts
    )
    assert [name for name, n in names.items() if n > 1] == []
