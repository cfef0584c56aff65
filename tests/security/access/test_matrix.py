"""Every route and every table has its row in the access matrix, and behaves as it says for every role.

A new route or table without a row fails here. The row is to be written by a person who has thought about who may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient
from matrix_world import TABLES, application, kind_of, matrix, missing, path_of, routes

from clearway.access.person import ROLES
from people import People, Somebody

# Which roles have which right: written again here, so that a change of the database's table is noticed.
RIGHTS = {
    "read": set(ROLES),
    "operate": {"operator", "administrator"},
    "submit": {"finder", "coordinator", "maintainer", "lab"},
    "coordinate": {"coordinator"},
    "maintain": {"maintainer"},
    "assess": {"assessor"},
    "determine": {"official"},
    "direct": {"official"},
    "audit": {"auditor", "administrator"},
    "administer": {"administrator"},
    "signed-in": set(ROLES),
}


@pytest.fixture(scope="module")
def everybody(
    server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[People, dict[str, Somebody]]]:
    from intake_world import drop_database, new_database
    from people import people_of

    url = new_database(server, "made")
    try:
        for people in people_of(url):
            org = people.org("matrix")
            yield people, {role: people.somebody(org, role) for role in ROLES}
    finally:
        drop_database(server, url)


@pytest.fixture(scope="module")
def client(
    everybody: tuple[People, dict[str, Somebody]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient[Any]]:
    with application(everybody[0], tmp_path_factory.mktemp("matrix") / "home") as made:
        yield made


def test_every_route_has_its_row_and_every_row_its_route(client: TestClient[Any]) -> None:
    lacking, stale = missing(matrix()["routes"], set(routes(client)))
    assert lacking == [], "routes without a row in matrix.toml"
    assert stale == [], "rows of matrix.toml without a route"


def test_every_route_declares_what_its_row_says(client: TestClient[Any]) -> None:
    for route, handler in routes(client).items():
        declared = "public" if handler.opt.get("public") is True else handler.opt.get("right", "closed")
        assert matrix()["routes"].get(route) == declared, route


def test_every_table_has_its_row_and_is_kept_as_it_says(
    everybody: tuple[People, dict[str, Somebody]],
) -> None:
    with everybody[0].owner() as db:
        found = {row[0]: kind_of(row) for row in db.execute(TABLES)}
    given = matrix()["tables"]
    lacking, stale = missing(given, set(found))
    assert lacking == [], "tables without a row in matrix.toml"
    assert stale == [], "rows of matrix.toml without a table"
    assert {t: k for t, k in found.items() if given[t] != k} == {}


def _status(client: TestClient[Any], route: str, who: Somebody | None) -> int:
    method, path = path_of(route)
    headers = {"accept": "application/json"}
    if who is not None:
        headers["authorization"] = f"Bearer {who.secret}"
    body = None if method == "GET" else {}
    return client.request(method, path, headers=headers, json=body).status_code


def test_the_public_reaches_what_is_public_and_nothing_else(client: TestClient[Any]) -> None:
    client.cookies.clear()
    for route, right in matrix()["routes"].items():
        if right == "public":
            # A sign-in that is none says 401 itself.
            if not route.startswith(("POST /sign-in", "GET /sign-in/back")):
                assert _status(client, route, None) not in (401, 403), route
        else:
            assert _status(client, route, None) == 401, route


def _cells() -> list[tuple[str, str]]:
    return [
        (role, right) for role in ROLES for right in sorted(set(matrix()["routes"].values()) - {"public"})
    ]


@pytest.mark.parametrize(("role", "right"), _cells())
def test_each_role_passes_the_doors_of_its_rights_and_no_other(
    client: TestClient[Any], everybody: tuple[People, dict[str, Somebody]], role: str, right: str
) -> None:
    """Every route of that right: whoever lacks it is refused; whoever has it is let in, and finds nothing there."""
    somebody = everybody[1][role]
    for route in (r for r, wanted in matrix()["routes"].items() if wanted == right):
        if "/sign-out" in route or "/events" in route:  # ends the session, or never ends
            continue
        status = _status(client, route, somebody)
        assert status < 500 or status == 503, (route, status)  # 503: no advisories are loaded
        if role in RIGHTS[right]:
            assert status != 401, (route, status)
        else:
            assert status == 403, (route, status)


def test_the_rights_of_the_roles_are_those_of_the_database(
    everybody: tuple[People, dict[str, Somebody]],
) -> None:
    with everybody[0].owner() as db:
        found: dict[str, set[str]] = {}
        for role, right in db.execute('select role, "right" from clearway.role_right'):
            found.setdefault(right, set()).add(role)
    assert found == {right: roles for right, roles in RIGHTS.items() if right != "signed-in"}
