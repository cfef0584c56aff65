"""A box, a folder of builds for the whole session, the database fixtures, and a findings desk for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox_house
from clearway.sandbox import Backend
from database import server  # noqa: F401
from findings_world import Desk, desk_of
from intake_world import World, drop_database, new_database


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


@pytest.fixture(scope="module")
def one_desk(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:  # noqa: F811
    url = new_database(server, "made")
    for desk in desk_of(World(url, tmp_path_factory.mktemp("desk") / "home")):
        desk.clear()
        yield desk
    drop_database(server, url)


@pytest.fixture
def desk(one_desk: Desk) -> Desk:
    one_desk.clear()
    return one_desk
