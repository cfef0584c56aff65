"""`/api/v1/embargoes`: what is held back, who is a party to it, and how it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, needs
from clearway.http.acts import changed, done_once
from clearway.http.filters import flag
from clearway.http.filters import number as whole
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.records.errors import InputError
from clearway.store.keyset import Column, Condition, Source

from . import embargo, recipients
from .api_parts import Number, Why, must, number
from .api_recipients import RECIPIENTS, NewList
from .embargo import Embargo
from .reading import Note, as_file, reading

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.http.listing import Page
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
_COORDINATE = needs("coordinate")


class PartyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a person or a whole organisation a party to the embargo, or no longer one."""

    person: Number | None = None
    org: Number | None = None
    party: bool = True


class Arming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the embargo is to end by itself, null for never, and whether public exploitation ends it before."""

    until: datetime | None
    on_exploitation: bool = False


class FlawChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Says that the embargo is about a flaw, or no longer."""

    flaw: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{2,99}$")]
    about: bool = True


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it ends now."""

    why: Annotated[Why, Meta(min_length=1)]


EMBARGOES = Listing(
    "embargoes",
    Embargo,
    Source(
        "e.embargo, e.uid::text as uid, e.name, e.org, e.list as recipients, e.until, e.on_exploitation, "
        f"{embargo.FLAWS} as flaws, {embargo.LISTED} as listed, e.frozen, e.ended_by, e.ended_at, e.version",
        "clearway.embargo e",
    ),
    sorts={
        "embargo": Column("e.embargo", "int"),
        "until": Column("coalesce(e.until, 'infinity')", "timestamptz"),
        "name": Column("lower(e.name)"),
    },
    tie=Column("e.embargo", "int"),
    default="until",
    filters={
        "org": whole("e.org = any(%s)", least=1),
        "ended": flag("(e.ended_by is not null) = any(%s)"),
        "frozen": flag("(e.frozen <> '') = any(%s)"),
    },
)


def tell(db: Db, note: Note, found: Page[Embargo]) -> None:
    """That these embargoes are read."""
    note.listed(found.name, found.asked.query(), embargo.audiences(db, found.items))


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/embargoes"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Embargoes that you keep or are a party to",
        operation_class=EMBARGOES.operation,
        responses=EMBARGOES.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        return as_file(request, EMBARGOES, tell=tell)

    @post(
        "/embargoes",
        opt=_COORDINATE,
        sync_to_thread=True,
        summary="Add an embargo",
        responses=gives(Embargo, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewList]) -> Response[bytes]:
        """Without parties yet: add them, then arm it."""

        def act(db: Db, me: Principal) -> Made:
            must(me, "coordinate", data.org, "org")
            made = embargo.add(db, data.org, data.name)
            return Made(record=made, location=f"{PREFIX}/embargoes/{made.embargo}")

        return done_once(request, act)

    @get(
        "/embargoes/{which:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One embargo",
        responses=gives(Embargo, *READ),
    )
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        with reading(request) as (db, me, note):
            found = embargo.one(db, number(which))
            note(f"embargo/{found.uid}", embargo.audiences(db, [found]))
        return etag.thing(request, found, me, found.version)

    @patch(
        "/embargoes/{which:int}",
        opt=_COORDINATE,
        sync_to_thread=True,
        summary="Arm an embargo, or disarm it: say when it ends",
        responses=gives(Embargo, *WRITE),
    )
    def arm(request: _R, which: FromPath[int], data: JSONBody[Arming]) -> Response[bytes]:
        """A job ends it then, if the clock can be believed; else it is frozen, and a coordinator decides.

        With `until` null no clock ends it, and without `on_exploitation` besides nothing but a coordinator does.
        """

        def act(db: Db, me: Principal, expected: Expected) -> tuple[Embargo, int]:
            kept = embargo.one(db, number(which))
            must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
            # The application may not lock the row itself: two that arm it at once wait for each other here.
            db.execute(
                "select pg_advisory_xact_lock(hashtextextended('embargo/' || %s::text, 0))", (kept.embargo,)
            )
            expected.check(embargo.one(db, kept.embargo).version)
            found = embargo.arm(
                db, kept.embargo, data.until, now=datetime.now(UTC), on_exploitation=data.on_exploitation
            )
            return found, found.version

        return changed(request, act)

    @get(
        paths("/embargoes/{which:int}/parties"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who is a party to an embargo; its keeper's to know",
        operation_class=RECIPIENTS.operation,
        responses=RECIPIENTS.responses,
    )
    def parties(request: _R, which: FromPath[int]) -> Response[bytes]:

        def of_it(db: Db, _: Principal, note: Note) -> list[Condition]:
            kept = embargo.one(db, number(which))
            recipients.one(db, kept.recipients)  # a party knows the embargo, and not who else is one
            note(f"embargo/{kept.uid}", embargo.audiences(db, [kept]))
            return [Condition("m.list = %s", kept.recipients)]

        return as_file(request, RECIPIENTS, within=of_it)

    @post(
        "/embargoes/{which:int}/parties",
        opt=_COORDINATE,
        sync_to_thread=True,
        status_code=200,
        summary="Make somebody a party, or no longer one",
        responses=gives(Embargo, *WRITE),
    )
    def party(request: _R, which: FromPath[int], data: JSONBody[PartyChange]) -> Response[bytes]:
        """They see what is under the embargo from their next request on, or no longer."""

        def act(db: Db, me: Principal) -> Made:
            kept = embargo.one(db, number(which))
            must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
            if (data.person is None) == (data.org is None):
                raise InputError("a party is a person or an organisation", where="person")
            if data.party:
                recipients.check_there(db, data.person, data.org)
            embargo.set_party(db, kept.embargo, person=data.person, org=data.org, party=data.party)
            return Made(record=embargo.one(db, kept.embargo), status=200)

        return done_once(request, act)

    @post(
        "/embargoes/{which:int}/flaws",
        opt=_COORDINATE,
        sync_to_thread=True,
        status_code=200,
        summary="Say which flaw an embargo is about, or no longer",
        responses=gives(Embargo, *WRITE),
    )
    def flaw(request: _R, which: FromPath[int], data: JSONBody[FlawChange]) -> Response[bytes]:
        """By its CVE id where it has one: with `on_exploitation`, a KEV listing of that id ends the embargo."""

        def act(db: Db, me: Principal) -> Made:
            kept = embargo.one(db, number(which))
            must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
            return Made(record=embargo.name_flaw(db, kept.embargo, data.flaw, about=data.about), status=200)

        return done_once(request, act)

    @post(
        "/embargoes/{which:int}/release",
        opt=_COORDINATE,
        sync_to_thread=True,
        status_code=200,
        summary="End an embargo now",
        responses=gives(Embargo, *WRITE),
    )
    def release(request: _R, which: FromPath[int], data: JSONBody[Release]) -> Response[bytes]:
        """What was under it is seen by whom its marking allows, at once; it can't be taken back."""

        def act(db: Db, me: Principal) -> Made:
            kept = embargo.one(db, number(which))
            must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
            return Made(record=embargo.release(db, kept.embargo, data.why), status=200)

        return done_once(request, act)

    return [listed, add, one, arm, parties, party, flaw, release]
