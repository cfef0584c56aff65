"""A list that leaves as one file, however long it is: read in steps, and sent as it is read.

As JSON a list goes page by page; its CSV without `limit` and `cursor` is all of it, of the API as at a page's address.
Each step is a read of its own under the reader's rights of that moment, from where the one before ended; at most
`AT_ONCE` of one process are at work, and one of a reader, so that many files of one do not keep the others waiting. A
marking that changes meanwhile shows from its step on: the file is then neither the list before nor the list after. What
fails on the way breaks the connection off without the end that chunked transfer has (RFC 9112 §7.1): nobody takes a
part for the whole.

A client that takes its time costs the memory of one step, which is why a step is small, the first one too. How many
files leave at once is bounded, for a reader (`OF_READER`) and in all (`IN_ALL`, of one process): who would exceed it is
told so before anything is sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary, finalize

from litestar.concurrency import sync_to_thread
from litestar.response import Stream
from msgspec.structs import replace

from clearway.records.errors import AuthenticationError, BusyError, TooManyRequestsError
from clearway.store.scalar import scalar

from . import csv_out
from .acting import acting
from .cursor import sealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import psycopg
    from litestar import Request, Response
    from litestar.types import ASGIApp, Receive, Scope, Send

    from clearway.records.principal import Principal
    from clearway.store.keyset import Condition

    from .listing import Listing, Page

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
    """Whether the whole list is asked for: as CSV, and without a page's own bounds."""
    bounds = {name for name, _ in request.query_params.multi_items()} & {"limit", "cursor"}
    return request.url.path.endswith(".csv") and not bounds


def check_still(db: psycopg.Connection[Any], me: Principal) -> None:
    """Whether `me` still is who reads here: asked after a later step of a file was read.

    Who is signed out while it leaves sees no rows, and a file without them would look whole.

    Raises AuthenticationError.
    """
    if scalar(db, "select clearway.actor()") != me.person:
        raise AuthenticationError(
            "you were signed out while the list was read", mend="sign in, and ask again"
        )


N = TypeVar("N")


def listed(
    request: Request[Any, Any, Any],
    listing: Listing[Any],
    reading: Callable[
        [Request[Any, Any, Any]], AbstractContextManager[tuple[psycopg.Connection[Any], Principal, N]]
    ],
    tell: Callable[[psycopg.Connection[Any], N, Page[Any]], None] | None,
    *conditions: Condition,
    within: Callable[[psycopg.Connection[Any], Principal, N], Iterable[Condition]] | None = None,
) -> Response[Any]:
    """The list that is asked for: a page of it, or as CSV all of it, each step a transaction of `reading`.

    `tell` tells the log what a step has read. `within` looks up what holds besides the filters, such as the thing that
    the path names, anew for each step.
    """
    asked = listing.asked(request)
    wanted = is_asked(request)
    if wanted:
        asked = replace(asked, limit=STEP_ROWS)

    def read(cursor: str, *, later: bool = False) -> tuple[Page[Any], Principal, Place | None]:
        with reading(request) as (db, me, note):
            holds = (*conditions, *(within(db, me, note) if within is not None else ()))
            found = listing.read(db, me, replace(asked, cursor=cursor), sealer(request), *holds)
            taken = place(me.person) if wanted and found.next and not later else None
            if tell is not None:
                tell(db, note, found)
            if later:
                check_still(db, me)
        return found, me, taken

    def step(cursor: str) -> tuple[bytes, str]:
        found, _, _ = read(cursor, later=True)
        return csv_out.of_records(listing.record, found.items, header=False), found.next

    found, me, taken = read(asked.cursor)
    if taken is None:
        return listing.answer(request, found, me)
    return answer(csv_out.of_records(listing.record, found.items), found.next, step, listing.name, taken)


def unmarked(
    request: Request[Any, Any, Any],
    listing: Listing[Any],
    *conditions: Condition,
    within: Callable[[psycopg.Connection[Any], Principal, None], Iterable[Condition]] | None = None,
) -> Response[Any]:
    """As `listed`, of a list whose rows have no marking: the log is told of none of its readings."""
    return listed(request, listing, _silent, None, *conditions, within=within)


@contextmanager
def _silent(
    request: Request[Any, Any, Any],
) -> Iterator[tuple[psycopg.Connection[Any], Principal, None]]:
    with acting(request) as (db, me):
        yield db, me, None


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
                    "the file took longer than an hour",
                    mend="narrow the list, or take it in parts, with `limit`",
                )
            yield rows[start : start + PIECE_BYTES]
        if not following:
            return
        async with own, turns.of_all:
            rows, following = await sync_to_thread(step, following)
