"""The lists of *Settings* as files at the addresses of their pages: the API's lists, narrowed to one organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from clearway.http.acting import SIGNED_IN
from clearway.http.listing import Listing, files
from clearway.http.whole import unmarked
from clearway.store.keyset import Condition

from .api_approvals import APPROVALS
from .api_embargoes import EMBARGOES, tell
from .api_organisations import ORGANISATIONS
from .api_people import MEMBERS
from .api_recipients import LISTS
from .pages_parts import PAGE, Place, place
from .reading import as_file

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(files("/settings"), opt=SIGNED_IN, **PAGE)
    def people(request: _R) -> Response[bytes]:
        """The people of an organisation."""
        return _told(request, MEMBERS, "person")

    @get(files("/settings/services"), opt=SIGNED_IN, **PAGE)
    def services(request: _R) -> Response[bytes]:
        """Its services."""
        return _told(request, MEMBERS, "service")

    @get(files("/settings/organisations"), opt=SIGNED_IN, **PAGE)
    def organisations(request: _R) -> Response[bytes]:
        """Every organisation here."""
        return _told(request, ORGANISATIONS)

    @get(files("/settings/lists"), opt=SIGNED_IN, **PAGE)
    def lists(request: _R) -> Response[bytes]:
        """The recipient lists of an organisation."""
        return _told(request, LISTS)

    @get(files("/settings/embargoes"), opt=SIGNED_IN, **PAGE)
    def embargoes(request: _R) -> Response[bytes]:
        """The embargoes that the reader may know of, whoever keeps them."""
        return as_file(request, EMBARGOES, tell=tell)

    @get(files("/settings/approvals"), opt=SIGNED_IN, **PAGE)
    def approvals(request: _R) -> Response[bytes]:
        """What takes two people in an organisation."""
        return _told(request, APPROVALS)

    return [people, services, organisations, lists, embargoes, approvals]


def _told(request: _R, listing: Listing[Any], kind: str = "") -> Response[bytes]:
    def here(db: Db, me: Principal, _: None) -> list[Condition]:
        return _conditions(listing, place(request, db, me), kind)

    return unmarked(request, listing, within=here)


def _conditions(listing: Listing[Any], where: Place, kind: str) -> list[Condition]:
    here = where.here.org
    if listing is MEMBERS:
        return [Condition("m.in_org = %s", here), Condition("p.kind = %s", kind)]
    if listing is LISTS:
        return [Condition("l.org = %s", here)]
    if listing is APPROVALS:
        return [Condition("a.org = %s", here)]
    return []
