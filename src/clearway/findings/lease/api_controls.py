"""`/api/v1/leases/controls`: who has shown that a network or name is theirs, and what they say of being scanned."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import audiences, reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives
from clearway.http.threads import outside
from clearway.records.errors import ConflictError

from . import control, scope
from .at_desk import CONTROLS, home_of, looking, tools
from .control import Control
from .proof import Method, Place
from .rule import Stance

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

LOOKS_OUTSIDE = outside("proofs of control")


class ControlView(Control, frozen=True, kw_only=True):
    """A proof of control, with where its token belongs."""

    put: Place


class Controls(Struct, frozen=True, kw_only=True):
    """Proofs of control, the newest first, at most 500."""

    items: list[ControlView]


class NewControl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be proven, and how: a network, a host, *.name, a repository or a package."""

    scope: Annotated[str, Meta(min_length=1, max_length=300)]
    method: Method = "dns-txt"
    organisation: Annotated[str, Meta(max_length=100)] = ""


class Confirmed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows that it is theirs."""

    why: Annotated[str, Meta(min_length=1, max_length=500)]


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner says: `own` (who is authorised may scan), `refuse` (the opt-out), `cap` with `max_rate`."""

    stance: Stance
    max_rate: float | None = None
    authorised: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=200)] = ()


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/leases/controls",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Proofs of control",
        responses=gives(Controls, *READ),
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """One's own organisation's; for coordinators everybody's."""
        with reading(request) as (db, me, note):
            found = control.listed(db)
            note.listed(
                "lease-controls", "", audiences(db, "lease_control", "control", (one.id for one in found))
            )
        return etag.thing(request, Controls(items=[view(one) for one in found]), me, 0)

    @post(
        "/leases/controls",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=201,
        summary="Begin a proof of control",
        responses=gives(ControlView, *WRITE, status=201),
    )
    def begun(request: Request[Any, Any, Any], data: JSONBody[NewControl]) -> Response[bytes]:
        """`put` says where the token belongs. Needs the right to operate, to maintain or to submit."""
        key = tools(request).key

        def act(db: Db, me: Principal) -> Made:
            of = home_of(me, data.organisation, CONTROLS)
            return Made(record=view(control.begin(db, key, of, data.scope, data.method)))

        return done_once(request, act)

    @post(
        "/leases/controls/{number:int}/check",
        opt={**SIGNED_IN, **LOOKS_OUTSIDE},
        sync_to_thread=True,
        status_code=200,
        summary="Look for the proof",
        responses=gives(ControlView, *WRITE),
    )
    def checked(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """It counts for 90 days from then on; 409 when it is not there."""
        found, me = look(request, number)
        return etag.thing(request, view(found), me, 0)

    @post(
        "/leases/controls/{number:int}/confirmation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Confirm whose a package is",
        responses=gives(ControlView, *WRITE),
    )
    def confirmed(
        request: Request[Any, Any, Any], number: FromPath[int], data: JSONBody[Confirmed]
    ) -> Response[bytes]:
        """Of what is claimed by way of the desk, by a coordinator of another organisation; for a year."""
        clock = tools(request).clock

        def act(db: Db, me: Principal) -> Made:
            return Made(record=view(control.confirm(db, number, clock.now(), data.why)), status=200)

        return done_once(request, act)

    @post(
        "/leases/controls/{number:int}/stance",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Say who may scan",
        responses=gives(ControlView, *WRITE),
    )
    def said(request: Request[Any, Any, Any], number: FromPath[int], data: JSONBody[Said]) -> Response[bytes]:
        """Of what is proven; it takes the place of what was said before."""

        def act(db: Db, me: Principal) -> Made:
            found = control.say(db, number, data.stance, max_rate=data.max_rate, authorised=data.authorised)
            return Made(record=view(found), status=200)

        return done_once(request, act)

    @post(
        "/leases/controls/{number:int}/end",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="End a proof of control",
        responses=gives(ControlView, *WRITE),
    )
    def ended(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """And with it what it said; as it was."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=view(control.end(db, number)), status=200)

        return done_once(request, act)

    return [listed, begun, checked, confirmed, said, ended]


def view(found: Control) -> ControlView:
    """`found`, with where its token belongs."""
    return ControlView(**{name: getattr(found, name) for name in Control.__struct_fields__}, put=found.place)


def look(request: Request[Any, Any, Any], number: int) -> tuple[Control, Principal]:
    """Looks for a proof, outside of any transaction, and notes that it is there; the control, and who asked.

    Raises:
        NotFoundError, ForbiddenError: it is not there for the caller, or not the caller's.
        ConflictError: the proof is not where it belongs.
        TooManyRequestsError: the organisation has had its looks for now, or as many are going on as may.
        OutsideError: nobody could be asked.
    """
    desk = tools(request)
    with acting(request) as (db, me):
        found = control.one(db, number)
    with looking(desk, home_of(me, found.organisation, CONTROLS).org) as looker:
        holds = looker.holds(scope.parse(found.scope), found.method, found.token)
    if not holds:
        at = found.place
        raise ConflictError(
            "the proof is not there", where=at.name or at.url, mend=f"put {at.content} there, and look again"
        )
    with doorkeeper(request).pool.owner() as owner:
        return control.prove(owner, found, desk.clock.now().astimezone(UTC), by=me.person), me
