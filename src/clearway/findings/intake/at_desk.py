"""What routes and pages of the intake have in common: the desk's tools, reading reports, the pace, public records."""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING, Any

from clearway.formats.reported import read_reports
from clearway.http.acting import acting, doorkeeper
from clearway.http.ratelimit import Buckets, Policy, address
from clearway.records.errors import TooManyRequestsError

from .. import desk_key, kept
from ..desk_key import DeskKey
from ..vault import Vault
from . import sealed, submit
from .reach import public_records
from .readers import Readers
from .submit import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Request

    from clearway.formats.reported_parts import ReportDocument
    from clearway.records.principal import Principal

    from ..kept import Finding
    from .gates import Gate
    from .public import Refs

    Asked = Request[Any, Any, Any]

# Of one organisation at one server process. Twice what a laboratory needs that has thousands to send.
PACE = Policy("submissions", 2_000, 60)
# KiB of one organisation at one server process: what a minute's reports may hold with their files.
BYTES = Policy("submitted KiB", 256 << 10, 60)
# Questions about what is public, by the asker's address: each reads records.
CHECKS = Policy("checks", 300, 60)
_STATE = "findings_intake"
_LOCK = Lock()


class Tools:
    """The vault and the key of one home, made known to its database once in a process; and each organisation's pace."""

    def __init__(self, request: Asked) -> None:
        home = request.app.state.home
        self.desk = Desk(Vault.of_home(home), DeskKey.of_home(home))
        self.pace = Buckets(PACE)
        self.bytes = Buckets(BYTES)
        self.readers = Readers()
        self.checks = Buckets(CHECKS)
        with doorkeeper(request).pool.owner() as owner:
            desk_key.register(owner, self.desk.key)


def tools(request: Asked) -> Tools:
    """The application's tools, made at the first use.

    Raises:
        ConfigError: a key of the home can't be read.
        UpstreamError: the database does not answer.
    """
    with _LOCK:
        found: Tools | None = request.app.state.get(_STATE)
        if found is None:
            found = Tools(request)
            request.app.state[_STATE] = found
        return found


def sender(request: Asked) -> Principal:
    """Who sends a report, as the guard has let them in: asked before the report is read, in no transaction."""
    me = doorkeeper(request).of(request)
    assert me is not None  # the route needs a right
    return me


def read(request: Asked, org: int, data: bytes, purl: str = "") -> ReportDocument:
    """What the document `data` of `org` reports. Read in no transaction, and large ones a few at a time.

    Raises:
        InputError, TooLargeError: it can't be read.
        TooManyRequestsError: there is no room for a large document now, or the organisation has sent too many bytes.
    """
    at = tools(request)
    _spend_bytes(at, org, len(data))
    with at.readers.room(org, len(data)):
        return read_reports(data, purl=purl)


def add(request: Asked, handling: str, data: bytes) -> tuple[Finding, tuple[Gate, ...]]:
    """The finding with what `data` adds to it, and its gates: `submit.supplement`, read in no transaction.

    Raises:
        As `read` and `submit.supplement`.
    """
    at = tools(request)
    with acting(request) as (db, _):
        finding = kept.one(db, handling)
        submit.takes_more(finding)
        before = sealed.stored(db, at.desk, finding)
    _spend_bytes(at, finding.org, len(data))
    with at.readers.room(finding.org, len(data) + before.size):
        ready = sealed.added(before, data)
    with acting(request) as (db, _):
        return submit.supplement(db, at.desk, kept.one(db, handling), data, ready)


def _spend_bytes(at: Tools, org: int, size: int) -> None:
    stand = at.bytes.take(org, max(1, size >> 10))
    if stand.refused:
        wait = max(1, math.ceil((size >> 10) * BYTES.window_s / BYTES.quota))
        raise TooManyRequestsError(
            f"more than {BYTES.quota >> 10} MiB in {BYTES.window_s} s",
            mend=f"go on in {wait} s",
            retry_after_s=wait,
        )


def spender(request: Asked, org: int) -> Callable[[int], None]:
    """Takes that many reports from the organisation's pace; raises TooManyRequestsError when it is used up."""
    pace = tools(request).pace

    def spend(reports: int) -> None:
        stand = pace.take(org, reports)
        if stand.refused:
            wait = max(1, math.ceil(reports * PACE.window_s / PACE.quota))
            raise TooManyRequestsError(
                f"more than {PACE.quota:,} reports in {PACE.window_s} s",
                mend=f"go on in {wait} s",
                retry_after_s=wait,
            )

    return spend


def spend_check(request: Asked) -> None:
    """Takes a question about what is public from the address's share; raises TooManyRequestsError when none is left."""
    stand = tools(request).checks.take(address(request.scope))
    if stand.refused:
        wait = max(1, math.ceil(stand.wait_s))
        raise TooManyRequestsError(
            f"more than {CHECKS.quota} questions in {CHECKS.window_s} s",
            mend=f"ask again in {wait} s",
            retry_after_s=wait,
        )


def fetcher(request: Asked) -> Callable[[Refs], Mapping[tuple[str, str], bytes]]:
    """Reads records for `public.ask`. As the owner, and of what everybody may read alone."""
    pool = doorkeeper(request).pool

    def fetch(refs: Refs) -> Mapping[tuple[str, str], bytes]:
        with pool.owner() as db:
            return public_records(db, refs)

    return fetch
