"""The database fixtures, and a server with every manner of the API over one governed table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import home, made_home, new_world, server, world  # noqa: F401
from manners_world import Manners, manners_of


@pytest.fixture(scope="module")
def manners(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manners]:  # noqa: F811
    yield from manners_of(server, tmp_path_factory.mktemp("manners") / "log")
