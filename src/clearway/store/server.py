"""The embedded PostgreSQL of a home: running while somebody holds a lease on it, and no longer.

    1. The start lock is taken: one process at a time starts or stops the server.
    2. The use lock is shared: that is the lease. The kernel gives it back whatever becomes of us.
    3. The server is asked whether it is ready; if not, what a killed one left is cleared away and a
       new one is started.
    4. The start lock is released, and the caller works.
    5. At the end, under the start lock: who can have the use lock alone is the last, and stops the
       server.

Any number of processes may hold leases at once. A lease taken by a process that is killed ends with
it; its server is stopped by whoever comes next and leaves last.

With `CLEARWAY_DATABASE_URL` set, none of this happens: that server is used as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from clearway.records.errors import ClearwayError, ConflictError

from . import cluster, locks, place, processes
from .place import Place

URL_VARIABLE = "CLEARWAY_DATABASE_URL"
RESTORING = "restore.json"  # in a home while a backup is restored into it
# Longer than a start may take, so that who waits for a recovery outlives it.
_LOCK_TIMEOUT_S = 700.0
# The home into which this is the restore: what it does there by other parts takes leases of its own.
_restores: ContextVar[Path | None] = ContextVar("restores", default=None)


class Status(Struct, frozen=True, kw_only=True):
    """How a home's database is."""

    embedded: bool
    running: bool
    url: str = ""  # where it answers; without a password
    data: str = ""  # the cluster's folder
    log: str = ""
    account: str = ""  # who runs the server
    pid: int = 0  # of the server's first process, 0 when it is not running


@contextmanager
def lease(home: Path, *, restoring: bool = False) -> Iterator[str]:
    """The URL of a database that is up for the length of the block.

    The embedded one of `home`, made at the first use and started when it is not running; or the
    one named in `CLEARWAY_DATABASE_URL`, after a look at its release. `restoring` is who restores into the home: for
    all others it is closed until that is done, since what is not there yet would be made anew, and empty.

    Raises:
        ConfigError: the home can't be used, or the named server is too old or refuses us.
        ConflictError: another process has been starting the server for too long, or a restore was cut short here.
        UpstreamError: the disk is full, the server would not start, or can't be reached.
    """
    if not restoring:
        _check_whole(Path(home))
        with _leased(home) as url:
            yield url
        return
    token = _restores.set(Path(home))
    try:
        with _leased(home) as url:
            yield url
    finally:
        _restores.reset(token)


@contextmanager
def _leased(home: Path) -> Iterator[str]:
    named = os.environ.get(URL_VARIABLE, "").strip()
    if named:
        from .external import checked

        yield checked(named)
        return
    where = place.make(Path(home))
    fd = locks.open_lock(where.use_lock, where.owner)
    try:
        with starting(where):
            locks.share(fd, where.use_lock)
            try:
                cluster.ensure_running(where)
            except BaseException:
                _leave(where, fd)
                raise
        try:
            yield _url(where)
        except BaseException:
            # What went wrong inside is the news, not that the server would not end after it.
            with suppress(ClearwayError), starting(where):
                _leave(where, fd)
            raise
        with starting(where):
            _leave(where, fd)
    finally:
        os.close(fd)
        processes.reap()


def _check_whole(home: Path) -> None:
    try:
        cut_short = (home / RESTORING).exists()
    except OSError:  # whoever may not look there is told so by what comes next
        return
    if cut_short and _restores.get() != home:
        raise ConflictError(
            "a backup is being restored here, or that was cut short",
            where=str(home / RESTORING),
            mend="let it end, or give the same `clearway restore` again",
        )


def status(home: Path) -> Status:
    """How the database of `home` is. Nothing is started or changed by asking.

    Raises:
        ConfigError: it belongs to somebody else.
    """
    named = os.environ.get(URL_VARIABLE, "").strip()
    if named:
        from .external import answers, without_password

        return Status(embedded=False, running=answers(named), url=without_password(named))
    where = place.find(Path(home))
    if where is None:
        return Status(embedded=True, running=False)
    running = cluster.state(where) == "ready"
    pids = processes.of_cluster(where.data) if running else []
    return Status(
        embedded=True,
        running=running,
        url=_url(where) if running else "",
        data=str(where.data),
        log=str(where.log),
        account=where.server.name,
        pid=pids[0] if pids else 0,
    )


def starting(where: Place) -> AbstractContextManager[None]:
    """The start lock: who holds it may start or stop the server."""
    return locks.exclusive(where.start_lock, where.owner, _LOCK_TIMEOUT_S)


def _leave(where: Place, fd: int) -> None:
    """Ends the lease on `fd`, and the server with it if it was the last."""
    if locks.try_exclusive(fd, where.use_lock):
        cluster.stop(where)


def _url(where: Place) -> str:
    host = quote(str(where.socket_dir()), safe="")
    return f"postgresql://{cluster.USER}@/{cluster.DATABASE}?host={host}&port=5432"
