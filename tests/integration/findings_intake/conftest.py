"""The database fixtures, and a findings desk in a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database import server  # noqa: F401
from findings_world import Desk, Template
from intake_world import World


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture
def desk_and_world(desk_template: Template, tmp_path: Path) -> Iterator[tuple[Desk, World]]:
    yield from desk_template.copy(tmp_path / "desk" / "home")


@pytest.fixture
def desk(desk_and_world: tuple[Desk, World]) -> Desk:
    return desk_and_world[0]


@pytest.fixture
def world(desk_and_world: tuple[Desk, World]) -> World:
    return desk_and_world[1]
