"""The database fixtures, and people in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import new_world, server, world  # noqa: F401
from intake_world import World
from people import People, people_of


@pytest.fixture
def people(world: World) -> Iterator[People]:  # noqa: F811
    yield from people_of(world.url)
