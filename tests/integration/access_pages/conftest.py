"""Four kinds of people, each with a client of the room's real routes, over a database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from access_house import House, Household, household
from clearway.access import sign_in
from clearway.app.workspace import Workspace
from clearway.http.application import application
from clearway.ledger import reading
from database import server  # noqa: F401
from intake_world import drop_database, new_database
from people import People


@pytest.fixture(scope="module")
def lived_in(server: str) -> Iterator[tuple[str, People, Household]]:  # noqa: F811
    """A database with everybody of a house in it, to be copied."""
    url = new_database(server, "made")
    people = People(url)
    lives = household(people)
    people.close()
    yield urlsplit(url).path.lstrip("/"), people, lives
    drop_database(server, url)


@pytest.fixture
def house(
    server: str,  # noqa: F811
    lived_in: tuple[str, People, Household],
    tmp_path: Path,
) -> Iterator[House]:
    template, made, lives = lived_in
    url = new_database(server, template)
    reading._told.clear()  # of another copy, which had the same people
    people = People(url, made)
    workspace = Workspace(tmp_path, url)
    rooms = [
        import_module(name).routes()
        for name in (
            "clearway.access.api",
            "clearway.access.pages",
            "clearway.ledger.api",
            "clearway.ledger.pages",
        )
        if find_spec(name)
    ]
    app = application(
        [sign_in.routes(workspace.sign_in), *rooms],
        guard=workspace.guard(),
        pages=workspace.pages,
        state=workspace.state,
    )
    yield House(people, app, lives)
    workspace.close()
    people.close()
    drop_database(server, url)
