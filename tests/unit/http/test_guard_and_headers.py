"""Default deny, and headers that no status escapes."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import get
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.response import Response
from litestar.testing import TestClient

from clearway.http import health
from clearway.http.application import application
from clearway.http.guard import PUBLIC, is_public
from clearway.http.headers import SECURITY_HEADERS
from clearway.records.errors import UpstreamError


@get("/said-nothing")
async def said_nothing() -> str:
    return "reached"


@get("/nearly", opt={"public": "yes"})
async def nearly() -> str:
    return "reached"


@get("/open", opt=PUBLIC)
async def opened() -> str:
    return "reached"


@get("/own", opt=PUBLIC)
async def own() -> Response[str]:
    headers = {"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"}
    return Response("x", headers=headers)


@get("/fails", opt=PUBLIC)
async def fails() -> str:
    raise RuntimeError


ROUTES = [said_nothing, nearly, opened, own, fails]


def client(**more: Any) -> TestClient[Any]:
    return TestClient(application(ROUTES, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/said-nothing", "/nearly"])
def test_a_route_that_does_not_declare_itself_public_is_closed(path: str) -> None:
    with client() as http:
        answer = http.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_guard_from_above_decides_for_what_is_not_public() -> None:
    async def guard(connection: Any, handler: Any) -> None:
        if is_public(handler):  # it is asked for these too: it is who knows who asks
            return
        if "token" not in connection.headers:
            raise NotAuthorizedException
        if connection.headers["token"] != "good":
            raise PermissionDeniedException

    with client(guard=guard) as http:
        assert http.get("/said-nothing").status_code == 401
        assert http.get("/said-nothing", headers={"token": "bad"}).status_code == 403
        assert http.get("/said-nothing", headers={"token": "good"}).text == "reached"
        assert http.get("/open").text == "reached"


def test_a_guard_is_asked_with_the_handler_itself_and_no_copy_made_for_it() -> None:
    asked: list[Any] = []

    async def from_above(connection: Any, handler: Any) -> None:
        asked.append(handler)

    app = application(ROUTES, guard=from_above)
    with TestClient(app) as http:  # type: ignore[arg-type]
        assert http.get("/said-nothing").status_code == 200
        assert http.get("/said-nothing").status_code == 200
    (its,) = [r.route_handler_map["GET"][0] for r in app.framework.routes if r.path == "/said-nothing"]  # type: ignore[union-attr]
    assert [one is its for one in asked] == [True, True]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/open", 200),
        ("GET", "/said-nothing", 401),
        ("GET", "/nowhere", 404),
        ("PUT", "/open", 405),
        ("GET", "/fails", 500),
        ("GET", "/health/ready", 503),
    ],
)
def test_every_status_carries_the_security_headers(method: str, path: str, status: int) -> None:
    async def down() -> None:
        raise UpstreamError("gone")

    app = application([*ROUTES, health.routes({"database": down})])  # type: ignore[arg-type]
    with TestClient(app) as http:  # type: ignore[arg-type]
        answer = http.request(method, path)
    assert answer.status_code == status
    for name, value in SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()
    assert answer.headers["cache-control"] == "no-store"


def test_a_route_may_set_its_own_value_and_it_stands_once() -> None:
    with client() as http:
        answer = http.get("/own")
    assert answer.headers.get_list("cache-control") == ["max-age=60"]
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]


def test_a_wrong_method_names_the_right_ones() -> None:
    with client() as http:
        assert "GET" in http.put("/open").headers["allow"]
        assert "HEAD" in http.put("/open").headers["allow"]


def test_readiness_names_codes_and_no_details() -> None:
    async def down() -> None:
        raise UpstreamError("the host 10.1.2.3 is gone")

    async def well() -> None:
        return None

    with TestClient(application([health.routes({"a": well, "b": down})])) as http:  # type: ignore[arg-type]
        assert http.get("/health/live").json() == {"status": "ok", "checks": {}}
        answer = http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "checks": {"a": "ok", "b": "upstream"}}
