"""*Duplicates*: the pairs that wait for a coordinator, the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from clearway.access.reading import as_file, reading
from clearway.http.acting import needs
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Table, Tlp, page

from . import pairs
from .words import BASES, VERDICTS

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
COLUMNS = (
    Column(key="pair", label="Findings", lead=True, wide=True),
    Column(key="verdict", label="What is said"),
    Column(key="reason", label="Why", wide=True),
    Column(key="score", label="Likelihood", sort="score", number=True),
    Column(key="package", label="Product", sort="package"),
    Column(key="levels", label="Evidence", term="evidence level"),
    Column(key="at", label="Since", sort="at"),
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/duplicates", opt=needs("coordinate"), **_PAGE)
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The list."""
        asked = pairs.PAIRS.asked(request)
        with reading(request) as (db, me, note):
            found = pairs.PAIRS.read(db, me, asked, sealer(request))
            note.page(found)
        return page(
            request,
            "findings/dedup/pairs.html",
            tlp=Tlp("AMBER+STRICT", "for the coordinators") if found.items else None,
            table=Table(
                id="pairs", caption="Pairs that wait", columns=COLUMNS, rows=found.items, key="edge", noun="pair",
                address=Address.of(request), next=found.next, default_sort="-score",
            ),
            facets=[
                Facet(name="verdict", label="What is said", choices=tuple(
                    Choice(value=v, label=VERDICTS[v].capitalize()) for v in pairs.VERDICTS)),
                Facet(name="basis", label="By what", choices=tuple(
                    Choice(value=b, label=BASES[b].capitalize()) for b in pairs.BASES)),
            ],
            verdicts=VERDICTS,
            bases=BASES,
            nothing=not found.items and not asked.narrowed and not asked.cursor,
        )  # fmt: skip

    @get(["/findings/duplicates.json", "/findings/duplicates.csv"], opt=needs("coordinate"), **_PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        return as_file(request, pairs.PAIRS)

    return [listed, told]
