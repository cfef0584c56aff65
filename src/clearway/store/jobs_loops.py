"""Loops: what one process at a time does again and again, woken by a notification.

Each has a thread and one session. The session that holds the loop's advisory lock does the work, *on that
session*: a process that loses it can't commit, so there is never a second one at work. The others try for the lock
every few seconds.
"""

from __future__ import annotations

import hashlib
import logging
import select
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from clearway.records.errors import ClearwayError, OutdatedError
from clearway.records.text import plain

from .connect import connect, translated
from .failures import cause
from .jobs import Loop
from .release import Release

log = logging.getLogger("clearway.jobs")
_TRY_S = 3.0  # how soon another takes over from one that died
_LOOK_S = 1.0  # how often the stop event is looked at
_LONGEST_S = 60.0  # wait after failures
_LEAVE_S = 3.0
_LED = """
insert into clearway.job_loop (name) values (%s)
on conflict (name) do update set since = clock_timestamp(), failed = null, code = '', reason = ''
"""
_FAILED = "update clearway.job_loop set failed = clock_timestamp(), code = %s, reason = %s where name = %s"
_WORKS = "update clearway.job_loop set failed = null, code = '', reason = '' where name = %s"


def lock_of(name: str) -> int:
    """The advisory lock of the loop `name`: 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(b"clearway loop\n" + name.encode()).digest()[:8], "big", signed=True)


class Loops:
    """The loops of one process, from the beginning of the block to its end."""

    def __init__(self, url: str, loops: Mapping[str, Loop], stop: threading.Event) -> None:
        self._over = threading.Event()
        self._threads = [
            threading.Thread(
                target=_Running(url, name, loop, stop, self._over).run, name=f"loop {name}", daemon=True
            )
            for name, loop in loops.items()
        ]

    def __enter__(self) -> Loops:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        ends = time.monotonic() + _LEAVE_S
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))


class _Running:
    def __init__(self, url: str, name: str, loop: Loop, stop: threading.Event, over: threading.Event) -> None:
        self._url = url
        self._name = name
        self._loop = loop
        self._stop = stop
        self._over = over
        self._woken = False
        self._failures = 0
        self._release = Release()

    def run(self) -> None:
        while not self._ends():
            try:
                with connect(
                    self._url, autocommit=True, application_name=f"clearway loop {self._name}"
                ) as db:
                    self._session(db)
            except Exception as error:  # noqa: BLE001 - the loop goes on, with a new session
                log.warning("loop %s lost its session: %s", self._name, type(error).__name__)
                self._pause(_LOOK_S)

    def _ends(self) -> bool:
        return self._stop.is_set() or self._over.is_set()

    def _session(self, db: psycopg.Connection[Any]) -> None:
        key = lock_of(self._name)
        while not self._ends():
            if self._sees_newer(db):
                self._pause(_TRY_S)
                continue
            row = db.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone()
            if row and row[0]:
                break
            self._pause(_TRY_S)
        else:
            return
        db.add_notify_handler(self._wake)
        if self._loop.channel:
            db.execute(sql.SQL("listen {}").format(sql.Identifier(self._loop.channel)))
        db.execute(_LED, (self._name,))
        self._failures = 0
        while not self._ends():
            self._woken = False
            if self._release.due() and self._sees_newer(db):
                return  # with the session goes the lock: a newer process is to lead
            self._once(db)
            self._wait(db)

    def _sees_newer(self, db: psycopg.Connection[Any]) -> bool:
        """Looks whether the tables are those of a newer release, whose loops are not ours to run."""
        with suppress(OutdatedError):
            self._release.look(db)
        return self._release.is_outdated

    def _once(self, db: psycopg.Connection[Any]) -> None:
        @contextmanager
        def transaction() -> Iterator[psycopg.Connection[Any]]:
            with translated(), db.transaction():
                yield db

        try:
            self._loop.run(transaction)
        except Exception as error:
            if db.closed or db.broken:
                raise
            self._failures += 1
            code = error.code if isinstance(error, ClearwayError) else "internal"
            log.warning("loop %s failed: %s%s", self._name, code, cause(error))
            said = plain(f"{type(error).__name__}: {error}".replace("\0", "\ufffd"), 2000)
            db.execute(_FAILED, (code, said, self._name))
        else:
            if self._failures:
                self._failures = 0
                db.execute(_WORKS, (self._name,))

    def _wait(self, db: psycopg.Connection[Any]) -> None:
        """Returns when notified, or when the time has come; after a failure, later and not for a notification."""
        wait_s = self._loop.every_s
        if self._failures:
            wait_s = max(wait_s, min(_LONGEST_S, 2.0 ** min(self._failures - 1, 10)))
        ends = time.monotonic() + wait_s
        poll = select.poll()
        poll.register(db.fileno(), select.POLLIN)
        while not self._ends() and not (self._woken and not self._failures):
            left = ends - time.monotonic()
            if left <= 0:
                return
            if poll.poll(min(left, _LOOK_S) * 1000):
                db.pgconn.consume_input()
                while db.pgconn.notifies() is not None:
                    self._woken = True

    def _wake(self, _: psycopg.Notify) -> None:
        self._woken = True

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._ends() and (left := ends - time.monotonic()) > 0:
            self._stop.wait(min(left, _LOOK_S))
