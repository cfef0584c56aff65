"""The database fixtures, and a findings desk in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import new_world, server, world  # noqa: F401
from findings_world import Desk, desk_of
from intake_world import World


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:  # noqa: F811
    yield from desk_of(world)
