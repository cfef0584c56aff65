"""A database, people in it, and a fleet with what it is judged by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import new_world, server, world  # noqa: F401
from fleet_world import Fleet, fleet_of
from intake_world import World


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:  # noqa: F811
    yield from fleet_of(world)
