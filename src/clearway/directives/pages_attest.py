"""Attesting to the public addresses: every doubt and the whole list before the button."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import replace

from clearway.http.acting import PATIENT, acting, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Form, page

from .api_parts import named
from .kept import addresses, reports
from .kept.who import acting_in, now
from .pages_parts import PAGE, about, private
from .reports.provider import Provider, default_provider
from .reports.remediation import as_json

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from .attestation import AddressReport

MOST_DOUBTS = 100  # shown; the file has all of them
MOST_ADDRESSES = 500


class Shown(Struct, frozen=True, kw_only=True):
    """An inventory to be attested to. `seen` is the hash of all of it, also of what is not shown."""

    report: AddressReport
    names: dict[str, str]
    seen: str

    @property
    def doubts(self) -> int:
        return len(self.report.doubts)

    @property
    def added(self) -> frozenset[str]:
        return frozenset(self.report.added)


def seen_of(report: AddressReport) -> str:
    """The hash of what is attested to, whoever attests: SHA-256 in hexadecimal."""
    return hashlib.sha256(as_json(replace(report, attested=None))).hexdigest()


def handlers(provider: Provider | None = None) -> list[HTTPRouteHandler]:
    """The route of this file; assets come from `provider`, by default the kept fleet."""

    @get("/directives/{directive:str}/attestation", opt={**needs("operate"), **PATIENT}, **PAGE)
    def attestation(request: Request[Any, Any, Any], directive: FromPath[str]) -> Response[bytes]:
        """What somebody attests to, and the form."""
        return attesting(request, named(directive), Form(), provider)

    return [attestation]


def attesting(
    request: Request[Any, Any, Any], directive: str, form: Form, provider: Provider | None
) -> Response[bytes]:
    """The page. That the inventory was read is on the log."""
    with acting(request) as (db, me):
        home = looked_as(request, me)
        org = acting_in(db, me, home.slug if home else "", "operate")
        day = now(db).date()
        source = provider or default_provider()
        made: Any = reports.draft(db, source, org, "addresses", directive, day)
        names = {a.id: a.name for a in source.assets(db, org.org, day)} if made.doubts else {}
        todos = addresses.addressed_to(db, org.org, day)
        found = about(db, org, directive, day)
    return page(
        request,
        "directives/attest.html",
        status_code=422 if form.errors else 200,
        tlp=private(home) if home else None,
        about=found,
        home=home,
        shown=Shown(report=made, names=names, seen=seen_of(made)),
        form=form,
        todos=[t for t in todos if t.version.directive == directive],
        most_doubts=MOST_DOUBTS,
        most=MOST_ADDRESSES,
        today=day,
    )
