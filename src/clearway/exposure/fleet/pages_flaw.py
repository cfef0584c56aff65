"""*Flaw*: the sources side by side, where they disagree, dated evidence, and the reader's own assets that have it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting
from clearway.http.pages import Form, page, plot
from clearway.records.errors import NotFoundError
from clearway.records.text import plain

from . import page_flaw, page_seen
from .page_common import PAGE, table_or_none, today

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.handlers import HTTPRouteHandler

    from .listing import ExposureLine


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/flaws", opt=SIGNED_IN, **PAGE)
    def find(request: Request[Any, Any, Any], id: FromQuery[str] = "") -> Response[bytes] | Redirect:
        """Leads to a flaw by any of its names."""
        asked = id.strip()[:200]
        if asked:
            try:
                with acting(request) as (db, _):
                    found = page_flaw.read(db, table_or_none(request), asked, today())
                return Redirect(f"/flaws/{quote(found.id, safe='')}", status_code=303)
            except NotFoundError:
                form = Form({"id": asked}, {"id": f"no loaded source names {plain(asked, 80)}"})
                return page(request, "exposure/flaw_find.html", status_code=404, form=form)
        return page(request, "exposure/flaw_find.html", form=Form())

    @get("/flaws/{flaw:str}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], flaw: FromPath[str]) -> Response[bytes] | Redirect:
        """One flaw; a former id or an alias leads to the present one."""
        table = table_or_none(request)
        with reading(request) as (db, me, note):
            found = page_flaw.read(db, table, flaw[:200], today())
            if found.id != flaw:
                return Redirect(f"/flaws/{quote(found.id, safe='')}", status_code=303)
            seen = page_seen.seen(db, (line.aud for line in found.affected.lines))
            note(f"flaw/{found.id[:300]}", page_flaw.audiences(db, found))
        site = request.app.state.pages
        drawn = plot.timeline("Dated evidence", found.events, site.clock.now()) if found.events else None
        return page(
            request,
            "exposure/flaw.html",
            tlp=seen.tlp,
            flaw=found,
            said=found.said,
            seen=seen,
            drawn=drawn,
            kev_since=_kev_since(found),
            assets=found.affected.assets,
            may=me.may("operate"),
            first=_first(found.affected.lines),
            done=sum(line.status != "open" for line in found.affected.lines),
        )

    return [find, one]


def _first(lines: Sequence[ExposureLine]) -> ExposureLine | None:
    """What the headline speaks of: the open one that is due first, else the first of those that are done.

    One that could not be judged only where there is no other.
    """
    known = [line for line in lines if line.verdict == "affected"] or lines
    still = [line for line in known if line.status == "open"]
    return min(still, key=lambda line: line.due or date.max) if still else next(iter(known), None)


def _kev_since(found: page_flaw.FlawPage) -> date | None:
    listed = found.said["kev"] if found.said is not None else None
    return date.fromisoformat(listed["date_added"]) if listed else None
