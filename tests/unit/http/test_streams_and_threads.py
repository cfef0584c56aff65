"""Streams are no requests in work, and blocking handlers run once whatever their paths."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import get, put
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.limits import Bounds, Limits


def test_an_event_stream_outlives_the_time_of_an_answer_and_takes_no_place() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = b"text/event-stream; charset=utf-8" if scope["path"] == "/live" else b"text/plain"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await asyncio.sleep(0.15)
        await send({"type": "http.response.body", "body": b"late", "more_body": False})

    async def ask(bounds: Bounds, path: str) -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        try:
            await bounds({"type": "http", "path": path}, receive, send)  # type: ignore[typeddict-item]
        except TimeoutError:
            sent.append("cut")
        return sent

    async def all_of_it() -> None:
        bounds = Bounds(app, Limits(answer_seconds=0.05, at_once=2))
        asked = [asyncio.create_task(ask(bounds, "/live")) for _ in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert bounds.in_work == 0
        assert (await ask(bounds, "/text"))[-1] == "cut"
        for one in asked:
            assert (await one)[-1]["body"] == b"late"
        assert bounds.in_work == 0

    asyncio.run(all_of_it())


def test_a_blocking_handler_with_several_paths_and_neighbours_answers_on_each() -> None:
    import threading

    @get(["/a", "/a.json", "/a.csv"], opt=PUBLIC, sync_to_thread=True)
    def many() -> str:
        return threading.current_thread().name

    @put("/a", opt=PUBLIC, sync_to_thread=True)
    def other() -> str:
        return "put"

    @get("/b", opt=PUBLIC)
    async def plain() -> str:
        return "plain"

    with TestClient(application([many, other, plain])) as client:  # type: ignore[arg-type]
        for path in ("/a", "/a.json", "/a.csv"):
            assert client.get(path).text.startswith("request-")
        assert client.put("/a").text == "put"
        assert client.get("/b").text == "plain"
