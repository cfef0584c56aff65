"""The database fixtures, and a findings desk for the tests of a module, cleared before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from findings_world import Desk, Template
from intake_world import World


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def one_desk(
    desk_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Desk, World]]:
    for desk, world in desk_template.copy(tmp_path_factory.mktemp("desk") / "home"):
        desk.clear()
        yield desk, world


@pytest.fixture
def desk_and_world(one_desk: tuple[Desk, World]) -> tuple[Desk, World]:
    one_desk[0].clear()
    return one_desk


@pytest.fixture
def desk(desk_and_world: tuple[Desk, World]) -> Desk:
    return desk_and_world[0]


@pytest.fixture
def world(desk_and_world: tuple[Desk, World]) -> World:
    return desk_and_world[1]
