"""Routes of receivers and of the desk: limits, how findings count, a reporter's record, appeals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives
from clearway.records.principal import member_of

from .. import kept
from ..named import HandlingText, Slug, SlugText
from . import limit, record
from .limit import Limit
from .record import Mark, Record

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

Count = Annotated[int, Meta(ge=0, le=limit.MOST)]


class Limits(Struct, frozen=True, kw_only=True):
    """Every limit that stands; those without `confirmed` do not count yet."""

    limits: list[Limit]


class NewLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller's organisation takes of reports about one product of its own."""

    organisation: Slug = ""
    ecosystem: Annotated[str, Meta(max_length=100)] = ""
    package: Annotated[str, Meta(min_length=1, max_length=300)]
    per_reporter: Count | None = None
    per_week: Count | None = None
    min_level: Annotated[int, Meta(ge=0, le=6)] = 0
    note: Annotated[str, Meta(max_length=500)] = ""


class Confirmation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the product is the receiver's; a limit that is refused ends."""

    holds: bool


class NewMark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a finding counts for its reporter, and why."""

    mark: Literal["valid", "known", "duplicate", "invalid"]
    why: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outcome of an appeal, and why."""

    outcome: Literal["granted", "refused"]
    reason: Annotated[str, Meta(min_length=1, max_length=4_000)]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/findings/limits",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What receivers take",
        responses=gives(Limits, *READ),
    )
    def limits(request: Request[Any, Any, Any]) -> Response[bytes]:
        """By product."""
        with acting(request) as (db, me):
            found = Limits(limits=limit.listed(db))
        return etag.response(request, msgspec.json.encode(found), me, "application/json")

    @post(
        "/findings/limits",
        opt=needs("maintain"),
        sync_to_thread=True,
        status_code=201,
        summary="Say how much one takes",
        responses=gives(Limit, *WRITE, status=201),
    )
    def set_limit(request: Request[Any, Any, Any], data: JSONBody[NewLimit]) -> Response[bytes]:
        """In place of the one before; it counts once a coordinator has confirmed that the product is yours."""

        def act(db: Db, me: Principal) -> Made:
            made = limit.put(
                db,
                member_of(me, data.organisation, "maintain"),
                data.ecosystem,
                data.package,
                per_reporter=data.per_reporter,
                per_week=data.per_week,
                min_level=data.min_level,
                note=data.note,
            )
            return Made(record=made)

        return done_once(request, act)

    @post(
        "/findings/limits/{number:int}/end",
        opt=needs("maintain"),
        sync_to_thread=True,
        status_code=200,
        summary="End a limit",
        responses=gives(Limits, *WRITE),
    )
    def end(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Of one's own."""

        def act(db: Db, me: Principal) -> Made:
            limit.end(db, number)
            return Made(record=Limits(limits=limit.listed(db)), status=200)

        return done_once(request, act)

    @post(
        "/findings/limits/{number:int}/confirmation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Confirm that a product is the receiver's",
        responses=gives(Limits, *WRITE),
    )
    def confirm(
        request: Request[Any, Any, Any], number: FromPath[int], data: JSONBody[Confirmation]
    ) -> Response[bytes]:
        """By a coordinator of the clearinghouse."""

        def act(db: Db, me: Principal) -> Made:
            limit.confirm(db, number, holds=data.holds)
            return Made(record=Limits(limits=limit.listed(db)), status=200)

        return done_once(request, act)

    @get(
        "/findings/record",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="How a reporter's findings have turned out",
        responses=gives(Record, *READ),
    )
    def track(request: Request[Any, Any, Any], organisation: SlugText = "") -> Response[bytes]:
        """Of one's own organisation; coordinators may ask about each."""
        with reading(request) as (db, me, note):
            org = record.reporter(db, me, organisation)
            found = record.of(db, org)
            note.counted("record", f"organisation={found.organisation}", record.audiences(db, org))
        return etag.response(request, msgspec.json.encode(found), me, "application/json")

    @post(
        "/findings/{handling:str}/mark",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Say how a finding counts",
        responses=gives(Mark, *WRITE),
    )
    def mark(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[NewMark]
    ) -> Response[bytes]:
        """By a coordinator of the clearinghouse; the reporter may appeal."""

        def act(db: Db, me: Principal) -> Made:
            finding = kept.one(db, handling)
            record.give(db, finding, data.mark, data.why)
            return Made(record=record.mark_of(db, finding.id), status=200)

        return done_once(request, act)

    @post(
        "/findings/appeals/{number:int}/decision",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Decide an appeal",
        responses=gives(Decision, *WRITE),
    )
    def decide(
        request: Request[Any, Any, Any], number: FromPath[int], data: JSONBody[Decision]
    ) -> Response[bytes]:
        """By another coordinator than the one who gave the mark."""

        def act(db: Db, me: Principal) -> Made:
            record.decide(db, number, data.outcome, data.reason)
            return Made(record=data, status=200)

        return done_once(request, act)

    return [limits, set_limit, end, confirm, track, mark, decide]
