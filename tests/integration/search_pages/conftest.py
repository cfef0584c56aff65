"""A database with a fleet in it, and the whole application over it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import new_world, server, world  # noqa: F401
from fleet_world import Fleet, fleet_of
from intake_world import World
from site_client import Site, site


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:  # noqa: F811
    yield from fleet_of(world)


@pytest.fixture
def here(fleet: Fleet) -> Iterator[Site]:
    """The application over the fleet's database and home."""
    with site(fleet.world.home, fleet.world.url) as made:
        yield made
