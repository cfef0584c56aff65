"""A database with an authority, two organisations and their fleets, and the whole application over a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clearway.directives.kept import issues
from clearway.store.connect import connect, translated
from cockpit_world import FLEET, OF_ONE, Cockpit
from database import server  # noqa: F401
from directive_desk import Desk, furnish
from intake_world import drop_database, new_database
from site_client import site


@pytest.fixture(scope="session")
def furnished(server: str) -> Iterator[tuple[str, dict[str, str]]]:  # noqa: F811
    """A database with organisations, people and fleets, to be copied."""
    url = new_database(server, "made")
    secrets = furnish(url)
    with translated(), connect(url) as owner:
        owner.execute(FLEET)
        for slug in ("water", "hospital"):
            owner.execute(OF_ONE, {"slug": slug})
    yield urlsplit(url).path.lstrip("/"), secrets
    drop_database(server, url)


@pytest.fixture
def cockpit(server: str, furnished: tuple[str, dict[str, str]], tmp_path: Path) -> Iterator[Cockpit]:  # noqa: F811
    template, secrets = furnished
    desk = Desk(new_database(server, template), secrets)
    desk.do("administrator@authority", issues.add_key, "authority", desk.key, "first")
    (tmp_path / "home").mkdir()
    with site(tmp_path / "home", desk.url) as here:
        yield Cockpit(desk, here)
    desk.pool.close()
    drop_database(server, desk.url)
