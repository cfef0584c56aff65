"""A box, and a folder of builds for all tests of the session."""

from __future__ import annotations

from pathlib import Path

import pytest

import sandbox_house
from clearway.sandbox import Backend


@pytest.fixture(scope="session")
def box() -> Backend:
    return sandbox_house.boxes()


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builds")
    for path in (folder, *folder.parents):  # a box has a user of its own, who is to read what was built
        if path.stat().st_mode & 0o001 == 0 and path.owner() != "root":
            pytest.skip(f"{path} is closed to others")
        if path.stat().st_mode & 0o005 != 0o005 and str(path).startswith("/tmp/pytest-of-"):
            path.chmod(0o755)
    return folder
