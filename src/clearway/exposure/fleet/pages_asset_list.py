"""*Assets*: the list of them, on a page and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get

from clearway.access.reading import as_file, reading
from clearway.http.acting import SIGNED_IN
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Table, page

from . import page_seen, support, unjudged
from .api_asset_list import ASSETS
from .page_asset_form import ENVIRONMENTS, EXPOSED
from .page_common import PAGE, table_or_none, today
from .support import support_chip

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

COLUMNS = (
    Column(key="name", label="Asset", sort="name", lead=True),
    Column(key="open", label="To do", number=True),
    Column(key="earliest", label="First due"),
    Column(key="exposure", label="Can be reached", term="exposure"),
    Column(key="environment", label="Environment"),
    Column(key="owner", label="Owner"),
    Column(key="kind", label="Kind", shown=False),
    Column(key="end_of_support", label="End of support", sort="end_of_support", shown=False),
    Column(key="components", label="Components", number=True),
    Column(key="inventoried", label="Last inventory", sort="added"),
    Column(key="marking", label="Marking", term="TLP", shown=False),
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/assets", opt=SIGNED_IN, **PAGE)
    def shown(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The list."""
        asked = ASSETS.asked(request)
        address = Address.of(request)
        with reading(request) as (db, me, note):
            found = ASSETS.read(db, me, asked, sealer(request))
            note.page(found)
            seen = page_seen.seen(db, found.auds)
            kept = [item.id for item in found.items if item.components]
            bare = unjudged.of_assets(db, table_or_none(request), kept, today())
        table = Table(
            id="assets",
            caption="Assets",
            columns=COLUMNS,
            rows=found.items,
            address=address,
            default_sort="name",
            next=found.next,
            noun="asset",
        )
        return page(
            request,
            "exposure/assets.html",
            tlp=seen.tlp,
            table=table,
            bare=bare,
            facets=_facets(me),
            seen=seen,
            may=me.may("operate"),
            none=not found.items and not asked.narrowed and not asked.cursor,
            exposed=EXPOSED,
            environments=ENVIRONMENTS,
            today=today(),
            support_of=lambda end: support_chip(end, today()),
        )

    @get(["/assets.json", "/assets.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        return as_file(request, ASSETS)

    return [shown, told]


def _facets(me: Principal) -> tuple[Facet, ...]:
    found = [
        Facet(
            name="exposure", label="Can be reached", choices=tuple(Choice(k, v) for k, v in EXPOSED.items())
        ),
        Facet(
            name="environment",
            label="Environment",
            choices=tuple(Choice(k, v) for k, v in ENVIRONMENTS.items()),
        ),
        Facet(name="edge", label="At the network's edge", choices=(Choice("yes", "Yes"), Choice("no", "No"))),
        Facet(
            name="support",
            label="Support",
            choices=tuple(Choice(k, v) for k, v in support.BUCKETS.items()),
        ),
        Facet(
            name="decommissioned", label="Decommissioned", choices=(Choice("yes", "Yes"), Choice("no", "No"))
        ),
    ]
    if len(me.memberships) > 1:
        mine = tuple(Choice(m.slug, m.name) for m in me.memberships)
        found.append(Facet(name="organisation", label="Organisation", choices=mine))
    return tuple(found)
