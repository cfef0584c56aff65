"""Reading what is marked is an entry in the log: every GET of what is governed tells it, or says here why not."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from litestar.testing import TestClient
from matrix_world import application, matrix, routes

from people import People

# What tells the log, or hands over to what does. Beginning to read (`reading`) tells nothing by itself.
TELLS = {"append_read", "telling", "stream"}
NOTES = {"note", "note.page", "note.listed", "note.counted"}
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


@cache
def _functions(module: ModuleType) -> dict[str, dict[int, set[str]]]:
    """Each function of a module, those within others too, by name and first line, with what it calls: "name", or
    "module.name"."""
    found: dict[str, dict[int, set[str]]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min((one.lineno for one in node.decorator_list), default=node.lineno)
            found.setdefault(node.name, {})[first] = {
                ast.unparse(call.func)
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute)
            }
    return found


def _tells(module: ModuleType, name: str, seen: set[tuple[str, str]], line: int = 0) -> bool:
    """Whether the function of that name tells the log what it reads, itself or by another of ours that it calls.

    `line` is where it begins, of several with that name.
    """
    known = _functions(module)
    if (module.__name__, name) in seen or name not in known:
        return False
    seen.add((module.__name__, name))
    calls = known[name][line] if line else {one for calls in known[name].values() for one in calls}
    for called in calls:
        before, _, last = called.rpartition(".")
        if last in TELLS or (called in NOTES and called not in known):
            return True
        if not before and _tells(module, called, seen):
            return True
        there = vars(module).get(called) if not before else getattr(vars(module).get(before), last, None)
        home = inspect.getmodule(there) if inspect.isroutine(there) else None
        if home is not None and home.__name__.startswith("clearway.") and _tells(home, there.__name__, seen):
            return True
    return False


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
        if module.__name__.startswith("clearway.") and not _tells(module, function.__name__, set(), line):
            silent.add(route)
    assert silent - set(reasons) == set(), (
        "reads without an entry: tell it by the note of access.reading, or say why in readings.toml"
    )
    assert set(reasons) - silent == set(), "a reason for what tells the log, or is gone"
    assert all(reasons.values())
