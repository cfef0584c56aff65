"""*This week*, which is also the start page of whoever is signed in; and the start page of everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.response import Redirect

from clearway.access.reading import reading
from clearway.directives.outlook import support_words
from clearway.http.acting import PATIENT, SIGNED_IN, viewer
from clearway.http.guard import PUBLIC
from clearway.http.organisation import looked_as
from clearway.http.pages import page

from . import api_week, page_seen, page_week
from .page_common import PAGE, table_or_none, today

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_NUMBERS = ("Nothing", "One thing", "Two things", "Three things")


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/", opt=PUBLIC, **PAGE)
    def start(request: Request[Any, Any, Any]) -> Response[bytes] | Redirect:
        """Leads the signed-in to their week, and tells everybody else what this is."""
        if viewer(request) is not None:
            return Redirect("/this-week", status_code=303)
        return page(request, "exposure/start.html")

    @get("/this-week", opt=SIGNED_IN, **PAGE)
    def this_week(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The three things to do, and what else there is."""
        table = table_or_none(request)
        with reading(request) as (db, me, note):
            home = looked_as(request, me)
            found = page_week.read(db, today(), home.org if home else None, table)
            note.listed("week", api_week.question(home), found.auds)
            seen = page_seen.seen(db, found.auds)
        return page(
            request,
            "exposure/week.html",
            tlp=seen.tlp,
            week=found,
            seen=seen,
            support_words=support_words,
            heading=_NUMBERS[len(found.steps)],
            home=home,
            no_table=table is None,
            sources=len(table.meta.sources) if table is not None else 0,
            may=me.may("operate", home.org if home else None),
        )

    @get("/this-week.json", opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same for programs, as `/api/v1/week` tells it."""
        return api_week.answer(request, "")

    @get("/this-week/rest", opt={**SIGNED_IN, **PATIENT}, **PAGE)
    def rest(request: Request[Any, Any, Any]) -> Response[bytes]:
        """What nothing loaded speaks of: asked for after the page, since it looks through what every asset holds."""
        table = table_or_none(request)
        with reading(request) as (db, me, note):
            home = looked_as(request, me)
            found = page_week.rest(db, home.org if home else None, table)
            note.counted("week-rest", api_week.question(home), found.auds)
        return page(request, "exposure/week_rest.html", fragment="rest", rest=found)

    return [start, this_week, told, rest]
