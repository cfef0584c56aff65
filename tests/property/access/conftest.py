"""The database fixtures, and people in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from database import new_world, server, world  # noqa: F401
from intake_world import World
from people import People, people_of


@pytest.fixture
def people(world: World) -> Iterator[People]:  # noqa: F811
    yield from people_of(world.url)


@pytest.fixture
def new_people(new_world: Callable[[], World]) -> Callable[[], AbstractContextManager[People]]:  # noqa: F811
    """Makes people in a database of their own, for each example one."""

    @contextmanager
    def make() -> Iterator[People]:
        yield from people_of(new_world().url)

    return make
