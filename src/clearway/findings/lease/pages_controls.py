"""*Proofs of control*: what one's organisation has shown to be its own, and what it says of being scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.access.reading import audiences, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError, OutsideError

from . import control
from .api_controls import LOOKS_OUTSIDE, look
from .at_desk import CONTROLS, home_of, tools
from .proof import METHODS, Method
from .rule import Stance

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
_FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
_AT = "/leases/controls"


class Beginning(Struct, frozen=True):
    """The form that begins a proof."""

    scope: str = ""
    method: str = "dns-txt"
    organisation: str = ""


class Confirming(Struct, frozen=True):
    """The form of a coordinator who confirms."""

    why: str = ""


class Saying(Struct, frozen=True):
    """The form of what an owner says; organisations by slug, with spaces or one a line."""

    stance: str = "own"
    max_rate: str = ""
    authorised: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(_AT, opt=SIGNED_IN, **_PAGE)
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The list, and the form."""
        return _shown(request, Form())

    @post(_AT, opt=SIGNED_IN, **_PAGE)
    def begun(request: Request[Any, Any, Any], data: Annotated[Beginning, _FORM]) -> Response[bytes]:
        """Begins a proof."""
        values = {"scope": data.scope[:300], "method": data.method[:20]}
        key = tools(request).key
        try:
            with acting(request) as (db, me):
                of = home_of(me, data.organisation, CONTROLS)
                method: Method = next((m for m in METHODS if m == data.method), "dns-txt")
                made = control.begin(db, key, of, data.scope, method)
        except (InputError, ForbiddenError, ConflictError) as error:
            field = error.where if error.where in values else ""
            return _shown(request, Form(values, {field: str(error) if not field else error.what}))
        if method == "desk":
            return done(request, _AT, f"A coordinator is to confirm that {made.scope} is yours.")
        return done(request, _AT, f"Put the token for {made.scope} where the list says, then look for it.")

    @post(_AT + "/{number:int}/check", opt={**SIGNED_IN, **LOOKS_OUTSIDE}, **_PAGE)
    def checked(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Looks for the proof."""
        try:
            found, _ = look(request, number)
        except ConflictError as error:
            return _shown(request, Form({}, {"": str(error)}))
        except OutsideError as error:
            return _shown(request, Form({}, {"": f"{error.where}: {error.for_strangers()}"}))
        return done(request, _AT, f"{found.scope} is proven.")

    @post(_AT + "/{number:int}/confirmation", opt=needs("coordinate"), **_PAGE)
    def confirmed(
        request: Request[Any, Any, Any], number: FromPath[int], data: Annotated[Confirming, _FORM]
    ) -> Response[bytes]:
        """Says that a package is theirs."""
        try:
            with acting(request) as (db, _):
                found = control.confirm(db, number, tools(request).clock.now(), data.why[:500])
        except (InputError, ConflictError, ForbiddenError) as error:
            return _shown(request, Form({}, {"": str(error)}))
        return done(request, _AT, f"{found.scope} is {found.organisation}'s, by your word.")

    @post(_AT + "/{number:int}/stance", opt=SIGNED_IN, **_PAGE)
    def said(
        request: Request[Any, Any, Any], number: FromPath[int], data: Annotated[Saying, _FORM]
    ) -> Response[bytes]:
        """Says who may scan."""
        stance: Stance = "refuse" if data.stance == "refuse" else "cap" if data.stance == "cap" else "own"
        typed = data.max_rate.strip()
        try:
            if typed and not (typed.isascii() and typed.replace(".", "", 1).isdigit() and len(typed) < 12):
                raise InputError("a number is wanted", where="max_rate")
            rate = float(typed) if typed and stance == "cap" else None
            with acting(request) as (db, _):
                found = control.say(
                    db, number, stance, max_rate=rate, authorised=data.authorised[:20_000].split()
                )
        except (InputError, ConflictError) as error:
            return _shown(request, Form({}, {"": str(error)}))
        return done(request, _AT, f"Noted for {found.scope}.")

    @post(_AT + "/{number:int}/end", opt=SIGNED_IN, **_PAGE)
    def ended(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Ends a proof."""
        with acting(request) as (db, _):
            control.end(db, number)
        return done(request, _AT, "The proof is ended, and what it said.")

    return [listed, begun, checked, confirmed, said, ended]


def _shown(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    with reading(request) as (db, me, note):
        found = control.listed(db)
        note.listed(
            "lease-controls", "", audiences(db, "lease_control", "control", (one.id for one in found))
        )
        confirmable = control.confirmable(db, found) if me.desk else set()
        mine = [m for m in me.memberships if set(CONTROLS) & set(m.rights)]
    now = tools(request).clock.now()
    return page(
        request,
        "findings/lease/controls.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("AMBER+STRICT", "for the organisation that shows it and the coordinators") if found else None,
        controls=found,
        standing={one.id for one in found if one.expires is not None and one.expires > now},
        form=form,
        mine=mine,
        own={m.slug for m in mine},
        methods=[
            ("dns-txt", "A TXT record"),
            ("well-known", "A file on the web server"),
            ("repository-file", "A file in the repository"),
            ("desk", "A coordinator confirms it"),
        ],
        desk=me.desk,
        confirmable=confirmable,
        stances=[
            ("own", "Only who is authorised"),
            ("refuse", "Nobody else: an opt-out"),
            ("cap", "At most this rate"),
        ],
    )
