"""The gallery: an application of pages that shows every component, with a viewer, forms and live events.

python tests/browser/gallery_app.py         prints its address and serves until it is ended
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader
from litestar import Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Stream

from clearway.http import csrf, health
from clearway.http.application import Application, application
from clearway.http.guard import PUBLIC
from clearway.http.pages import (
    Address,
    Choice,
    Column,
    Facet,
    Form,
    Nav,
    Organisation,
    Pages,
    Table,
    Tlp,
    Viewer,
    done,
    page,
    plot,
)
from clearway.records.clock import FixedClock
from clearway.records.errors import UpstreamError

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 11, 23, 21, 40, tzinfo=UTC)
KEY = "0123456789abcdef" * 4
VIEWER = Viewer(
    name="A. Nurse",
    organisations=(Organisation("riverside", "Riverside Hospital"), Organisation("north", "North Clinic")),
    current="riverside",
    rights=frozenset(("read", "operate")),
    time_zone="Europe/Paris",
    session_key=KEY,
)
COLUMNS = (
    Column(key="due", label="Due", sort="due", lead=True),
    Column(key="flaw", label="Flaw", sort="flaw"),
    Column(key="component", label="Component", wide=True),
    Column(key="tier", label="Tier", term="tier"),
    Column(key="machines", label="Machines", sort="machines", number=True),
    Column(key="tlp", label="Marking", term="TLP"),
    Column(key="owner", label="Owner", shown=False),
)
_TIERS = ("3DF", "3D", "14D", "60D", "FSU")
_LABELS = ("CLEAR", "GREEN", "AMBER", "RED", "AMBER+STRICT")


def rows(hostile: str, amount: int = 12) -> list[dict[str, Any]]:
    """Exposures as they could be."""
    return [
        {
            "id": f"x{i}",
            "flaw": f"CVE-2026-{20253 + i * 7}",
            "component": hostile or f"pkg:deb/debian/openssl@3.0.{i}-1~deb12u2",
            "due": date(2026, 11, 21) + timedelta(days=i * 2),
            "tier": _TIERS[i % 5],
            "machines": 2 + i * 311,
            "tlp": _LABELS[i % 5],
            "owner": hostile or "Ward 3",
        }
        for i in range(amount)
    ]


def table(address: Address) -> Table:
    return Table(
        id="due-list",
        caption=address.get("hostile") or "Exposures",
        columns=COLUMNS,
        rows=rows(address.get("hostile")) if address.get("q") != "nothing" else [],
        address=address,
        default_sort="due",
        next="b" if not address.get("cursor") else "",
        total=31,
        noun="exposure",
        selectable=True,
    )


FACETS = (
    Facet(
        name="tier",
        label="Tier",
        term="tier",
        choices=(Choice("3D", "3 days", 2), Choice("14D", "14 days", 1204), Choice("60D", "60 days", 18)),
    ),
    Facet(
        name="exposure",
        label="Exposure",
        choices=(Choice("public", "Public", 3), Choice("internal", "Internal")),
    ),
)
DAYS = [date(2026, 10, 25) + timedelta(days=i) for i in range(30)]


def burn_down(hostile: str) -> plot.Drawn:
    due, overdue = [60 - i * 1.5 // 1 for i in range(30)], [12 - i // 3 for i in range(30)]
    title = hostile or "Open exposures, the last 30 days"
    return plot.lines(title, DAYS, {hostile or "Due": due, "Overdue": overdue}, steps=True)


def timeline(hostile: str) -> plot.Drawn:
    events = [
        plot.Happened(date(2026, 6, 2), "reported"),
        plot.Happened(date(2026, 6, 9), "fix", "good"),
        plot.Happened(date(2026, 6, 18), "in KEV", "overdue"),
        plot.Happened(date(2026, 6, 20), "proof public", "soon"),
        plot.Happened(date(2026, 11, 21), "you: found"),
        plot.Happened(date(2026, 11, 26), hostile or "due", "overdue"),
    ]
    return plot.timeline(hostile or "What happened, and when", events, NOW)


WRONG = Form({"name": "", "reason": "</textarea><script>1</script>"}, {"name": "Say how your people call it"})


def look(request: Request[Any, Any, Any]) -> None:
    if request.query_params.get("who") != "nobody":
        request.state.viewer = VIEWER


@get("/gallery", opt=PUBLIC, sync_to_thread=True)
def gallery(request: Request[Any, Any, Any]) -> Response[bytes]:
    look(request)
    address = Address.of(request)
    hostile = address.get("hostile")
    return page(
        request,
        "gallery/gallery.html",
        tlp=Tlp("GREEN", hostile or "until 1 Dec, then CLEAR") if address.get("marked") else None,
        table=table(address),
        facets=FACETS,
        due=date(2026, 11, 26),
        past=date(2026, 6, 18),
        seen=NOW - timedelta(hours=2),
        hostile=hostile,
        burn_down=burn_down(hostile),
        timeline=timeline(hostile),
        form=WRONG if address.get("wrong") else Form({"reason": hostile, "name": hostile}),
    )


@get("/", opt=PUBLIC, sync_to_thread=True)
def start(request: Request[Any, Any, Any]) -> Response[bytes]:
    look(request)
    return page(request, "gallery/answer.html", said="start")


@post("/act", opt=PUBLIC)
async def act(request: Request[Any, Any, Any]) -> Response[bytes]:
    look(request)
    await csrf.check(request, KEY)
    if request.headers.get("hx-request"):
        return page(request, "gallery/answer.html", said="done by htmx")
    form = await request.form()
    words = f"{', '.join(form.getall('id', [])) or 'All'}: {form.get('act')}"
    return done(request, "/gallery", words, undo="/act", fields={"act": "undone"})


@post("/fails", opt=PUBLIC)
async def fails() -> None:
    raise UpstreamError("gone", mend="look after it")


@get("/api/v1/events/live", opt=PUBLIC)
async def events(
    request: Request[Any, Any, Any], after: FromQuery[str] = "", kind: FromQuery[tuple[str, ...]] = ()
) -> Stream:
    """Two events at once; a reader that comes again gets what is after its last one, and the stream ends."""
    last = int(request.headers.get("last-event-id") or after or 0)

    async def told() -> AsyncIterator[str]:
        yield "retry: 200\n\n"
        for number in range(last + 1, min(last + 2, 22) + 1):
            yield f"id: {number}\ndata: {{}}\n\n"

    return Stream(told(), media_type="text/event-stream")


@get("/search.json", opt=PUBLIC, sync_to_thread=False)
def nothing_found() -> dict[str, Any]:
    return {"query": "", "exact": "", "groups": []}


@get("/later", opt=PUBLIC, sync_to_thread=True)
def later(request: Request[Any, Any, Any]) -> Response[bytes]:
    look(request)
    return page(request, "gallery/later.html")


@get("/closed")
async def closed() -> None:
    """A route that says nothing of who may reach it."""


@get("/live", opt=PUBLIC, sync_to_thread=True)
def live(request: Request[Any, Any, Any]) -> Response[bytes]:
    look(request)
    return page(request, "gallery/live.html")


def application_of_the_gallery() -> Application:
    pages = Pages(
        loaders={"gallery": FileSystemLoader(HERE / "gallery")},
        navigation=[Nav("This week", "/"), Nav("Gallery", "/gallery"), Nav("Audit", "/audit", "audit")],
        account=[Nav("Settings", "/settings", "signed-in"), Nav("Sign out", "/act", "signed-in", post=True)],
        search="/search",
        sign_in="/sign-in",
        data_as_of=lambda: NOW - timedelta(hours=2),
        clock=FixedClock(NOW),
    )
    return application(
        [health.routes({}), gallery, start, act, fails, closed, later, nothing_found, events, live],
        pages=pages,
    )


def main() -> None:
    from clearway.app import server

    server.run(
        application_of_the_gallery(),
        "127.0.0.1",
        server._free_port("127.0.0.1", 0),
        lambda url: print(url, flush=True),
    )


if __name__ == "__main__":
    main()
