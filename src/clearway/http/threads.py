"""Handlers that wait for the database, on threads of their own number.

The framework runs a handler with `sync_to_thread=True` on one of forty threads, which all want one interpreter. On
about as many threads as the pool has connections a request costs a fifth less, and the slowest ones half. The
framework also wraps the handler once for each time that its path is registered, so that one with several paths, or
that shares its path with other methods, would answer with a coroutine. `bounded` mends both.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from litestar.handlers import HTTPRouteHandler
from litestar.utils.sync import AsyncCallable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar import Litestar

THREADS = 8

P = ParamSpec("P")
T = TypeVar("T")
_threads = ThreadPoolExecutor(THREADS, "request")


def bounded(framework: Litestar) -> None:
    """Makes the framework's blocking handlers run on `THREADS` threads."""
    for route in framework.routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and isinstance(handler.fn, AsyncCallable):
                function: Any = handler.fn
                while isinstance(function, AsyncCallable):
                    function = function.func
                handler._fn = blocking(function)


def blocking(fn: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """`fn` as an async function of the same signature, which runs it on one of the threads for requests."""

    @wraps(fn)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(_threads, partial(fn, *args, **kwargs))

    return run
