"""HEAD is answered as GET is, without content, and ends also where GET would go on."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Router, delete, get, patch, post
from litestar.response import Stream
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.guard import PUBLIC


@get("/thing", opt=PUBLIC)
async def thing() -> dict[str, int]:
    return {"n": 1}


@get("/endless", opt=PUBLIC)
async def endless() -> Stream:
    async def parts() -> Any:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    return Stream(parts())


@get("/closed")
async def closed() -> str:
    return "nobody is let in here"


@post("/only-post", opt=PUBLIC)
async def only_post() -> str:
    return ""


def test_head_has_the_status_and_headers_of_get_and_no_content() -> None:
    with TestClient(application([thing, endless, closed, only_post])) as client:  # type: ignore[arg-type]
        for path in ("/thing", "/closed", "/nothing-here", "/only-post"):
            got, told = client.get(path), client.head(path)
            assert told.status_code == got.status_code, path
            assert told.content == b""
            same = {"content-type", "content-length", "cache-control", "content-security-policy", "allow"}
            for name in same - ({"content-length"} if got.status_code >= 400 else set()):
                assert told.headers.get(name) == got.headers.get(name), (path, name)
        assert client.head("/endless").status_code == 200


@get("/shared", opt=PUBLIC)
async def looked_at() -> str:
    return ""


@post("/shared", opt=PUBLIC)
async def added() -> str:
    return ""


@patch("/shared", opt=PUBLIC)
async def changed() -> str:
    return ""


@delete("/other", opt=PUBLIC)
async def taken() -> None:
    return None


async def anybody(*_: object) -> None:
    """Lets everybody in, also where a route says nothing of whom it is for."""


def test_options_names_every_method_of_the_address_whichever_handler_has_it() -> None:
    routes = [Router("/api", route_handlers=[looked_at, added, changed, taken])]
    with TestClient(application(routes, guard=anybody)) as client:  # type: ignore[arg-type]
        for path, methods in (
            ("/api/shared", {"GET", "HEAD", "OPTIONS", "PATCH", "POST"}),
            ("/api/other", {"DELETE", "OPTIONS"}),
        ):
            told = client.options(path)
            assert (told.status_code, told.content) == (204, b"")
            assert {one.strip() for one in told.headers["allow"].split(",")} == methods
            refused = client.put(path)
            assert refused.status_code == 405
            assert {one.strip() for one in refused.headers["allow"].split(",")} >= methods - {"OPTIONS"}
