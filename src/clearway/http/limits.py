"""Bounds on every request: size and time of its body, time to answer, and how many at once.

The size of address and headers is bounded by `address`, and the time that they may take by the server in front
(`app.server`); the depth of JSON by `json_request`. A stream of live events is no request in work once it has begun: it
has bounds of its own (`sse`). A list that leaves as one file in steps (`whole`) has the time of an answer for each of
them, and stays a request in work.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from msgspec import Struct

from . import address, problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types import ASGIApp, Message, Receive, Scope, Send


class Limits(Struct, frozen=True, kw_only=True):
    """The bounds. A route may set a lower `request_max_body_size` of its own."""

    body_bytes: int = 32 << 20
    body_seconds: float = 20.0  # from the first byte asked for to the last one received
    answer_seconds: float = 60.0  # the whole request, its body included
    at_once: int = 256  # requests in work; more of them wait their turn
    waiting: int = 1_024  # one more than these is told to come back
    turn_seconds: float = 5.0  # so is one whose turn has not come by then


class Bounds:
    """The ASGI layer that holds a request to `limits`.

    A body that ends early is 400, one that is too slow 408, an answer that takes too long 503, and so
    is one request too many, or one that has waited too long for its turn. The body's size is counted by the framework
    while it streams in.
    """

    def __init__(self, app: ASGIApp, limits: Limits, *, pages: bool = False) -> None:
        """With `pages`, `app` tells who prefers a page of an answer that took too long (`address.refusal`)."""
        self.app = app
        self._pages = pages
        self.limits = limits
        self.in_work = 0
        self._turns = asyncio.Semaphore(limits.at_once)
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        if not await self._turn():
            busy = problems.of_status(503, f"{self.limits.at_once} requests are in work; try again soon")
            await problems.send_bare(send, busy)
            return
        streams = False

        def lasts() -> None:
            nonlocal streams
            streams = True
            self._done()

        try:
            await self._within_time(scope, receive, send, lasts)
        finally:
            if not streams:
                self._done()

    def _done(self) -> None:
        self.in_work -= 1
        self._turns.release()

    async def _turn(self) -> bool:
        """Waits until there is room for one more; False when there is none in time.

        Many who come at once, as streams of live events do after a restart, are served one after the other.
        """
        if not self._turns.locked():
            await self._turns.acquire()
        elif self._waiting >= self.limits.waiting or not await self._called():
            return False
        self.in_work += 1
        return True

    async def _called(self) -> bool:
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.turn_seconds):
                await self._turns.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    async def _within_time(
        self, scope: Scope, receive: Receive, send: Send, lasts: Callable[[], None]
    ) -> None:
        started = in_steps = False

        async def noting(message: Message) -> None:
            nonlocal started, in_steps
            if not started and _is_stream(message):
                bound.reschedule(None)
                lasts()
            in_steps = in_steps or (not started and _is_in_steps(message))
            if in_steps:
                bound.reschedule(asyncio.get_running_loop().time() + self.limits.answer_seconds)
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self.limits.answer_seconds) as bound:
                await self.app(scope, _Body(receive, self.limits.body_seconds), noting)
        except TimeoutError:
            if started:
                raise  # half an answer can't be taken back: the server cuts the connection
            await self._late(scope, receive, send)

    async def _late(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = f"no answer within {self.limits.answer_seconds:g} s"
        if self._pages and problems.wants_page(Request(scope)):
            told = HTTPException(f"{words}: the server or its database is busy, or down", status_code=503)
            await self.app(address.refusal(scope, told), receive, send)
        else:
            await problems.send_bare(send, problems.of_status(503, words))


def _is_stream(message: Message) -> bool:
    return message["type"] == "http.response.start" and any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message["headers"]
    )


def _is_in_steps(message: Message) -> bool:
    """Whether a CSV begins of which nobody knows yet how long it will be."""
    if message["type"] != "http.response.start":
        return False
    headers = dict(message["headers"])
    return headers.get(b"content-type", b"").startswith(b"text/csv") and b"content-length" not in headers


class _Body:
    """`receive` for one request, with a deadline for its body."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._deadline = 0.0
        self._complete = False

    async def __call__(self) -> Any:
        if self._complete:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if not self._deadline:
            self._deadline = now + self._seconds
        try:
            async with asyncio.timeout(self._deadline - now):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                f"the body was not complete within {self._seconds:g} s", status_code=408
            ) from None
        if message["type"] == "http.disconnect":
            raise HTTPException("the body ended early", status_code=400)
        self._complete = not message.get("more_body", False)
        return message
