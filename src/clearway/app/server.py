"""The server: one process that answers HTTP from the compiled table and the database of a home.

    1. The port is tried, the database leased and its tables brought up to date.
    2. granian serves the application from this process's event loop, which is uvloop's: with the standard library's a
       request costs half as much again. The threads that answer keep to one processor (`processor`).
    3. The URL is told once the server answers.
    4. SIGTERM or SIGINT: no new requests; those in work have `GRACE_SECONDS`; then the lease ends,
       and with it the embedded database if nobody else holds one.

There is no child but the database, so that nothing outlives a server that is killed.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import sys
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any

import uvloop
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from clearway.access import local
from clearway.advisories import osv_api as vulns
from clearway.advisories.age import oldest
from clearway.advisories.live_table import LiveTable
from clearway.advisories.record_source import RememberedRecords
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.exposure import osv_api as queries
from clearway.http import health
from clearway.http.application import Application, application
from clearway.http.limits import Limits
from clearway.http.ratelimit import Rates, trusted_proxies
from clearway.records.clock import SystemClock
from clearway.records.errors import ClearwayError, ConfigError, ConflictError, UpstreamError
from clearway.store.keeping import kept_running
from clearway.store.migrate import migrate
from clearway.store.server import lease

from . import processor
from .worker import Beside
from .workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearway.advisories.record_source import RecordSource

GRACE_SECONDS = 1.5  # for requests in work when the server is told to end
START_SECONDS = 20.0
HEADER_MS = 15_000  # for the head of a request; also how long an idle connection is kept
# Of a request's head; above `http.address`, which refuses with words. The server knows at most 100 fields, and no
# address over 65,534 bytes.
HEADER_BYTES = 128 << 10
CONNECTIONS = 1_024
# A request arrives on a thread of its own, which waits this long for a busy interpreter (5 ms otherwise).
SWITCH_SECONDS = 0.001


def build(
    table: Path,
    records: RecordSource,
    *,
    workspace: Workspace | None = None,
    limits: Limits | None = None,
    rates: Rates | None = None,
) -> Application:
    """The application over a compiled table and a source of records, closed at its end.

    Without a workspace it is the public API alone.
    """
    live = LiveTable(table)
    remembered = RememberedRecords(records)

    async def table_is_there() -> None:
        live.current(0)

    async def store_answers() -> None:
        await records.osv([("", "")])
        if workspace is not None:  # and its tables are this release's
            await asyncio.to_thread(workspace.pool.check)

    async def close() -> None:
        await remembered.close()
        if workspace is not None:
            await workspace.hub.stop()
            workspace.close()

    routes = [
        queries.routes(live, remembered),
        vulns.routes(live, remembered),
        health.routes({"advisories": table_is_there, "database": store_answers}),
    ]
    if workspace is None:
        return application(routes, limits=limits, on_shutdown=[close])
    workspace.pages.data_as_of = partial(_as_of, live)
    return application(
        [*routes, *workspace.routes()],
        guard=workspace.guard(),
        pages=workspace.pages,
        state={**workspace.state, "table": live},
        limits=limits,
        rates=rates or Rates(),
        on_startup=[workspace.hub.start],
        on_shutdown=[close],
        on_ending=[workspace.hub.end],
    )


def _as_of(live: LiveTable) -> datetime | None:
    """The date of the oldest data that answers rest on, for the footer of pages; None before the first intake."""
    try:
        meta = live.current(0).meta
    except ClearwayError:
        return None
    found = oldest(meta, datetime.now(UTC).date())
    return None if found is None else datetime.combine(found, time(), UTC)


def serve(
    home: Path,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    worker: bool = True,
) -> None:
    """Serves until SIGTERM or SIGINT, with a worker beside it; tells `ready` the URL when it answers, or prints it.

    `port` 0 takes a free one. The embedded database of `home` is leased all the while. The table need
    not be there yet: it is picked up when intake has compiled it.

    Raises:
        ConflictError: the port is taken.
        ConfigError: the address is not one of this machine's, the home can't be used, or a setting is wrong.
        UpstreamError: the database would not start, or the server does not answer.
    """
    rates = Rates(proxies=trusted_proxies())
    processor.wanted()  # what is set wrongly is said before anything is begun
    chosen = _free_port(host, port)
    with lease(home) as url:
        migrate(url)
        workspace = Workspace(home, url)
        workspace.seals()  # makes the first key of cursors: when a list is read, the disk may be full
        app = build(home / TABLE_FILE, StoredRecords(url), workspace=workspace, limits=limits, rates=rates)
        said = ready or partial(_print_ready, first_code(workspace))
        with kept_running(home), Beside(url, home) if worker else nullcontext():
            run(app, host, chosen, said)


def run(app: Application, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serves `app` until SIGTERM or SIGINT, without a database of its own; see `serve`."""
    settle()
    with processor.kept():
        uvloop.run(_serve(app, host, port, ready))


def settle() -> None:
    """Makes the interpreter one that answers: threads take turns often, and memory is seldom looked through."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # A full collection walks all that the table remembers, 40 ms for nothing: what is remembered has no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def first_code(workspace: Workspace) -> str:
    """The one-time code of the first administrator, "" once somebody can sign in without it."""
    with workspace.pool.owner() as owner:
        return local.bootstrap_code(owner, now=SystemClock().now())


def _print_ready(code: str, url: str) -> None:
    # A passkey is bound to a name; this machine's is localhost.
    shown = url.replace("//127.0.0.1:", "//localhost:")
    sys.stdout.write(f"Clearway answers at {shown}\n")
    if code:
        sys.stdout.write(f"Sign in with the one-time code {code}\n")
    sys.stdout.flush()


async def _serve(app: Application, host: str, port: int, ready: Callable[[str], None]) -> None:
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=HEADER_BYTES),
        log_enabled=False,
    )
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    serving = loop.create_task(server.serve())
    ending = loop.create_task(asked_to_end.wait())
    starting = loop.create_task(_answers(host, port))
    try:
        await asyncio.wait({serving, ending, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
            await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            if not ending.done():
                raise UpstreamError("the web server ended by itself", mend="see its log, and start it again")
    finally:
        loop.set_exception_handler(_while_ending)
        app.ending()
        server.stop()  # type: ignore[no-untyped-call]
        # A client that keeps its connection open would hold the server for ever.
        await asyncio.wait({serving}, timeout=GRACE_SECONDS)
        for task in (starting, ending, serving):
            task.cancel()
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait({starting, ending, serving}, timeout=0.2)


def _while_ending(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Says nothing of the one failure that is ours: granian completes a future that we gave up waiting for."""
    if not isinstance(context.get("exception"), asyncio.InvalidStateError):
        loop.default_exception_handler(context)


async def _answers(host: str, port: int) -> None:
    """Returns when the server has answered a request."""
    connect_to = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                reader, writer = await asyncio.open_connection(connect_to, port)
                writer.write(request)
                if (await reader.readline()).startswith(b"HTTP/1.1 200"):
                    writer.close()
                    return
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(0.01)


def _free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0, after a look whether it can be had.

    granian shares its port with whoever else would listen there, so a second server would take half
    of the requests in silence.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OverflowError:
            raise ConfigError("a port is a number from 0 to 65535", where=str(port)) from None
        except PermissionError:
            raise ConfigError(
                "this port is for the system's own services",
                where=f"{host}:{port}",
                mend="use one from 1024 up",
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConflictError(
                    "another program listens on this port",
                    where=f"{host}:{port}",
                    mend="end it, or choose another with --port",
                ) from None
            raise ConfigError(
                f"can't listen there: {(error.strerror or str(error)).lower()}",
                where=f"{host}:{port}",
                mend="give an address of this machine with --host",
            ) from None
        return int(trial.getsockname()[1])
