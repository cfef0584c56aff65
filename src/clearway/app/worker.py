"""The worker: joins the rooms' tasks and loops, and runs them beside the server or as a process of its own.

A room with work for the background has `tasks.py` with `TASKS` and `LOOPS`, or, where its work needs the home's folder
or connections of its own, with functions `tasks(home, url)` and `loops(home, url)` (docs/design/jobs.md). `begin(home,
stop)` starts what every process has to do for itself.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ClearwayError, ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import FrameType

    import psycopg

    from clearway.store.jobs import Loop, Tasks
    from clearway.store.jobs_worker import Pace

ROOMS = (
    "clearway.ledger",
    "clearway.access",
    "clearway.http",
    "clearway.advisories",
    "clearway.directives",
    "clearway.exposure",
    "clearway.exposure.fleet",
    "clearway.findings",
    "clearway.app",
)
CONCURRENCY = 4


def joined(home: Path, url: str, rooms: Iterable[str] = ROOMS) -> tuple[Tasks, dict[str, Loop]]:
    """The tasks and the loops of `rooms` by their names; a room without `tasks.py` has none.

    Raises:
        ConfigError: two rooms have one of the same name.
    """
    tasks: dict[str, Any] = {}
    loops: dict[str, Loop] = {}
    for room in rooms:
        if find_spec(f"{room}.tasks") is None:
            continue
        module = import_module(f"{room}.tasks")
        for kind, all_of_them in (("tasks", tasks), ("loops", loops)):
            mine = dict(getattr(module, kind.upper(), {}))
            if make := getattr(module, kind, None):
                mine |= make(home, url)
            if twice := mine.keys() & all_of_them.keys():
                raise ConfigError(f"two rooms have a task or loop {sorted(twice)[0]!r}", where=room)
            all_of_them.update(mine)
    return tasks, loops


def mint(owner: psycopg.Connection[Any], person: int) -> str:
    """A key under which a job acts for `person` for a while, made in the owner's transaction."""
    from clearway.access.credential import make_acting
    from clearway.records.clock import SystemClock

    return make_acting(owner, person, now=SystemClock().now()).key


def work(
    url: str,
    home: Path,
    stop: threading.Event,
    *,
    concurrency: int = CONCURRENCY,
    pace: Pace | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Runs the jobs and loops of all rooms until `stop` is set; see `store.jobs_worker.run_worker`."""
    from clearway.records.known_types import make_known
    from clearway.store.jobs_worker import run_worker

    make_known()  # jobs and loops run on threads
    tasks, loops = joined(home, url)
    for room in ROOMS:
        if find_spec(f"{room}.tasks") is not None and (
            begin := getattr(import_module(f"{room}.tasks"), "begin", None)
        ):
            begin(home, stop)
    run_worker(url, tasks, concurrency=concurrency, stop=stop, loops=loops, mint=mint, pace=pace, ready=ready)


class Beside:
    """A worker in a thread of this process, for the length of the block: `with Beside(url, home): …`."""

    def __init__(self, url: str, home: Path, *, concurrency: int = CONCURRENCY) -> None:
        self._url = url
        self._home = home
        self._concurrency = concurrency
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._ready = threading.Event()

    def _work(self) -> None:
        try:
            work(self._url, self._home, self._stop, concurrency=self._concurrency, ready=self._ready.set)
        except ClearwayError as error:
            print(f"clearway: the worker has ended: {error}", file=sys.stderr)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Tells the worker to stop and waits for it: 14 s at most, for jobs that do not heed."""
        self._stop.set()
        self._thread.join(14.0)

    @property
    def ready(self) -> bool:
        """Whether it has begun to take jobs."""
        return self._ready.is_set() and self._thread.is_alive()


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `worker`."""
    worker = commands.add_parser(
        "worker",
        help="runs jobs and loops; any number of them, on any machine",
        description="Takes jobs from the database until SIGTERM or Ctrl-C. Running jobs then have 10 s; what is not "
        "done by then is taken by another worker. `clearway up` has one of its own.",
    )
    worker.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, metavar="N", help=f"jobs at once ({CONCURRENCY})"
    )
    worker.set_defaults(func=run_command)


def run_command(args: argparse.Namespace) -> int:
    """Works until it is told to stop; returns 0."""
    from clearway.records.errors import UsageError
    from clearway.store.migrate import migrate
    from clearway.store.server import lease

    if not 1 <= args.concurrency <= 64:
        raise UsageError("a worker runs from 1 to 64 jobs at once", where="--concurrency")
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    said = threading.Event()

    def ready() -> None:
        if not said.is_set():
            said.set()
            if not args.quiet:
                print("the worker takes jobs", file=sys.stderr, flush=True)

    with lease(args.home) as url:
        migrate(url)
        work(url, args.home, stop, concurrency=args.concurrency, ready=ready)
    return 0
