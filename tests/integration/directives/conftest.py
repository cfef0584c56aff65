"""A desk in a database of its own, copied from one that was furnished once."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from clearway.directives.kept import issues
from database import server  # noqa: F401
from directive_desk import Desk, furnish
from intake_world import drop_database, new_database


@pytest.fixture(scope="session")
def furnished(server: str) -> Iterator[tuple[str, dict[str, str]]]:  # noqa: F811
    """The name of a database with organisations and people, and their secrets."""
    url = new_database(server, "made")
    secrets = furnish(url)
    yield urlsplit(url).path.lstrip("/"), secrets
    drop_database(server, url)


@pytest.fixture
def desk(server: str, furnished: tuple[str, dict[str, str]]) -> Iterator[Desk]:  # noqa: F811
    template, secrets = furnished
    made = Desk(new_database(server, template), secrets)
    yield made
    made.pool.close()
    drop_database(server, made.url)


@pytest.fixture
def issuing(desk: Desk) -> Desk:
    """A desk whose authority has registered its key."""
    desk.do("administrator@authority", issues.add_key, "authority", desk.key, "first")
    return desk
