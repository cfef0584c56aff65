"""A few threads that work for event loops.

`loop.run_in_executor` hands over by a future of either kind, a condition and two callbacks: a fifteenth of a read's
processor time, on top of the work. Here it is a queue there and a callback back.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Work = tuple[
        Callable[..., Any], tuple[Any, ...], Mapping[str, Any], asyncio.AbstractEventLoop, asyncio.Future[Any]
    ]

_END_S = 5.0


class Hands:
    """`many` threads, begun with the first work. They end with the process, which waits for what is in work 5 s."""

    def __init__(self, many: int, name: str) -> None:
        self._many, self._name = many, name
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()

    async def run(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What `fn` returns or raises, run by the first thread that is free.

        Who is cancelled before that has nothing run for them; later, what comes of it is for nobody.
        """
        if not self._threads:
            self._begin()
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.put((fn, args, kwargs, loop, done))
        return await done

    def _begin(self) -> None:
        with self._lock:
            if self._threads:
                return
            threads = [
                Thread(target=self._work, name=f"{self._name}-{n}", daemon=True) for n in range(self._many)
            ]
            for thread in threads:
                thread.start()
            self._threads = threads
            atexit.register(self._end)

    def _end(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        ends = time.monotonic() + _END_S
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            _do(*work)
            del work  # what it holds is not held until the next


def _do(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[Any],
) -> None:
    if done.cancelled():
        return
    result: object = None
    error: BaseException | None = None
    try:
        result = fn(*args, **kwargs)
    except StopIteration as raised:  # a future takes none
        error = RuntimeError("work for an event loop raised StopIteration")
        error.__cause__ = raised
    except BaseException as raised:  # noqa: BLE001 - it is raised where it was asked for
        error = raised
    with suppress(RuntimeError):  # the loop has ended meanwhile, and who asked with it
        loop.call_soon_threadsafe(_tell, done, result, error)
    del error  # it holds this frame by its traceback


def _tell(done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
