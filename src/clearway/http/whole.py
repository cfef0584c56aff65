"""A list that leaves as one file, however long it is: read in steps, and sent as it is read.

A page of the API is a page; the CSV at a page's address is the list. Each step is a read of its own under the reader's
rights of that moment, from where the one before ended, and at most `AT_ONCE` of one process are at work. Between two
steps nothing is held but the cursor, so that a client that takes its time costs the memory of one step. What fails on
the way breaks the connection off without the end that chunked transfer has (RFC 9112 §7.1): nobody takes a part for the
whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from litestar.concurrency import sync_to_thread
from litestar.response import Stream

from clearway.records.errors import BusyError

from . import csv_out
from .openapi import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from litestar import Request

AT_ONCE = 2
LONGEST_S = 3_600.0  # a file that has not left by then is broken off
PIECE_BYTES = 64 << 10  # so that the server's own buffer holds little of a client that does not read
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def is_asked(request: Request[Any, Any, Any]) -> bool:
    """Whether the whole list is asked for: as CSV, at a page's address, and without a page's own bounds."""
    path = request.url.path
    bounds = {name for name, _ in request.query_params.multi_items()} & {"limit", "cursor"}
    return path.endswith(".csv") and not path.startswith(f"{PREFIX}/") and not bounds


def answer(first: bytes, following: str, step: Callable[[str], tuple[bytes, str]], name: str) -> Stream:
    """The file `name`.csv: `first`, with its header, and what follows it from the cursor `following` on.

    `step` goes from the cursor where it begins to its rows as CSV, without a header, and to the next cursor, "" after
    the last.

    It has no tag: nobody knows what it will be before it has been read.
    """
    headers = {
        "content-disposition": f'attachment; filename="{name}.csv"',
        "cache-control": "private, no-store",
        "vary": "authorization, cookie",
    }
    return Stream(_parts(first, following, step), media_type=csv_out.MEDIA_TYPE, headers=headers)


async def _parts(
    first: bytes, following: str, step: Callable[[str], tuple[bytes, str]]
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, asyncio.Semaphore(AT_ONCE))
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
        async with turns:
            rows, following = await sync_to_thread(step, following)
