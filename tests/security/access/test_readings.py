"""Reading what is marked is an entry in the log: every GET of what is governed tells it, or says here why not."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from matrix_world import application, matrix, routes

from people import People
from told_readings import tells

_REASONS = Path(__file__).parent / "readings.toml"


@pytest.fixture(scope="module")
def handlers(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    from intake_world import drop_database, new_database
    from people import people_of

    url = new_database(server, "made")
    try:
        for people in people_of(url):
            yield _of(people, tmp_path_factory.mktemp("readings") / "home")
    finally:
        drop_database(server, url)


def _of(people: People, home: Path) -> dict[str, Any]:
    client: TestClient[Any]
    with application(people, home) as client:
        return routes(client)


def test_every_get_of_what_is_governed_tells_the_log_or_says_why_not(handlers: dict[str, Any]) -> None:
    given = tomllib.loads(_REASONS.read_text())["silent"]
    reasons = {route: part["why"] for part in given for route in part["routes"]}
    assert len(reasons) == sum(len(part["routes"]) for part in given), "a route with two reasons"
    rights = matrix()["routes"]
    silent = set()
    for route, handler in handlers.items():
        function = getattr(handler.fn, "__wrapped__", handler.fn)
        module = inspect.getmodule(function)
        if not route.startswith("GET ") or rights[route] == "public" or module is None:
            continue
        line = function.__code__.co_firstlineno
        if module.__name__.startswith("clearway.") and not tells(module, function.__name__, set(), line):
            silent.add(route)
    assert silent - set(reasons) == set(), (
        "reads without an entry: tell it by the note of access.reading, or say why in readings.toml"
    )
    assert set(reasons) - silent == set(), "a reason for what tells the log, or is gone"
    assert all(reasons.values())
