"""A list that leaves as one file, however long it is: read in steps, and sent as it is read.

A page of the API is a page; the CSV at a page's address is the list. Each step is a read of its own under the reader's
rights of that moment, from where the one before ended; at most `AT_ONCE` of one process are at work, and one of a
reader, so that many files of one do not keep the others waiting. A marking that changes meanwhile shows from its step
on: the file is then neither the list before nor the list after. What fails on the way breaks the connection off without
the end that chunked transfer has (RFC 9112 §7.1): nobody takes a part for the whole.

A client that takes its time costs the memory of one step, which is why a step is small, the first one too. How many
files leave at once is bounded, for a reader (`OF_READER`) and in all (`IN_ALL`, of one process): who would exceed it is
told so before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary, finalize

from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from clearway.records.errors import BusyError, TooManyRequestsError

from . import csv_out
from .openapi import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from litestar import Request
    from litestar.types import ASGIApp, Receive, Scope, Send

STEP_ROWS = 1_000  # some 300 kB: what a client that does not read holds
OF_READER = 4
IN_ALL = 32
AGAIN_S = 30
AT_ONCE = 2
LONGEST_S = 3_600.0  # a file that has not left by then is broken off
PIECE_BYTES = 64 << 10  # so that the server's own buffer holds little of a client that does not read
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()
_leaving: Counter[int] = Counter()
_lock = Lock()


class _Turns:
    """Whose step is next: of all, and of one reader's own."""

    def __init__(self) -> None:
        self.of_all = asyncio.Semaphore(AT_ONCE)
        self.of_reader: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()


class Place:
    """A place among the files that leave at once, taken by `place`; it is free again after `leave`, or when nothing
    holds it any more."""

    def __init__(self, reader: int) -> None:
        self.reader = reader
        self.leave = finalize(self, _left, reader)  # does its work once


def place(reader: int) -> Place:
    """A place for one more file of this reader, the number of a person.

    Take it before the first step is committed: who is refused has read nothing.

    Raises:
        TooManyRequestsError: as many of this reader's files, or of everybody's, leave already.
    """
    with _lock:
        if _leaving[reader] >= OF_READER:
            raise TooManyRequestsError(
                f"{OF_READER} of your lists are leaving as files already",
                mend="let one of them end, or break it off; or ask for a part, with `limit`",
                retry_after_s=AGAIN_S,
            )
        if _leaving.total() >= IN_ALL:
            raise TooManyRequestsError(
                f"{IN_ALL} lists are leaving this server as files already",
                mend="try again soon, or ask for a part, with `limit`",
                retry_after_s=AGAIN_S,
            )
        _leaving[reader] += 1
    return Place(reader)


def _left(reader: int) -> None:
    with _lock:
        _leaving[reader] -= 1
        if not _leaving[reader]:
            del _leaving[reader]


def is_asked(request: Request[Any, Any, Any]) -> bool:
    """Whether the whole list is asked for: as CSV, at a page's address, and without a page's own bounds."""
    path = request.url.path
    bounds = {name for name, _ in request.query_params.multi_items()} & {"limit", "cursor"}
    return path.endswith(".csv") and not path.startswith(f"{PREFIX}/") and not bounds


class _File(Stream):
    """A stream that has a place until it has been answered, in whatever way that ends."""

    def __init__(self, taken: Place, parts: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(parts, media_type=csv_out.MEDIA_TYPE, headers=headers)
        self._taken = taken

    def to_asgi_response(self, *args: Any, **named: Any) -> Any:
        leaves: ASGIApp = super().to_asgi_response(*args, **named)

        async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await leaves(scope, receive, send)
            finally:
                self._taken.leave()

        return leaving


def answer(
    first: bytes, following: str, step: Callable[[str], tuple[bytes, str]], name: str, taken: Place
) -> Stream:
    """The file `name`.csv: `first`, with its header, and what follows it from the cursor `following` on.

    It has the place `taken` until it has left, or is broken off.

    `step` goes from the cursor where it begins to its rows as CSV, without a header, and to the next cursor, "" after
    the last.

    It has no tag: nobody knows what it will be before it has been read.
    """
    headers = {
        "content-disposition": f'attachment; filename="{name}.csv"',
        "cache-control": "private, no-store",
        "vary": "authorization, cookie",
    }
    return _File(taken, _parts(first, following, step, taken.reader), headers)


async def _parts(
    first: bytes, following: str, step: Callable[[str], tuple[bytes, str]], reader: int
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, _Turns())
    own = turns.of_reader.setdefault(reader, asyncio.Lock())
    ends = loop.time() + LONGEST_S
    rows = first
    while True:
        for start in range(0, len(rows), PIECE_BYTES):
            if loop.time() > ends:
                raise BusyError(
                    "the file took longer than an hour", mend="narrow the list, or take it by the API"
                )
            yield rows[start : start + PIECE_BYTES]
        if not following:
            return
        async with own, turns.of_all:
            rows, following = await sync_to_thread(step, following)
