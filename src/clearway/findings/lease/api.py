"""`/api/v1/leases`: ask before a scan, renew, give back; "is this scan yours?"; proofs of control."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import as_file, audiences, reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.listing import paths
from clearway.http.openapi import READ, WRITE, gives

from ..named import ReferenceText
from . import ask, hold, whose
from .api_controls import handlers as controls
from .ask import Answer, Asking
from .at_desk import READS, SCANS, home_of, tools
from .hold import Lease
from .listing import LEASES
from .whose import Whose

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

Slug = Annotated[str, Meta(max_length=100)]


class LeaseRequest(Asking, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody is about to do, and for which of their organisations ("" for the only one)."""

    organisation: Slug = ""


class Renewal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds a lease for another while. `fence` is the token that the lease came with."""

    fence: int
    ttl_s: int | None = None


class WhoseRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scan that somebody sees: the address it comes from, when (null is now), and what it reaches."""

    source: Annotated[str, Meta(max_length=100)]
    target: Annotated[str, Meta(max_length=1_000)]
    at: datetime | None = None
    organisation: Slug = ""


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router("/api/v1", route_handlers=[*_handlers(), *controls()], tags=["leases"])


def _handlers() -> list[HTTPRouteHandler]:
    @get(
        paths("/leases"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=LEASES.operation,
        summary="Scan leases",
        responses=LEASES.responses,
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """One's own organisation's; for coordinators everybody's, sealed ones without their scope."""
        return as_file(request, LEASES)

    @post(
        "/leases",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Ask before a scan",
        responses={**gives(Answer, *WRITE), **gives(Answer, status=201)},
    )
    def asked_for(request: Request[Any, Any, Any], data: JSONBody[LeaseRequest]) -> Response[bytes]:
        """201 with a lease for `go` and `share`; 200 for `wait`, `refused` and `known`, which keep nothing.

        Needs the right to submit or to operate.
        """
        desk = tools(request)
        state = request.app.state.get("table")
        table = state.current() if data.about and state is not None else None

        def act(db: Db, me: Principal) -> Made:
            answer = ask.ask(
                db, desk.key, home_of(me, data.organisation, SCANS), data, table=table, clock=desk.clock
            )
            if answer.lease is None:
                return Made(record=answer, status=200)
            return Made(record=answer, location=f"/api/v1/leases/{answer.lease.reference}")

        return done_once(request, act)

    @post(
        "/leases/whose",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Is this scan yours?",
        responses=gives(Whose, *WRITE),
    )
    def is_it_ours(request: Request[Any, Any, Any], data: JSONBody[WhoseRequest]) -> Response[bytes]:
        """`ours`, `claimed` or `withdrawn` with a reference; `not-ours` (to who controls the target); or `unknown`.

        On the log.
        """
        desk = tools(request)

        def act(db: Db, me: Principal) -> Made:
            of = home_of(me, data.organisation, READS)
            found = whose.whose(db, desk.key, of, data.source, data.at, data.target, clock=desk.clock)
            return Made(record=found, status=200)

        return done_once(request, act)

    @get(
        "/leases/{reference:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One lease",
        responses=gives(Lease, *READ),
    )
    def one(request: Request[Any, Any, Any], reference: FromPath[ReferenceText]) -> Response[bytes]:
        """Its scope, its window and its fencing token."""
        with reading(request) as (db, me, note):
            found = hold.one(db, reference)
            note(hold.subject(found.reference), audiences(db, "lease", "reference", [found.reference]))
        return etag.thing(request, found, me, found.version)

    @post(
        "/leases/{reference:str}/renewal",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Renew a lease",
        responses=gives(Lease, *WRITE),
    )
    def renewed(
        request: Request[Any, Any, Any], reference: FromPath[ReferenceText], data: JSONBody[Renewal]
    ) -> Response[bytes]:
        """409 once it is over: what it covered may be another's by then."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=hold.renew(db, reference, data.fence, data.ttl_s), status=200)

        return done_once(request, act)

    @post(
        "/leases/{reference:str}/release",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Give a lease back",
        responses=gives(Lease, *WRITE),
    )
    def released(request: Request[Any, Any, Any], reference: FromPath[ReferenceText]) -> Response[bytes]:
        """Before its end; the same again for one that is over. A coordinator may give back anybody's."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=hold.release(db, reference), status=200)

        return done_once(request, act)

    return [listed, asked_for, is_it_ours, one, renewed, released]
