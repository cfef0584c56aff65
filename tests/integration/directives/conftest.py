"""A desk in a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from clearway.directives.kept import issues
from database import new_world, server  # noqa: F401
from directive_desk import Desk
from intake_world import World


@pytest.fixture
def desk(new_world: Callable[[], World]) -> Iterator[Desk]:  # noqa: F811
    made = Desk(new_world().url)
    yield made
    made.pool.close()


@pytest.fixture
def issuing(desk: Desk) -> Desk:
    """A desk whose authority has registered its key."""
    desk.do("administrator@authority", issues.add_key, "authority", desk.key, "first")
    return desk
