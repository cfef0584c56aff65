"""The database fixtures, and feeds with an upstream of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import home, made_home, new_world, server, world  # noqa: F401
from feed_world import Feeds, a_world, empty
from intake_world import World
from upstream import Upstream, serving


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: F811
    with a_world(server, tmp_path_factory.mktemp("feeds")) as made:
        yield made


@pytest.fixture
def feeds(made: World) -> Iterator[Feeds]:
    """A world without a record or feed: one database, emptied after each test."""
    yield Feeds(made)
    empty(made)
