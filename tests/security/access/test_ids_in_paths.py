"""A number in a path that no row can have names nothing, whatever the route: it is no fault of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from matrix_world import application, routes

from clearway.access.person import ROLES
from clearway.http.csrf import token
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from people import People, Somebody

# What Python takes for 1 or 13, beside these themselves.
SPELLED = ("1_3", "+13", "%2013", "13%20", "013", "\u0661\u0663", "\uff11", "%2B1", "-0")
BEYOND = (2**31, 2**63 - 1, 2**63, 10**40, -(2**63) - 1)


@pytest.fixture
def asked(people: People, tmp_path: Path) -> Iterator[tuple[TestClient[Any], Somebody]]:
    with application(people, tmp_path / "home") as client:
        yield client, people.somebody(people.house, *ROLES)


def test_a_number_beyond_those_of_the_database_is_answered_by_every_route(
    asked: tuple[TestClient[Any], Somebody],
) -> None:
    client, who = asked
    wrong: list[tuple[str, int, int]] = []
    tried = 0
    for route in routes(client):
        method, _, template = route.partition(" ")
        # Where no such number can be taken, none beyond is: an upload, where no advisories are loaded.
        if ":int}" not in route or _ask(client, who, method, _filled(template, 999_999)).status_code >= 500:
            continue
        for number in BEYOND:
            answer = _ask(client, who, method, _filled(template, number))
            tried += 1
            if answer.status_code >= 500:
                wrong.append((route, number, answer.status_code))
    assert tried > 300
    assert wrong == []


def test_a_thing_has_one_address_whatever_python_takes_for_its_number(
    asked: tuple[TestClient[Any], Somebody],
) -> None:
    client, who = asked
    wrong: list[tuple[str, str, int]] = []
    tried = 0
    for route in routes(client):
        method, _, template = route.partition(" ")
        if ":int}" not in route:
            continue
        for number in SPELLED:
            answer = _ask(client, who, method, _filled(template, number))
            tried += 1
            if answer.status_code not in (403, 404):
                wrong.append((route, number, answer.status_code))
    assert tried > 500
    assert wrong == []


def _filled(template: str, number: int | str) -> str:
    parts = template.split("/")
    return "/".join(
        str(number) if part.endswith(":int}") else "nothing" if part.startswith("{") else part
        for part in parts
    )


def _ask(client: TestClient[Any], who: Somebody, method: str, path: str) -> Any:
    client.cookies.clear()
    if path.startswith("/api/"):
        headers = {"authorization": f"Bearer {who.secret}", "if-match": "*"}
        return client.request(method, path, json={}, headers=headers)
    client.cookies.set(SESSION_COOKIE_PLAIN, who.cookie)
    return client.request(method, path, data={"_csrf": token(who.key)}, headers={"accept": "text/html"})
