"""The database fixtures, and people in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import new_world, server, world  # noqa: F401
from intake_world import World
from people import People, Somebody, people_of


@pytest.fixture
def people(world: World) -> Iterator[People]:  # noqa: F811
    yield from people_of(world.url)


@pytest.fixture
def shared_people(people: People) -> People:
    """The same people for every example of a property that writes nothing."""
    return people


@pytest.fixture
def hospital(people: People) -> int:
    return people.org("hospital")


@pytest.fixture
def chief(people: People, hospital: int) -> Somebody:
    """The administrator of the hospital."""
    return people.somebody(hospital, "administrator")
