"""Four kinds of people, each with a client of the room's real routes, over a database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from access_house import House
from clearway.access import sign_in
from clearway.app.workspace import Workspace
from clearway.http.application import application
from database import new_world, server, world  # noqa: F401
from intake_world import World
from people import People


@pytest.fixture
def house(world: World, tmp_path: Path) -> Iterator[House]:  # noqa: F811
    people = People(world.url)
    workspace = Workspace(tmp_path, world.url)
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
    yield House(people, app)
    workspace.close()
    people.close()
