"""Live events: one listening connection a process, and each client re-reads the table under its own rights.

    hub = Hub(url, pool, sealer)                    # started and ended by the application
    return hub.stream(key, me, after, kinds)        # an ASGI application: the answer of a route

The hub learns by NOTIFY how far events can be read (`store.events`) and wakes the streams. A stream holds a
position and nothing else: it reads what its principal may see from there, writes it, and moves on. So

    - a client that is slow is behind, and costs no memory; one that takes nothing for `SLOW_S` is cut off
    - whoever comes back with `Last-Event-ID` goes on exactly there; nothing is lost or said twice
    - where the database was put back meanwhile, it is told to read anew, in the middle of a stream too
    - a revoked principal reads nothing more, and its stream ends at the next heartbeat

Streams of one principal at one position share one read. Event ids are sealed cursors: a bare sequence number would
tell each reader how much happens that they may not see.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from clearway.records.errors import ClearwayError, CursorError, TooManyRequestsError, UpstreamError
from clearway.store import events

from .openapi import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from litestar.types import Receive, Scope, Send

    from clearway.records.principal import Principal
    from clearway.store.principal import Pool

    from .cursor import Sealer

log = logging.getLogger("clearway.http")

MEDIA_TYPE = "text/event-stream"
LIST = "events"  # what event ids are bound to, beside the principal
_ROUTE = f"{PREFIX}/events/live"  # where streams are asked for
_PART_BYTES = 16 << 10
_encode = msgspec.json.Encoder().encode


# Tells the log, in a transaction of the holder of a key, that by this route events of these audiences are read, for a
# question (a query string); what it returns is called once that is committed.
Telling = Callable[["psycopg.Connection[Any]", str, str, str, Sequence[int]], Callable[[], None]]


def _tells_nobody(*_: object) -> Callable[[], None]:
    return lambda: None


class Manners(Struct, frozen=True, kw_only=True):
    """The bounds of live events."""

    heartbeat_s: float = 15.0
    slow_s: float = 20.0  # a write that takes longer ends the stream
    longest_s: float = 3_600.0  # then the stream ends, and the client comes back by itself
    of_principal: int = 20
    in_all: int = 2_000
    readers: int = 2  # threads, and so connections, that read for all streams


class Shown(Struct, frozen=True, kw_only=True):
    """An event as its readers are shown it."""

    id: str  # where to go on: `Last-Event-ID`, or `after`
    kind: str
    subject: str
    org: int | None
    at: Any
    body: msgspec.Raw


class Position(NamedTuple):
    """The number of an event, and the era of whoever was told of it (`store.events`)."""

    seq: int
    era: int


_NOWHERE = Position(-1, -1)  # of no era, so that it is told to read anew


def sealed(position: Position, sealer: Sealer, person: int) -> str:
    """`position` as `person` is told it."""
    return sealer.seal(position, (LIST, str(person)))


def shown(event: events.Event, sealer: Sealer, person: int, era: int) -> Shown:
    """`event` as `person` is shown it in that era."""
    return Shown(
        id=sealed(Position(event.seq, era), sealer, person),
        kind=event.kind,
        subject=event.subject,
        org=event.org,
        at=event.at,
        body=event.body,
    )


class _Read(NamedTuple):
    """What one reading brought: events, how far it reached, and whether the principal is still somebody."""

    found: list[Shown]
    upto: int
    era: int
    valid: bool


class Hub:
    """Streams of live events of one process. Lives on the event loop."""

    def __init__(
        self,
        url: str,
        pool: Pool,
        sealer: Callable[[], Sealer],
        *,
        manners: Manners | None = None,
        telling: Telling | None = None,
    ) -> None:
        """`telling` tells the log what is read; without one nothing is told."""
        self.manners = manners or Manners()
        self.telling = telling or _tells_nobody
        self.horizon = events.Horizon(0, 0, 0)
        self.ending = False
        self._url = url
        self._pool = pool
        self._sealer = sealer
        self._moved = asyncio.Event()
        self._known = asyncio.Event()
        self._readers = ThreadPoolExecutor(self.manners.readers, "events")
        self._reads: dict[tuple[Any, ...], asyncio.Future[_Read]] = {}
        self._open: dict[int, int] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(self._open.values())

    async def start(self) -> None:
        """Begins to listen."""
        self._following = asyncio.get_running_loop().create_task(self._follow())

    def end(self) -> None:
        """Ends every stream: call it when the server is asked to end, before it waits for its connections."""
        self.ending = True
        self._wake()

    async def stop(self) -> None:
        """Ends the streams and stops listening."""
        self.end()
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following}, timeout=1)
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _follow(self) -> None:
        while not self.ending:
            try:
                async for horizon in events.follow(self._url):
                    self.horizon = horizon
                    self._known.set()
                    self._reads.clear()
                    self._wake()
            except ClearwayError as error:
                log.warning("live events wait for the database: %s", error)
                await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - to spread, not to hide

    def _wake(self) -> None:
        woken, self._moved = self._moved, asyncio.Event()
        woken.set()

    def here(self, person: int) -> str:
        """The event id of how far events can be read now, for `person`; "" while nobody knows."""
        if not self._known.is_set():
            return ""
        try:
            return sealed(Position(self.reached, self.horizon.era), self._sealer(), person)
        except UpstreamError:
            return ""

    @property
    def reached(self) -> int:
        """Up to which number events can be read."""
        return self.horizon.reached

    def position(self, me: Principal, cursor: str) -> Position:
        """The position that an event id names; one of an earlier release is of the first era.

        Raises:
            CursorError: it is not an event id of this principal's, or older than a day.
        """
        try:
            seq, *era = self._sealer().open(cursor, (LIST, str(me.person)))
        except CursorError as error:
            raise CursorError(
                "that is no event of yours to go on from",
                where="query.after",
                mend="start again without `after`; an event's id is good for its reader and a day",
            ) from error
        return Position(int(seq), int(era[0]) if era else 0)

    async def stream(
        self, key: str, me: Principal, *, after: str = "", resume: str = "", kinds: Sequence[str] = ()
    ) -> Stream:
        """A stream from the event id `after` on, or from now on.

        `resume` is the id that a client comes back with by itself: one that can't be used, such as of yesterday or of
        another person, is no error, which would end its stream for good, but begins with a reset.

        Raises:
            CursorError: `after` can't be used; start anew without it, and read what is shown once more.
            TooManyRequestsError: this principal, or everybody together, has as many as are allowed.
        """
        if self._open.get(me.person, 0) >= self.manners.of_principal:
            raise TooManyRequestsError(
                f"{self.manners.of_principal} live streams are open already",
                mend="close one",
                retry_after_s=30,
            )
        if self.streams >= self.manners.in_all:
            raise TooManyRequestsError("this server has no live stream left", retry_after_s=30)
        await self._known.wait()
        start = Position(self.reached, self.horizon.era)
        if after and not resume:
            start = self.position(me, after)
        if resume:
            try:
                start = self.position(me, resume)
            except CursorError:
                start = _NOWHERE
        return Stream(self, key, me, start, tuple(kinds))

    async def read(self, key: str, me: Principal, after: int, kinds: tuple[str, ...]) -> _Read:
        """What the holder of `key` may see after `after`, as far as can be read now."""
        horizon = self.horizon
        loop = asyncio.get_running_loop()
        # A principal that was valid may not be any more: what was read is shared for a second at most.
        wanted = (key, after, horizon, kinds, int(loop.time()))
        future = self._reads.get(wanted)
        if future is None:
            if len(self._reads) > 2 * self.manners.in_all:
                self._reads.clear()
            future = loop.run_in_executor(self._readers, self._read, key, me.person, after, horizon, kinds)
            future.add_done_callback(_looked_at)
            self._reads[wanted] = future
        return await asyncio.shield(future)

    def _read(
        self, key: str, person: int, after: int, horizon: events.Horizon, kinds: tuple[str, ...]
    ) -> _Read:
        upto, era = horizon.reached, horizon.era
        with self._pool.acting(key) as db:
            row = db.execute("select clearway.me()").fetchone()
            if row is None or row[0] is None:
                return _Read([], after, era, False)
            found = events.read(db, after, upto, kinds=kinds) if upto > after else []
            # Once an hour for each audience of what is followed, and not for each event of it.
            question = urlencode([("kind", kind) for kind in kinds])
            told = self.telling(db, key, _ROUTE, question, [event.aud for event in found])
        told()
        sealer = self._sealer()
        seen = [shown(event, sealer, person, era) for event in found]
        return _Read(seen, found[-1].seq if len(found) == events.BATCH else max(upto, after), era, True)

    async def moved(self, timeout_s: float) -> bool:
        """Waits until there may be something new; False when nothing came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True


def _looked_at(future: asyncio.Future[_Read]) -> None:
    """Takes note of a failure that no stream waits for any more."""
    if not future.cancelled():
        future.exception()


class Stream:
    """One client's stream: an ASGI application that answers one request."""

    def __init__(self, hub: Hub, key: str, me: Principal, start: Position, kinds: tuple[str, ...]) -> None:
        self._hub = hub
        self._key = key
        self._me = me
        self._at = start
        self._kinds = kinds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = self._hub._open
        opened[self._me.person] = opened.get(self._me.person, 0) + 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            loop = asyncio.get_running_loop()
            tasks = {loop.create_task(self._write(send)), loop.create_task(_gone(receive))}
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.wait(tasks)
            for task in done:
                task.result()
        finally:
            opened[self._me.person] -= 1
            if not opened[self._me.person]:
                del opened[self._me.person]

    async def _write(self, send: Send) -> None:
        hub, manners = self._hub, self._hub.manners
        ends = asyncio.get_running_loop().time() + manners.longest_s * random.uniform(0.8, 1)  # noqa: S311

        async def write(data: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(manners.slow_s):
                await send({"type": "http.response.body", "body": data, "more_body": more})

        try:
            # Spread over two seconds, so that a server that starts again is not met by all at once.
            opening = b": events\nretry: %d\n" % random.randint(1_000, 3_000)  # noqa: S311
            # Deleted by age, or numbered by a database that has been put back since: what is there must be read anew.
            await write(opening + (self._here() if hub.horizon.tells(*self._at) else b"\n"))
            while not hub.ending and asyncio.get_running_loop().time() < ends:
                if not hub.horizon.tells(*self._at):
                    self._at = Position(hub.reached, hub.horizon.era)
                    await write(b"event: reset\ndata: {}\n" + self._here())
                if hub.reached <= self._at.seq:
                    if await hub.moved(manners.heartbeat_s):
                        continue
                    if not (await hub.read(self._key, self._me, self._at.seq, self._kinds)).valid:
                        break
                    await write(self._here())
                    continue
                read = await hub.read(self._key, self._me, self._at.seq, self._kinds)
                if not read.valid:
                    break
                for part in _parts(read.found):
                    await write(part)
                self._at = Position(read.upto, read.era)
            await write(b": end\n\n", more=False)
        except TimeoutError:
            return  # too slow: the connection is cut, and the client goes on by its last id
        except ClearwayError as error:
            log.warning("a live stream ends, the database does not answer: %s", error)

    def _here(self) -> bytes:
        """A block without data: it moves the client's last event id, and nothing else happens."""
        return f"id: {sealed(self._at, self._hub._sealer(), self._me.person)}\n\n".encode()


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


def _block(event: Shown) -> bytes:
    return b"id: %s\ndata: %s\n\n" % (event.id.encode(), _encode(event))


def _parts(found: Sequence[Shown]) -> Iterator[bytes]:
    """The events in pieces small enough that the server's own buffer holds little of a client that does not read."""
    part = b""
    for event in found:
        part += _block(event)
        if len(part) >= _PART_BYTES:
            yield part
            part = b""
    if part:
        yield part


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
