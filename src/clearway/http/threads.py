"""Handlers that wait for the database, on threads of their own number.

The framework runs a handler with `sync_to_thread=True` on one of forty threads, which all want one interpreter. On
about as many threads as the pool has connections a request costs a fifth less, and the slowest ones half. The
framework also wraps the handler once for each time that its path is registered, so that one with several paths, or
that shares its path with other methods, would answer with a coroutine. `bounded` mends both.

A handler that asks a server which is not ours has `outside(WHAT)` in its `opt`: whoever is asked decides how long it
takes, up to a deadline that the handler holds. So it runs on threads of its own kind, few and never those for requests,
and those who come while all have somebody waiting are told to come back. Kinds are apart, so that a slow identity
provider keeps nobody from showing a proof of control, and a slow host of a proof nobody from signing in.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from litestar.utils.sync import AsyncCallable

from clearway.records.errors import BusyError

from .hands import Hands

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from litestar.handlers import HTTPRouteHandler

THREADS = 8
OUTSIDE_THREADS = 4  # of each kind
OUTSIDE_WAITING = 8  # beside those that have a thread
_OUTSIDE = "outside"
_RETRY_S = 10

P = ParamSpec("P")
T = TypeVar("T")
_hands = Hands(THREADS, "request")


class Outside:
    """The threads of one kind of handlers that ask outside, and who waits for one."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._threads = ThreadPoolExecutor(OUTSIDE_THREADS, f"outside-{kind.replace(' ', '-')}")
        self._lock = Lock()
        self._inside = 0

    @property
    def full(self) -> bool:
        """Whether who comes now is refused."""
        with self._lock:
            return self._inside >= OUTSIDE_THREADS + OUTSIDE_WAITING

    async def run(self, fn: Callable[[], T]) -> T:
        """What `fn` returns. Raises BusyError while as many are served or wait as may."""
        with self._lock:
            if self._inside >= OUTSIDE_THREADS + OUTSIDE_WAITING:
                raise BusyError(
                    f"too many wait for an answer from outside already ({self._kind})",
                    mend=f"try again in {_RETRY_S} s",
                    retry_after_s=_RETRY_S,
                )
            self._inside += 1
        try:
            # Counted until the thread is free, also where the one who asked has gone.
            future = self._threads.submit(fn)
        except BaseException:
            self._left()
            raise
        future.add_done_callback(lambda _: self._left())
        return await asyncio.wrap_future(future)

    def _left(self) -> None:
        with self._lock:
            self._inside -= 1


kinds: dict[str, Outside] = {}


def outside(kind: str) -> dict[str, Any]:
    """What a handler that asks outside has in its `opt`; `kind` says in few words what it asks for."""
    return {_OUTSIDE: kind}


def bounded(handler: HTTPRouteHandler) -> None:
    """Makes a blocking handler run on `THREADS` threads."""
    if not isinstance(handler.fn, AsyncCallable):
        return
    function: Any = handler.fn
    while isinstance(function, AsyncCallable):
        function = function.func
    handler._fn = blocking(function, handler.opt)


def blocking(fn: Callable[P, T], opt: Mapping[str, Any]) -> Callable[P, Awaitable[T]]:
    """`fn` as an async function of the same signature, which runs it on a thread: one for requests, or `outside`."""
    if _OUTSIDE in opt:
        kind = kinds.setdefault(opt[_OUTSIDE], Outside(opt[_OUTSIDE]))

        @wraps(fn)
        async def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            return await kind.run(partial(fn, *args, **kwargs))

        return ask

    @wraps(fn)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        answer: T = await _hands.run(fn, *args, **kwargs)
        return answer

    return run
