"""*Data sources*: what every answer rests on, how old it is, what is missing, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from clearway.http import csv_out, etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.listing import paths
from clearway.http.pages import Address, Column, Table, done, page
from clearway.http.whole import unmarked

from .api import data_of, detail, meta_of, own_pull, start_pull
from .api_lists import ASIDE, FeedItem, SourceItem, aside_count, feed_items, may_house, source_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import ControllerRouterHandler
    from msgspec import Struct

    from clearway.records.principal import Principal

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
_OVER = ("done", "dead", "cancelled")
FEEDS = (
    Column(key="name", label="Feed", lead=True),
    Column(key="state", label="State"),
    Column(key="reached", label="Last good", term="last good"),
    Column(key="newest", label="Newest"),
    Column(key="listed", label="Listed", number=True),
    Column(key="cure", label="What to do", wide=True),
)
SOURCES = (
    Column(key="title", label="Source", lead=True),
    Column(key="records", label="Records", number=True),
    Column(key="newest", label="Newest"),
    Column(key="received", label="Taken in"),
    Column(key="silence", label="Its silence", wide=True, term="coverage"),
    Column(key="licence", label="Licence"),
)
ASIDES = (
    Column(key="place", label="Place", lead=True, wide=True),
    Column(key="reason", label="Reason", wide=True),
    Column(key="received", label="When", sort="received"),
)


def when(text: str) -> datetime | None:
    """An ISO date or time of a record as an instant in UTC; None for "" and for what is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        return None


def routes() -> ControllerRouterHandler:
    """The routes of this room's pages."""

    # The tables' own addresses show the same page: each is where its columns are chosen, and where its files are.
    @get(["/data", "/data/feeds", "/data/sources"], opt=SIGNED_IN, **PAGE)
    def data(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Every source and feed."""
        meta = meta_of(request)
        with acting(request) as (db, _):
            found = data_of(db, meta)
            mine = may_house(db)
        bad = [feed for feed in found.feeds if feed.state != "current"]
        return page(
            request,
            "advisories/data.html",
            data=found,
            bad=bad,
            may=mine,
            built=when(found.built),
            when=when,
            feeds=Table(
                id="feeds", caption="Feeds", columns=FEEDS, rows=found.feeds, address=_own(request, "/data/feeds"),
                key="name", total=len(found.feeds), noun="feed",
            ),
            sources=Table(
                id="sources", caption="Sources", columns=SOURCES, rows=found.sources,
                address=_own(request, "/data/sources"), key="source", total=len(found.sources), noun="source",
            ),
        )  # fmt: skip

    @get(["/data.json", "/data.csv", "/data/sources.json", "/data/sources.csv"], opt=SIGNED_IN, **PAGE)
    def sources(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The sources as a file."""
        with acting(request) as (_, me):
            return _file(request, me, "sources", SourceItem, source_items(meta_of(request)))

    @get(["/data/feeds.json", "/data/feeds.csv"], opt=SIGNED_IN, **PAGE)
    def feeds(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The feeds as a file."""
        with acting(request) as (db, me):
            return _file(request, me, "feeds", FeedItem, feed_items(db))

    @get("/data/feeds/{name:str}", opt=SIGNED_IN, **PAGE)
    def feed(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        """One feed: what is wrong, its last pulls, and what of it was left out."""
        with acting(request) as (db, _):
            found = detail(db, name)
            mine = may_house(db)
        return page(request, "advisories/feed.html", feed=found.feed, detail=found, may=mine, when=when)

    @post("/data/feeds/{name:str}/pull", opt=needs("administer"), **PAGE)
    def pull(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        """Starts a pull, and shows how far it is."""
        with acting(request) as (db, _):
            job = start_pull(db, name)
        return done(
            request, f"/data/pulls/{job}", f"{name} is being pulled. What is not sound replaces nothing."
        )

    @get("/data/pulls/{job:int}", opt=SIGNED_IN, **PAGE)
    def pulling(request: Request[Any, Any, Any], job: FromPath[int]) -> Response[bytes]:
        """How far one's own pull is."""
        with acting(request) as (db, _):
            found = own_pull(db, job)
        return page(request, "advisories/pull.html", job=found, over=found.state in _OVER)

    @get(paths("/data/set-aside"), opt=SIGNED_IN, **PAGE)
    def set_aside(request: Request[Any, Any, Any]) -> Response[bytes]:
        """What could not be used, with its place and reason."""
        if request.url.path != "/data/set-aside":
            return unmarked(request, ASIDE)
        asked = ASIDE.asked(request)
        with acting(request) as (db, me):
            found = ASIDE.read(db, me, asked, sealer(request))
            total = aside_count(db)
            mine = may_house(db)
        return page(
            request,
            "advisories/set_aside.html",
            total=total,
            may=mine,
            table=Table(
                id="set-aside", caption="What was set aside", columns=ASIDES, rows=found.items,
                address=Address.of(request), next=found.next, noun="record", default_sort="-received",
            ),
        )  # fmt: skip

    return Router(
        "/", route_handlers=[data, sources, feeds, feed, pull, pulling, set_aside], include_in_schema=False
    )


def _own(request: Request[Any, Any, Any], path: str) -> Address:
    """A table's address: with what was chosen of it when it is the one asked for."""
    asked = Address.of(request)
    return asked if asked.path == path else Address(path)


def _file(
    request: Request[Any, Any, Any], me: Principal, name: str, kind: type[Struct], items: Sequence[Struct]
) -> Response[bytes]:
    """All of a short list, as JSON or CSV by the path's ending."""
    if not request.url.path.endswith(".csv"):
        return etag.response(
            request, msgspec.json.encode({"items": items, "next": None}), me, "application/json", {}
        )
    fields = kind.__struct_fields__
    body = csv_out.table(fields, ([getattr(item, field) for field in fields] for item in items))
    return etag.response(
        request, body, me, csv_out.MEDIA_TYPE, {"content-disposition": f'attachment; filename="{name}.csv"'}
    )
