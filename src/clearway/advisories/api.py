"""`/api/v1/data`: sources, feeds, what was set aside, and pulling a feed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.idempotency import Made, once
from clearway.http.listing import paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.http.whole import unmarked
from clearway.records.clock import SystemClock
from clearway.records.errors import ConfigError, ForbiddenError, IntegrityError, NotFoundError
from clearway.records.text import plain
from clearway.store import jobs

from . import feeds
from .age import aged
from .api_lists import (
    ASIDE,
    FeedItem,
    SourceItem,
    aside_count,
    feed_item,
    feed_items,
    may_house,
    source_items,
)

if TYPE_CHECKING:
    import psycopg
    from litestar.types import ControllerRouterHandler

    from .table_meta import Meta


class Data(Struct, frozen=True, kw_only=True):
    """The data that answers rest on. `kev` is the catalogue's version and `epss` a date; "" where none is loaded.

    `kev_old_days`, `epss_old_days`: so many days ago that was, where it is over its limit; else 0.
    """

    built: str
    generation: int
    kev: str
    epss: str
    ssvc: bool
    kev_old_days: int
    epss_old_days: int
    records: int
    flaws: int
    packages: int
    set_aside: int
    sources: tuple[SourceItem, ...]
    feeds: tuple[FeedItem, ...]


class RunItem(Struct, frozen=True, kw_only=True):
    """One pull of a feed."""

    started: datetime
    ended: datetime | None
    result: str
    error: str
    size_bytes: int
    requests: int
    counts: dict[str, int]


class LeftOut(Struct, frozen=True):
    """Why documents of a feed were left out, and how many."""

    reason: str
    documents: int


class FeedDetail(Struct, frozen=True, kw_only=True):
    """One feed with its last pulls, newest first."""

    feed: FeedItem
    runs: tuple[RunItem, ...]
    left_out: tuple[LeftOut, ...]


class PullItem(Struct, frozen=True, kw_only=True):
    """How far a pull is. `state`: waiting, running, retrying, done, dead, cancelled; `code` of its last failure."""

    job: int
    state: str
    done: int | None
    total: int | None
    what: str
    failures: int
    code: str


class Pulling(Struct, frozen=True):
    """The job that pulls."""

    job: int


def meta_of(request: Request[Any, Any, Any]) -> Meta | None:
    """What the compiled table says of itself; None where there is none yet or it can't be read."""
    table = request.app.state.get("table")
    try:
        return None if table is None else table.current().meta
    except (ConfigError, IntegrityError):
        return None


def data_of(db: psycopg.Connection[Any], meta: Meta | None) -> Data:
    """The data as it stands."""
    late = {a.what: a.days for a in aged(meta, SystemClock().now().date()) if a.what != "advisories"}
    return Data(
        built=meta.built if meta else "",
        generation=meta.generation if meta else 0,
        kev=meta.kev if meta else "",
        epss=meta.epss if meta else "",
        ssvc=meta.ssvc if meta else False,
        kev_old_days=late.get("kev", 0),
        epss_old_days=late.get("epss", 0),
        records=meta.records if meta else 0,
        flaws=meta.flaws if meta else 0,
        packages=meta.packages if meta else 0,
        set_aside=aside_count(db),
        sources=source_items(meta),
        feeds=feed_items(db),
    )


def detail(db: psycopg.Connection[Any], name: str) -> FeedDetail:
    """One feed. Raises NotFoundError."""
    found = next((status for status in feeds.status(db) if status.name == name), None)
    if found is None:
        raise NotFoundError("no such feed", where=plain(name, 80))
    return FeedDetail(
        feed=feed_item(found),
        runs=tuple(
            RunItem(started=r.started, ended=r.ended, result=r.result, error=r.error, size_bytes=r.size_bytes,
                    requests=r.requests, counts=r.counts)
            for r in feeds.runs(db, name)
        ),
        left_out=tuple(LeftOut(reason, n) for reason, n in feeds.left_out(db, name)),
    )  # fmt: skip


def start_pull(db: psycopg.Connection[Any], name: str) -> int:
    """Starts a pull of a feed; the number of its job, whose progress is the caller's to see.

    Raises:
        NotFoundError: no such feed.
        ForbiddenError: the caller does not administer this installation.
    """
    detail(db, name)
    if not may_house(db):
        raise ForbiddenError(
            "feeds are pulled by who administers this installation",
            where=name,
            mend="ask one of its administrators",
        )
    return jobs.defer(db, "feeds.pull_now", {"feed": name}, once=f"feed/{name}")


def own_pull(db: psycopg.Connection[Any], job: int) -> jobs.Mine:
    """A pull that the caller started. Raises NotFoundError."""
    found = next((m for m in jobs.mine(db, job=job) if m.task == "feeds.pull_now"), None)
    if found is None:
        raise NotFoundError("no such pull of yours", where=f"pull/{job}")
    return found


def routes() -> ControllerRouterHandler:
    """The routes of this room's API for the signed-in."""

    @get(
        "/",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Sources and feeds, and how current each is",
        responses={**problems_of(*READ)},
    )
    def data(request: Request[Any, Any, Any]) -> Data:
        """What every answer rests on: what is loaded, how old it is, and about what silence says something."""
        with acting(request) as (db, _):
            return data_of(db, meta_of(request))

    @get(
        "/feeds/{name:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One feed with its last pulls",
        responses={**problems_of(*READ)},
    )
    def feed(request: Request[Any, Any, Any], name: FromPath[str]) -> FeedDetail:
        """Where it is fetched from is the operator's business, and not in it."""
        with acting(request) as (db, _):
            return detail(db, name)

    @get(
        paths("/set-aside"),
        opt=needs("administer"),
        sync_to_thread=True,
        operation_class=ASIDE.operation,
        summary="Records and files that could not be used",
        responses=ASIDE.responses,
    )
    def set_aside(request: Request[Any, Any, Any]) -> Response[bytes]:
        """For who administers this installation; empty for others: a reason may quote what it is about."""
        return unmarked(request, ASIDE)

    @post(
        "/feeds/{name:str}/pull",
        opt=needs("administer"),
        sync_to_thread=True,
        status_code=202,
        summary="Pull a feed now",
        responses={**gives(Pulling, *WRITE, status=202)},
    )
    def pull(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        """Starts a job; what is not sound replaces nothing."""
        with acting(request) as (db, me):
            return once(request, db, me, lambda: Made(record=Pulling(start_pull(db, name)), status=202))

    @get(
        "/pulls/{job:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="How far a pull of yours is",
        responses={**problems_of(*READ)},
    )
    def pulling(request: Request[Any, Any, Any], job: FromPath[int]) -> PullItem:
        """404 for a job that is no pull, or somebody else's."""
        with acting(request) as (db, _):
            found = own_pull(db, job)
        return PullItem(
            job=found.id, state=found.state, done=found.done, total=found.total, what=found.what,
            failures=found.failures, code=found.code,
        )  # fmt: skip

    return Router("/api/v1/data", route_handlers=[data, feed, set_aside, pull, pulling], tags=["data"])
