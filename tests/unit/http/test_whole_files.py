"""A list that leaves as one file in steps: whole or visibly broken off, and each step within the time of an answer."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

import pytest
from litestar import Request, get
from litestar.exceptions import LitestarException
from litestar.response import Stream

from clearway.http import whole
from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.limits import Limits
from clearway.records.errors import NotFoundError, TooManyRequestsError

READER = 7


class Steps:
    """`many` steps after the first, of `seconds` each; the one numbered `fails` does."""

    def __init__(self, many: int, seconds: float = 0.0, fails: int = 0) -> None:
        self.many, self.seconds, self.fails = many, seconds, fails
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, cursor: str) -> tuple[bytes, str]:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        n = int(cursor)
        if n == self.fails:
            raise NotFoundError("gone")
        return f"{n}\r\n".encode(), str(n + 1) if n < self.many else ""


def asked(
    steps: Steps,
    times: int = 1,
    leaves: int = 0,
    method: str = "GET",
    readers: int = 1,
    **limits: Any,
) -> list[list[dict[str, Any]]]:
    """What the application sends to so many who ask at once, and the error that breaks it off.

    With `leaves` they go after so many messages.
    """

    numbers = itertools.count()

    @get("/list.csv", opt=PUBLIC, sync_to_thread=True)
    def file() -> Stream:
        return whole.answer(
            b"n\r\n0\r\n", "1", steps, "numbers", whole.place(READER + next(numbers) % readers)
        )

    app = application([file], limits=Limits(**limits))

    async def ask() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        asked_for, over = asyncio.Event(), asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if (leaves and len(sent) == leaves) or is_whole(sent):
                over.set()

        async def receive() -> dict[str, Any]:
            if not asked_for.is_set():
                asked_for.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await over.wait()
            return {"type": "http.disconnect"}

        scope = {
            "type": "http", "method": method, "path": "/list.csv", "raw_path": b"/list.csv", "query_string": b"",
            "root_path": "", "headers": [(b"host", b"clearway.local")], "http_version": "1.1", "scheme": "http",
            "client": ("192.0.2.1", 1), "server": ("clearway.local", 80), "extensions": {},
        }  # fmt: skip
        try:
            await app(scope, receive, send)
        except (LitestarException, TimeoutError) as error:
            sent.append({"type": "broken off", "error": error})
        return sent

    async def all_of_them() -> list[list[dict[str, Any]]]:
        return list(await asyncio.gather(*(ask() for _ in range(times))))

    return asyncio.run(all_of_them())


def body_of(sent: list[dict[str, Any]]) -> bytes:
    return b"".join(m.get("body", b"") for m in sent)


def is_whole(sent: list[dict[str, Any]]) -> bool:
    return sent[-1]["type"] == "http.response.body" and not sent[-1].get("more_body")


def test_the_file_has_every_step_once_and_one_header() -> None:
    (sent,) = asked(Steps(5))
    assert body_of(sent) == b"n\r\n" + b"".join(b"%d\r\n" % n for n in range(6))
    assert is_whole(sent)
    headers = dict(sent[0]["headers"])
    assert headers[b"content-disposition"] == b'attachment; filename="numbers.csv"'
    assert headers[b"cache-control"] == b"private, no-store"
    assert headers[b"content-type"].startswith(b"text/csv")
    assert b"content-length" not in headers


def test_a_step_that_fails_breaks_the_file_off_and_never_ends_it_as_if_it_were_whole() -> None:
    (sent,) = asked(Steps(5, fails=3))
    assert body_of(sent) == b"n\r\n0\r\n1\r\n2\r\n"
    assert not is_whole(sent)
    assert sent[-1]["type"] == "broken off"


def test_all_steps_together_may_take_longer_than_an_answer_and_none_of_them_may() -> None:
    (sent,) = asked(Steps(8, seconds=0.1), answer_seconds=0.4)
    assert is_whole(sent)
    (sent,) = asked(Steps(2, seconds=1.0), answer_seconds=0.2)
    assert not is_whole(sent)


def test_a_file_that_takes_too_long_in_all_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "LONGEST_S", 0.05)
    (sent,) = asked(Steps(50, seconds=0.02))
    assert not is_whole(sent)


def test_a_client_that_goes_has_nothing_more_read_for_it() -> None:
    steps = Steps(200, seconds=0.01)
    (sent,) = asked(steps, leaves=4)
    assert not is_whole(sent)
    assert len(sent) < 20


def test_steps_of_many_files_take_turns() -> None:
    steps = Steps(3, seconds=0.02)
    for sent in asked(steps, times=6, readers=6):
        assert is_whole(sent)
    assert 1 <= steps.most <= whole.AT_ONCE


def test_one_reader_s_files_take_one_turn_together() -> None:
    steps = Steps(3, seconds=0.02)
    for sent in asked(steps, times=whole.OF_READER):
        assert is_whole(sent)
    assert steps.most == 1


def test_more_files_of_one_reader_than_may_leave_at_once_are_told_to_come_back() -> None:
    found = asked(Steps(5, seconds=0.05), times=whole.OF_READER + 3)
    assert sorted(sent[0]["status"] for sent in found) == [200] * whole.OF_READER + [429] * 3
    (refused, *_) = (sent for sent in found if sent[0]["status"] == 429)
    assert dict(refused[0]["headers"])[b"retry-after"] == b"30"
    assert b"let one of them end" in body_of(refused)


def test_the_files_of_all_readers_have_a_bound_too_and_a_place_that_nobody_holds_is_free() -> None:
    taken = [whole.place(n // whole.OF_READER) for n in range(whole.IN_ALL)]
    with pytest.raises(TooManyRequestsError, match="leaving this server"):
        whole.place(READER * 1_000)
    taken[0].leave()
    taken[0].leave()  # frees nothing of anybody else
    again = whole.place(READER * 1_000)
    with pytest.raises(TooManyRequestsError):
        whole.place(READER * 1_000 + 1)
    del again, taken
    assert not whole._leaving


@pytest.mark.parametrize(
    ("way", "more"),
    [
        ("whole", {}),
        ("a step fails", {"fails": 3}),
        ("too slow", {"seconds": 0.5, "answer_seconds": 0.1}),
        ("the client goes", {"seconds": 0.01, "leaves": 3}),
        ("only the head", {"method": "HEAD"}),
    ],
)
def test_a_file_gives_its_place_back_however_it_ends(way: str, more: dict[str, Any]) -> None:
    kind = {name: more.pop(name) for name in ("seconds", "fails") if name in more}
    (sent,) = asked(Steps(4, **kind), **more)
    assert sent[0]["status"] == 200, way
    assert not whole._leaving


@pytest.mark.parametrize(
    ("path", "query", "is_it"),
    [
        ("/assets.csv", b"", True),
        ("/assets.csv", b"sort=name&name=a", True),
        ("/assets.csv", b"limit=5", False),
        ("/assets.csv", b"cursor=x", False),
        ("/assets.json", b"", False),
        ("/assets", b"", False),
        ("/api/v1/assets.csv", b"", True),
        ("/api/v1/assets.csv", b"limit=5", False),
    ],
)
def test_what_asks_for_the_whole_list(path: str, query: bytes, is_it: bool) -> None:
    scope: Any = {"type": "http", "path": path, "query_string": query, "headers": [], "root_path": ""}
    scope["server"], scope["scheme"], scope["method"] = ("clearway.local", 80), "http", "GET"
    assert whole.is_asked(Request(scope)) is is_it
