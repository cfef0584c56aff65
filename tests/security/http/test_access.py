"""Who may reach which route: the table, and a server without a route that is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from litestar.routes import HTTPRoute

from clearway.advisories.record_source import MemoryRecords
from clearway.app.server import build
from clearway.http.application import Application
from clearway.http.guard import is_public

# An independent list: a new route is written here by hand, with what it may show to whom.
ACCESS = {
    ("POST", "/v1/query"): "public",  # TLP:CLEAR only
    ("POST", "/v1/querybatch"): "public",  # TLP:CLEAR only
    ("GET", "/v1/vulns/{identifier:str}"): "public",  # TLP:CLEAR only
    ("GET", "/health/live"): "public",
    ("GET", "/health/ready"): "public",  # codes, no details
    ("GET", "/api/v1/openapi.json"): "public",
    ("GET", "/api/v1"): "public",  # the same document
}


@pytest.fixture(scope="module")
def app() -> Application:
    return build(Path("/nowhere"), MemoryRecords({}))


def found(app: Application) -> dict[tuple[str, str], str]:
    routes: dict[tuple[str, str], str] = {}
    for route in app.framework.routes:
        assert isinstance(route, HTTPRoute), f"{route.path} is neither HTTP nor in the table"
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":  # the framework's own, which tells the methods and nothing else
                routes[method, route.path_format] = "public" if is_public(handler) else "closed"
    return routes


def test_every_route_is_declared_in_the_access_table(app: Application) -> None:
    expected = {(method, path.replace(":str", "")): access for (method, path), access in ACCESS.items()}
    assert found(app) == expected


def test_every_route_that_the_table_names_is_documented() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "http.md").read_text()
    missing = [path for _, path in ACCESS if path.replace(":str", "").replace("identifier", "id") not in text]
    assert missing == []
