"""The database fixtures, and a desk whose participants lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import home, made_home, new_world, server, world  # noqa: F401
from intake_world import World
from lease_house import House, house_of


@pytest.fixture
def house(world: World) -> Iterator[House]:  # noqa: F811
    yield from house_of(world)
