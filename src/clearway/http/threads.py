"""Handlers that wait for the database, on threads of their own number.

    @get(paths("/api/v1/assets"), opt=needs("read"))
    @blocking
    def assets(request: Request) -> Response[bytes]: …

`sync_to_thread=True` does the same on forty threads that all want one interpreter; with about as many as the pool has
connections a request costs a fifth less. It also can't be used for a route with several paths (the framework wraps
the function once for each).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

THREADS = 8

P = ParamSpec("P")
T = TypeVar("T")
_threads = ThreadPoolExecutor(THREADS, "request")


def blocking(fn: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """`fn` as an async function of the same signature, which runs it on one of the threads for requests."""

    @wraps(fn)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(_threads, partial(fn, *args, **kwargs))

    return run
