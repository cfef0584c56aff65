"""A worker: takes jobs and runs each in a thread, until it is told to stop.

    1. The tables are looked for.
    2. A *life*: procrastinate's worker on an event loop of its own registers itself, listens, takes jobs, says that
       it lives every `heartbeat_s`, and defers what is due by the clock. Beside it, jobs whose worker is gone
       are taken over every `sweep_s`.
    3. When the database goes away the life ends, and a new one is tried until it is back. So it does on a fault of
       ours, which `doctor` tells.
    4. Told to stop: nothing new is taken; jobs have `grace_s`, and stop at their next step; then their
       transactions are broken and they wait for another worker.

A task is ordinary synchronous code in a thread that does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from msgspec import Struct
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job as QueuedJob
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from clearway.records.clock import Clock, SystemClock
from clearway.records.errors import ClearwayError
from clearway.records.text import plain

from . import jobs_life
from .connect import connect, translated
from .failures import cause
from .jobs import Job, JobStoppedError, JobTakenError, Loop, Mint, Spec, Task, Tasks
from .jobs_loops import Loops
from .jobs_manager import FAILED, FencedManager, Taken
from .jobs_reap import SWEEP, attempts_of, reap
from .principal import Pool

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

log = logging.getLogger("clearway.jobs")
# The package logs the arguments of jobs, which may be marked; ours below says what matters without them.
_package_log = logging.getLogger("procrastinate")
_package_log.setLevel(logging.CRITICAL)

_LOOK_S = 0.25  # how often the stop event is looked at
_GONE_S = (0.1, 5.0)  # wait for a database that went away: first, longest
_AFTER_GRACE_S = 3.0  # for taking leave of the database, once all jobs have ended
_SEARCH = "select set_config('search_path', 'clearway_jobs, clearway', false)"


class Pace(Struct, frozen=True, kw_only=True):
    """The times of a worker, in seconds."""

    heartbeat_s: float = 5.0
    stalled_s: float = 20.0  # without a heartbeat, a worker is gone and its jobs are taken over
    poll_s: float = 2.0  # for jobs that become due: retries, and those with a time
    sweep_s: float = 5.0
    grace_s: float = 10.0  # for jobs at work when the worker is told to stop


class _Again(Exception):  # noqa: N818 - not an error: how a task's end is told to the package
    """The job waits until `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


class _Dead(Exception):  # noqa: N818
    """The job has failed for good; its reason is written."""


class _AsTold(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        return RetryDecision(retry_at=exception.at) if isinstance(exception, _Again) else None


def run_worker(
    url: str,
    tasks: Tasks,
    *,
    concurrency: int = 4,
    stop: threading.Event,
    loops: Mapping[str, Loop] | None = None,
    mint: Mint | None = None,
    pace: Pace | None = None,
    clock: Clock | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Runs jobs and loops of the database at `url` until `stop` is set; then returns within `pace.grace_s` and 3 s.

    Blocks: call it in a thread, or as a process of its own. At most `concurrency` jobs at once. `ready` is called
    each time that it begins to take jobs. A database that goes away is waited for.

    Raises:
        ConfigError: the database has not this release's tables, or refuses us.
        UpstreamError: nobody answers at the start.
    """
    with connect(url, autocommit=True) as db, translated():
        db.execute("select from clearway.job_run limit 0")
    with Pool(url, size=concurrency, owners=2 * concurrency + 2) as pool:
        worker = _Lives(
            url, tasks, pool, stop, concurrency, mint, pace or Pace(), clock or SystemClock(), ready
        )
        with Loops(url, loops or {}, stop):
            asyncio.run(worker.live())


class _Lives:
    def __init__(
        self,
        url: str,
        tasks: Tasks,
        pool: Pool,
        stop: threading.Event,
        concurrency: int,
        mint: Mint | None,
        pace: Pace,
        clock: Clock,
        ready: Callable[[], None] | None,
    ) -> None:
        self._specs = {"jobs.sweep": SWEEP} | {
            name: task if isinstance(task, Spec) else Spec(task) for name, task in tasks.items()
        }
        self._url = url
        self._pool = pool
        self._stop = stop
        self._concurrency = concurrency
        self._mint = mint
        self._pace = pace
        self._clock = clock
        self._ready = ready
        self._running: set[UUID] = set()  # attempts

    async def live(self) -> None:
        """One life after the other until `stop` is set."""
        asyncio.get_running_loop().set_exception_handler(_unheard)
        pause, longest = _GONE_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await self._life()
            except Exception as error:  # noqa: BLE001 - the worker begins anew
                self._ended(error)
            if time.monotonic() - began > longest:
                pause = _GONE_S[0]
            ends = time.monotonic() + pause
            while time.monotonic() < ends and not self._stop.is_set():
                await asyncio.sleep(min(_LOOK_S, pause))
            pause = min(pause * 2, longest)

    def _ended(self, error: Exception) -> None:
        """Says why a life ended before its time; what is no fault of the connection, to `doctor` too."""
        if jobs_life.is_away(error):
            log.warning("the database is away; jobs wait for it: %s", type(error).__name__)
            return
        log.error("the worker begins anew", exc_info=error)
        with suppress(ClearwayError, psycopg.Error), self._pool.owner() as db:
            jobs_life.note(db, error)

    async def _life(self) -> None:
        connector = PsycopgConnector(
            conninfo=self._url,
            configure=_configure,
            min_size=1,
            max_size=3,
            timeout=5.0,
            num_workers=1,
            kwargs={"application_name": "clearway worker", "connect_timeout": 10},
        )
        manager = FencedManager(connector, self._specs, self._stop.is_set, self._pool.release)
        app = App(connector=connector)
        app.job_manager = manager
        for name, spec in self._specs.items():
            self._register(app, manager, name, spec)
        opening = asyncio.create_task(_open(app))
        if not await self._unless_stopped(opening):
            return
        try:
            await self._work(app, manager)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_AFTER_GRACE_S):
                    await app.close_async()

    async def _work(self, app: App, manager: FencedManager) -> None:
        pace = self._pace
        worker = Worker(
            app,
            concurrency=self._concurrency,
            fetch_job_polling_interval=pace.poll_s,
            abort_job_polling_interval=5.0,
            shutdown_graceful_timeout=pace.grace_s,
            install_signal_handlers=False,
            update_heartbeat_interval=pace.heartbeat_s,
            stalled_worker_timeout=pace.stalled_s,
        )
        running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        sweeping = asyncio.create_task(self._sweep(worker))
        try:
            while not self._stop.is_set() and not running.done() and not sweeping.done():
                await asyncio.wait({running, sweeping}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            worker.stop()  # type: ignore[no-untyped-call]
            # The worker waits for its jobs by itself; this bound is for a database that no longer answers.
            await asyncio.wait({running}, timeout=pace.grace_s + _AFTER_GRACE_S)
        finally:
            running.cancel()
            sweeping.cancel()
            await asyncio.wait({running, sweeping}, timeout=1.0)
        for task in (running, sweeping):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _unless_stopped(self, task: asyncio.Task[None]) -> bool:
        """Whether `task` has ended before the worker was told to stop."""
        while not task.done():
            if self._stop.is_set():
                task.cancel()
            await asyncio.wait({task}, timeout=_LOOK_S)
        with suppress(asyncio.CancelledError):
            task.result()
            return not self._stop.is_set()
        return False

    async def _sweep(self, worker: Worker) -> None:
        """Takes over the jobs of workers that are gone, and those that this one lost sight of."""
        told = lives = False
        missed: set[UUID] = set()
        began = time.monotonic()
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name="clearway sweep", connect_timeout=10
        ) as db:
            while True:
                if worker.worker_id is not None:
                    if not told and self._ready is not None:
                        self._ready()
                    told = True
                    if self._pool.release.is_outdated:  # its jobs are for a newer worker
                        await asyncio.sleep(self._pace.sweep_s)
                        continue
                    # Ours by the table, but not at work here: what was committed as the connection broke. Only when
                    # the same attempt is missed twice, because it is in the table before it is at work.
                    before = missed
                    missed = await attempts_of(db, worker.worker_id) - self._running
                    await reap(db, self._pace.stalled_s, missed & before, self._retry_of)
                    if not lives and time.monotonic() - began > jobs_life.LEAST_S:
                        lives = True
                        await jobs_life.lives(db)
                await asyncio.sleep(self._pace.sweep_s if told else 0.01)

    def _retry_of(self, task: str) -> Spec | None:
        return self._specs.get(task)

    def _register(self, app: App, manager: FencedManager, name: str, spec: Spec) -> None:
        async def run(context: JobContext, /, args: dict[str, Any] | None = None, timestamp: int = 0) -> None:
            number = context.job.id or 0
            given = {"timestamp": timestamp} if args is None else args
            await self._run(context, number, name, spec, given, manager.taken.pop(number))

        task = app.task(name=name, pass_context=True, retry=_AsTold())(run)
        if spec.cron:
            key = f"cron/{name}"
            app.periodic(cron=spec.cron, lock=key, queueing_lock=key)(task)  # type: ignore[arg-type]

    async def _run(
        self, context: JobContext, number: int, name: str, spec: Spec, args: dict[str, Any], taken: Taken
    ) -> None:
        job = Job(
            self._pool,
            id=number,
            task=name,
            args=args,
            run=taken.run,
            failures=taken.failures,
            by_person=taken.by_person,
            mint=self._mint,
            stopping=self._stop,
        )
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = loop.create_future()

        def tell(outcome: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(outcome)

        def work() -> None:
            outcome = self._outcome(job, taken, spec)
            with suppress(RuntimeError):  # the loop is gone: nobody waits for us any more
                loop.call_soon_threadsafe(tell, outcome)

        self._running.add(taken.run)
        try:
            threading.Thread(target=work, name=f"job {number}", daemon=True).start()
            outcome = await ended
        except asyncio.CancelledError:
            job.abandon()
            if context.abort_reason() is AbortReason.USER_REQUEST:
                raise JobAborted from None
            raise _Again(self._clock.now()) from None
        finally:
            self._running.discard(taken.run)
        if outcome is not None:
            raise outcome

    def _outcome(self, job: Job, taken: Taken, spec: Spec) -> BaseException | None:
        """Runs the task in this thread; None when it is done, else what to tell the queue."""
        try:
            task: Task = spec.run
            task(job, job.args)
        except JobStoppedError:
            return _Again(self._clock.now())
        except JobTakenError:
            return _Dead()  # what it tells the queue has no effect
        except BaseException as error:  # noqa: BLE001 - whatever a task does, the worker lives on
            return self._failed(job, taken, spec, error)
        return None

    def _failed(self, job: Job, taken: Taken, spec: Spec, error: BaseException) -> BaseException:
        code = error.code if isinstance(error, ClearwayError) else "internal"
        said = str(error) if isinstance(error, ClearwayError) else f"{type(error).__name__}: {error}"
        log.warning("job %d (%s) failed: %s%s", job.id, job.task, code, cause(error))
        failures: int | None = taken.failures + 1
        values = {
            "job": job.id,
            "run": taken.run,
            "code": code,
            "reason": plain(said.replace("\0", "\ufffd"), 2000),
        }
        try:
            with self._pool.owner() as db:
                row = db.execute(FAILED, values).fetchone()
                failures = row[0] if row else None
        except ClearwayError:
            pass  # the database is away: the job is found without a worker when it is back
        if failures is None:
            return _Dead()
        again = spec.retry.next(failures, error, self._clock.now())
        return _Dead() if again is None else _Again(again)


async def _open(app: App) -> None:
    await app.open_async()


async def _configure(db: psycopg.AsyncConnection[Any]) -> None:
    await db.set_autocommit(True)
    await db.execute(_SEARCH)


def _unheard(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What ends without anybody waiting for it: an attempt whose end could not be written. Its job is found."""
    log.info("not heard: %s", type(context.get("exception")).__name__)
