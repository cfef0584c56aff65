"""*Cases* and *Reports that wait for you*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from clearway.access.reading import as_file, audiences, reading
from clearway.http.acting import SIGNED_IN, needs
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Table, Tlp, page

from . import party
from .api_cases import CASES
from .pages_parts import EMS, PAGE, RMS, SHOWN, start

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_R = Request[Any, Any, Any]
COLUMNS = (
    Column(key="title", label="Case", lead=True, wide=True),
    Column(key="handling", label="Handling id"),
    Column(key="package", label="Product"),
    Column(key="embargo", label="Embargo"),
    Column(key="until", label="Agreed to end", sort="until"),
    Column(key="opened", label="Opened", sort="opened"),
    Column(key="changed", label="Changed", sort="changed", shown=False),
    Column(key="cve", label="CVE", shown=False),
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/cases", opt=SIGNED_IN, **PAGE)
    def listed(request: _R) -> Response[bytes]:
        """The list."""
        asked = CASES.asked(request)
        with reading(request) as (db, me, note):
            found = CASES.read(db, me, asked, sealer(request))
            note.page(found)
        return page(
            request,
            "findings/case/list.html",
            tlp=Tlp("RED", "each case is for its parties and the coordinators") if found.items else None,
            table=Table(
                id="cases", caption="Cases", columns=COLUMNS, rows=found.items, key="handling", noun="case",
                address=Address.of(request), next=found.next, default_sort="until",
            ),
            facets=[
                Facet(name="embargo", label="Embargo", choices=tuple(Choice(value=k, label=v) for k, v in EMS.items())),
                Facet(
                    name="closed",
                    label="Closed",
                    choices=(Choice(value="no", label="Open"), Choice(value="yes", label="Closed")),
                ),
            ],
            ems=EMS,
            nothing=not found.items and not asked.narrowed and not asked.cursor,
        )  # fmt: skip

    @get(["/cases.json", "/cases.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: _R) -> Response[bytes]:
        """The same list for programs."""
        return as_file(request, CASES)

    @get("/cases/mine", opt=needs("maintain"), **PAGE)
    def mine(request: _R) -> Response[bytes]:
        """A maintainer's queue."""
        with reading(request) as (db, me, note):
            rows = party.queue_of(db, me.orgs("maintain"))
            note.listed("cases-mine", "", audiences(db, "case_party", "party", (q.party.id for q in rows)))
        tlp = Tlp("RED", "under embargo: for the parties of each case") if rows else None
        first = start(Address.of(request).get("from"), len(rows))
        return page(
            request,
            "findings/case/mine.html",
            tlp=tlp,
            rows=rows[first : first + SHOWN],
            waiting=len(rows),
            first=first,
            after=first + SHOWN if first + SHOWN < len(rows) else None,
            rms=RMS,
        )

    return [listed, told, mine]
