"""Bounds in time and number, driven with a hand-made ASGI client where a real one can't be slow enough."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from litestar import get, post
from litestar.params import RawBody
from litestar.response import Stream

from clearway.http.application import Application, application
from clearway.http.guard import PUBLIC
from clearway.http.limits import Limits
from clearway.http.pages import Pages

Message = dict[str, Any]


async def talk(
    app: Application, method: str, path: str, parts: Sequence[Message | float], headers: Sequence[Any] = ()
) -> list[Message]:
    """What the application sends when `parts` arrive; a number is a pause in seconds."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    waiting = list(parts)
    sent: list[Message] = []

    async def receive() -> Message:
        while waiting:
            part = waiting.pop(0)
            if isinstance(part, dict):
                return part
            await asyncio.sleep(part)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def chunk(data: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


def answered(sent: list[Message]) -> tuple[int, Any]:
    return sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent[1:]))


@post("/length", opt=PUBLIC, status_code=200)
async def length(body: RawBody) -> int:
    return len(body)


def app(**limits: Any) -> Application:
    return application([length, slow, endless], limits=Limits(**limits))


@get("/slow", opt=PUBLIC)
async def slow() -> str:
    await asyncio.sleep(5)
    return "late"


@get("/endless", opt=PUBLIC)
async def endless() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    return Stream(parts())


def test_a_body_within_its_bounds_arrives_whole() -> None:
    sent = asyncio.run(talk(app(), "POST", "/length", [chunk(b"abc", True), 0.01, chunk(b"de")]))
    assert answered(sent) == (200, 5)


def test_a_body_that_grows_past_the_bound_is_413_while_it_streams() -> None:
    endless_body: list[Message | float] = [chunk(b"x" * 1000, True)] * 10
    status, problem = answered(asyncio.run(talk(app(body_bytes=2500), "POST", "/length", endless_body)))
    assert (status, problem["type"]) == (413, "urn:clearway:problem:input-too-large")


def test_a_body_that_announces_too_much_is_413_before_it_is_read() -> None:
    headers = [(b"content-length", b"2501")]
    status, _ = answered(asyncio.run(talk(app(body_bytes=2500), "POST", "/length", [], headers)))
    assert status == 413


@pytest.mark.parametrize("value", [b"x", b"-1", b"1e3", b""])
def test_an_announced_length_that_is_no_number_is_400(value: bytes) -> None:
    sent = asyncio.run(talk(app(), "POST", "/length", [chunk(b"abc")], [(b"content-length", value)]))
    assert answered(sent)[0] in (200, 400)


def test_a_body_that_drips_is_408_at_its_deadline_however_often_it_drips() -> None:
    drips: list[Message | float] = [chunk(b"x", True), 0.02] * 50
    status, problem = answered(asyncio.run(talk(app(body_seconds=0.1), "POST", "/length", drips)))
    assert (status, problem["type"]) == (408, "urn:clearway:problem:request-timeout")


def test_a_body_that_ends_early_is_400_and_not_our_failure(caplog: pytest.LogCaptureFixture) -> None:
    cut = [chunk(b"x", True), {"type": "http.disconnect"}]
    status, problem = answered(asyncio.run(talk(app(), "POST", "/length", cut)))
    assert (status, problem["detail"]) == (400, "the body ended early")
    assert caplog.text == ""


def test_an_answer_that_takes_too_long_is_503_with_a_hint_when_to_come_back() -> None:
    sent = asyncio.run(talk(app(answer_seconds=0.05), "GET", "/slow", [chunk(b"")]))
    assert answered(sent)[0] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_who_prefers_a_page_is_told_on_one_that_it_takes_too_long_and_led_back() -> None:
    hung = application([slow], pages=Pages(), limits=Limits(answer_seconds=0.05))
    accept = [(b"accept", b"text/html,*/*;q=0.8"), (b"cookie", b"clearway=somebody; clearway_theme=dark")]
    sent = asyncio.run(talk(hung, "GET", "/slow", [chunk(b"")], accept))
    headers, text = dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:]).decode()
    assert sent[0]["status"] == 503
    assert headers[b"content-type"].startswith(b"text/html")
    assert headers[b"retry-after"] == b"1"
    assert "no answer within 0.05 s" in text
    assert 'href="/slow">Try again</a>' in text
    assert 'data-theme="dark"' in text


def test_an_answer_that_has_begun_is_cut_and_never_ended_as_if_it_were_whole() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(talk(app(answer_seconds=0.05), "GET", "/endless", [chunk(b"")]))


def test_one_request_too_many_is_503_and_room_is_given_back() -> None:
    async def crowd() -> tuple[list[int], int]:
        small = app(at_once=3, waiting=0, answer_seconds=0.1)
        many = await asyncio.gather(*(talk(small, "GET", "/slow", [chunk(b"")]) for _ in range(5)))
        after = await talk(small, "POST", "/length", [chunk(b"abc")])
        refused = [m for m in many if b"requests are in work" in m[1]["body"]]
        return [m[0]["status"] for m in refused], answered(after)[0]

    assert asyncio.run(crowd()) == ([503, 503], 200)


def test_who_comes_with_many_waits_for_a_turn_and_not_for_ever() -> None:
    async def crowd(turn_seconds: float) -> list[int]:
        small = app(at_once=2, turn_seconds=turn_seconds, answer_seconds=0.2)  # each is answered late
        many = await asyncio.gather(*(talk(small, "GET", "/slow", [chunk(b"")]) for _ in range(6)))
        return [b"requests are in work" in m[1]["body"] for m in many]

    assert asyncio.run(crowd(5.0)) == [False] * 6
    assert asyncio.run(crowd(0.01)) == [False] * 2 + [True] * 4
