"""Fixtures of findings desks in copies of one made database; a folder's conftest imports those that its tests want."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from findings_case_world import Cases
from findings_world import Desk, Template
from intake_world import World
from site_client import Site, site


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def desk_made(
    desk_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Desk, World]]:
    """One desk for the tests of a module, and the home that it stands in."""
    for desk, world in desk_template.copy(tmp_path_factory.mktemp("desk") / "home"):
        desk.clear()
        yield desk, world


@pytest.fixture(scope="module")
def one_desk(desk_made: tuple[Desk, World]) -> Desk:
    return desk_made[0]


@pytest.fixture(scope="module")
def one_site(one_desk: Desk) -> Iterator[Site]:
    with site(one_desk.home, one_desk.people.url) as made:
        yield made


@pytest.fixture
def desk_and_world(one_desk: Desk, desk_made: tuple[Desk, World]) -> tuple[Desk, World]:
    """The module's desk with nothing in it, and the home that it stands in."""
    one_desk.clear()
    return one_desk, desk_made[1]


@pytest.fixture
def desk(desk_and_world: tuple[Desk, World]) -> Desk:
    return desk_and_world[0]


@pytest.fixture
def world(desk_and_world: tuple[Desk, World]) -> World:
    return desk_and_world[1]


@pytest.fixture(scope="module")
def cases(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """One desk for the cases of a module; each test opens its own."""
    for desk, world in desk_template.copy(tmp_path_factory.mktemp("cases") / "desk" / "home"):
        yield Cases(desk, world)
