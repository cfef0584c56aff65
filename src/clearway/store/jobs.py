"""Jobs: work that is started inside an act's transaction and done after it, by any worker, at least once.

    with pool.acting(key) as db:
        ...                                            # the act
        jobs.defer(db, "exposure.rematch", {"asset": 17}, lock="asset/17")

    def rematch(job: Job, args: dict) -> None:         # in the room's tasks.py
        for part in parts:
            with job.owner() as db, job.step(f"part {part}", db) as todo:
                if todo:
                    ...                                # effects, in the same transaction as the step's mark
            job.progress(part, len(parts), "assets matched")

    TASKS = {"exposure.rematch": rematch, "feeds.pull": Spec(pull, cron="*/15 * * * *")}

A job is lost by no crash, and may therefore run twice; a step whose effects go through the connection that is
given to it happens once. docs/design/jobs.md has the whole picture.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError, InputError, TooLargeError
from clearway.records.text import plain

from .jobs_retry import Retry
from .scalar import scalar

if TYPE_CHECKING:
    import psycopg

    from .principal import Pool

ARGS_BYTES = 64 << 10
# A key that acts for a person in the jobs that they started; `access` mints it, given an owner's transaction.
Mint = Callable[["psycopg.Connection[Any]", int], str]
Connect = Callable[[], AbstractContextManager["psycopg.Connection[Any]"]]
KEY_S = 120.0  # a key is used so long, then a new one is minted; it is to live longer
_PROGRESS_EVERY_S = 0.5
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # not one whose backslash is itself escaped
_DEFER = "select clearway.defer_job(%s, %s::jsonb, %s, %s, %s, %s, %s)"
_PROGRESS = """
with mine as (select job from clearway.job_run where job = %(job)s and run = %(run)s)
insert into clearway.job_progress as p (job, done, total, what) select job, %(done)s, %(total)s, %(what)s from mine
on conflict (job) do update set done = excluded.done, total = excluded.total, what = excluded.what,
    at = clock_timestamp()
"""


class Spec(NamedTuple):
    """A task with more than its function: how it is retried, and when it runs by itself.

    `cron` has five fields, in UTC; each time is run once whatever the number of workers, the next one not
    before the last one has ended. Times that nobody was there for are left out after ten minutes.
    """

    run: Task
    retry: Retry = Retry()
    cron: str = ""


class Loop(NamedTuple):
    """Something that one process at a time does again and again, in the whole cluster.

    `run` is called when `channel` is notified, at least every `every_s` seconds, and once more when it was
    notified meanwhile. Its argument gives transactions on the one session that holds the loop's lock: who loses
    the lock can't commit any more. Not to be nested.
    """

    channel: str  # "" for none
    every_s: float
    run: Callable[[Connect], None]


def defer(
    db: psycopg.Connection[Any],
    task: str,
    args: Mapping[str, object],
    *,
    queue: str = "default",
    lock: str = "",
    at: datetime | None = None,
    once: str = "",
    priority: int = 0,
) -> int:
    """Starts a job when the transaction of `db` commits; its number.

    Jobs with the same `lock` run one at a time, in their order. While a job waits under the key `once`, it stands
    for this one too, and its number is returned. `at` is the earliest time. The owner may start every task; a
    principal those in `clearway.job_allowed`, and with no more than the usual priority.

    Raises:
        InputError: `args` can't be written as JSON or are nested over 32 deep, or a text is too long.
        TooLargeError: `args` take more than 64 KiB: keep what is large in a table, and its key here.
        ForbiddenError: the principal may not start this task.
        ConflictError: 1,000 jobs of this person are waiting.
    """
    from .connect import translated

    if at is not None and at.tzinfo is None:
        raise InputError("the time of a job has no zone", where=task)
    with translated():
        return scalar(db, _DEFER, (task, encoded(args, task), queue, lock, at, once, priority))


def encoded(args: Mapping[str, object], task: str) -> str:
    """`args` as JSON text.

    Raises:
        InputError: something in it has no JSON form, or a NUL character that PostgreSQL can't keep.
        TooLargeError: it is over 64 KiB.
    """
    try:
        text = msgspec.json.encode(dict(args)).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise InputError(
            f"the arguments can't be written as JSON: {plain(str(error))}", where=task
        ) from error
    if len(text.encode()) > ARGS_BYTES:
        raise TooLargeError(
            "a job's arguments are over 64 KiB", where=task, mend="keep them in a table, and their key here"
        )
    if _NUL.search(text):
        raise InputError("a job's arguments have a NUL character", where=task)
    return text


class Mine(Struct, frozen=True, kw_only=True):
    """A job as the person who started it sees it. `state`: waiting, running, retrying, done, dead, cancelled."""

    id: int
    task: str
    state: str
    deferred: datetime
    starts: datetime | None  # not before
    failures: int
    done: int | None  # None until the task tells
    total: int | None
    what: str
    told: datetime | None
    code: str  # of the last failure: a `ClearwayError.code`, "worker-lost", or "internal"


def mine(
    db: psycopg.Connection[Any], *, job: int | None = None, before: int | None = None, most: int = 100
) -> list[Mine]:
    """The jobs that the principal of `db` started, newest first: all, the one numbered `job`, or those older than
    `before`; at most `most`, and never more than 1,000."""
    from .connect import translated

    with translated():
        rows = db.execute("select * from clearway.my_jobs(%s, %s, %s)", (job, before, most)).fetchall()
    return [Mine(**dict(zip(Mine.__struct_fields__, row, strict=True))) for row in rows]


def cancel(db: psycopg.Connection[Any], job: int) -> bool:
    """Takes back a job of the principal's own, or as the owner any; whether there was something to take back."""
    from .connect import translated

    with translated():
        row = db.execute("select clearway.cancel_job(%s)", (job,)).fetchone()
    return bool(row and row[0])


class JobStoppedError(BaseException):
    """Ends an attempt whose worker is asked to stop; the job waits for another worker, and nothing has failed.

    Raised by `Job.step`; a task without steps may raise it when `Job.stopping`. Not for tasks to catch.
    """


class JobTakenError(BaseException):
    """Ends an attempt that another one has replaced. Not for tasks to catch."""


class Job:
    """One attempt at a job, as its task sees it. Belongs to the thread that the task runs in."""

    def __init__(
        self,
        pool: Pool,
        *,
        id: int,
        task: str,
        args: dict[str, Any],
        run: UUID,
        failures: int,
        by_person: int | None,
        mint: Mint | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.id = id
        self.task = task
        self.args = args
        self.failures = failures  # of earlier attempts
        self.by_person = by_person  # None: the program itself
        self._pool = pool
        self._run = run
        self._mint = mint
        self._stop = stopping or threading.Event()
        self._told = 0.0
        self._keys: dict[int, tuple[float, str]] = {}
        self._open: list[psycopg.Connection[Any]] = []
        self._guard = threading.Lock()
        self._abandoned = False

    @property
    def stopping(self) -> bool:
        """Whether the worker is asked to end: finish soon, or stop between steps. `step` does so by itself."""
        return self._stop.is_set()

    @contextmanager
    def owner(self) -> Iterator[psycopg.Connection[Any]]:
        """One transaction as the owner."""
        with self._pool.owner() as db, self._watched(db):
            yield db

    @contextmanager
    def acting(self, person: int | None = None) -> Iterator[psycopg.Connection[Any]]:
        """One transaction as `clearway_app` on behalf of `person`, by default whoever started the job.

        Keep it under five minutes: the person's rights are those of its statements, and its key ends.

        Raises:
            ConfigError: the job was started by nobody, or this worker was given no way to make keys.
        """
        who = self.by_person if person is None else person
        if who is None or self._mint is None:
            raise ConfigError("nobody to act for", where=f"job {self.id}", mend="use the owner's transaction")
        kept = self._keys.get(who)
        if kept is None or time.monotonic() - kept[0] > KEY_S:
            with self.owner() as db:
                kept = self._keys[who] = (time.monotonic(), self._mint(db, who))
        with self._pool.acting(kept[1]) as db, self._watched(db):
            yield db

    @contextmanager
    def step(self, name: str, db: psycopg.Connection[Any] | None = None) -> Iterator[bool]:
        """Whether this step is still to be done; it is marked as done at the end of the block.

        With `db`, the mark is part of its transaction: effects through `db` happen once, whatever is killed. An
        exception in the block takes back both. Without it, the mark is a transaction of its own afterwards: for
        effects outside of the database, which may then happen twice.
        """
        if self.stopping:
            raise JobStoppedError
        if db is not None:
            with db.transaction():
                yield self._claim(db, name)
            return
        with self.owner() as own:
            done = own.execute(
                "select from clearway.job_step where job = %s and step = %s", (self.id, name)
            ).fetchone()
        yield done is None
        if done is None:
            with self.owner() as own:
                self._claim(own, name)

    def progress(self, done: int, total: int | None, what: str) -> None:
        """Tells who started the job how far it is; at most twice a second, and at the end.

        `what` is seen by that person: it says nothing that they may not see.
        """
        now = time.monotonic()
        if now - self._told < _PROGRESS_EVERY_S and done != total:
            return
        self._told = now
        with self.owner() as db:
            db.execute("set local synchronous_commit = off")
            db.execute(
                _PROGRESS,
                {"job": self.id, "run": self._run, "done": done, "total": total, "what": plain(what, 200)},
            )

    def abandon(self) -> None:
        """Breaks the open transactions of an attempt that does not end: what they did is rolled back.

        From another thread, so nothing of the driver is touched: the sockets are shut down under it.
        """
        with self._guard:
            self._abandoned = True
            for db in self._open:
                _sever(db)

    def _claim(self, db: psycopg.Connection[Any], name: str) -> bool:
        claimed = scalar(db, "select clearway.claim_step(%s, %s, %s)", (self.id, self._run, name))
        if claimed < 0:
            raise JobTakenError
        return claimed > 0

    @contextmanager
    def _watched(self, db: psycopg.Connection[Any]) -> Iterator[None]:
        with self._guard:
            if self._abandoned:
                raise JobStoppedError
            self._open.append(db)
        try:
            yield
        finally:
            with self._guard:
                self._open.remove(db)


Task = Callable[[Job, dict[str, Any]], None]
Tasks = Mapping[str, "Task | Spec"]


def _sever(db: psycopg.Connection[Any]) -> None:
    with suppress(Exception), socket.socket(fileno=os.dup(db.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
