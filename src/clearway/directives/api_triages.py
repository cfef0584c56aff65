"""Routes of forensic triage: opening, recording, reading."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.filters import text
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.store.keyset import Column, Source

from .api_parts import TEXT, Id, Slug, in_forms, sent_as
from .kept import triages
from .kept.who import now
from .reports.remediation import as_json
from .triage_report import TriageReport, triage_report, triage_text

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

IN_TEXT = in_forms(TEXT)
Line = Annotated[str, Meta(max_length=300)]
FormParameter = Annotated[Literal["json", "text"], QueryParameter(description="json or text")]


class TriageLine(Struct, frozen=True, kw_only=True):
    """One triage in the list."""

    id: int
    organisation: str
    flaw: str
    asset: str
    asset_name: str
    component: str
    kev_added: datetime
    opened: datetime


TRIAGES = Listing(
    "triages",
    TriageLine,
    Source(
        "t.triage as id, o.slug as organisation, t.flaw, t.asset, t.asset_name, t.component, t.kev_added, t.opened",
        "clearway.triage t join clearway.organisation o on o.org = t.org",
    ),
    sorts={"opened": Column("t.opened", "timestamptz"), "kev_added": Column("t.kev_added", "timestamptz")},
    tie=Column("t.triage", "bigint"),
    aud="t.aud",
    default="opened",
    filters={
        "organisation": text("o.slug = any(%s)"),
        "flaw": text("t.flaw = any(%s)"),
        "asset": text("t.asset = any(%s)"),
    },
)


class NewTriage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be triaged. The hours count from `kev_added`, an instant with its offset from UTC."""

    asset: Line
    flaw: Line
    component: Annotated[str, Meta(max_length=2000)]
    kev_added: datetime
    organisation: Slug = ""
    asset_name: Line = ""
    directive: Id = "bod-26-04"


class NewEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event (`event` is its kind), after the `after` events that the caller has seen."""

    after: Annotated[int, Meta(ge=0, le=10_000)]
    event: dict[str, Any]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/triages"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=TRIAGES.operation,
        summary="Forensic triages",
        responses=TRIAGES.responses,
    )
    def listing(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Those that the caller may see."""
        asked = TRIAGES.asked(request)
        with reading(request) as (db, me, note):
            page = TRIAGES.read(db, me, asked, sealer(request))
            note.page(page)
        return TRIAGES.answer(request, page, me)

    @post(
        "/triages",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        summary="Open a triage",
        responses=gives(triages.Triage, *WRITE, status=201),
    )
    def open_triage(request: Request[Any, Any, Any], data: JSONBody[NewTriage]) -> Response[bytes]:
        """For the members of the organisation alone."""
        with acting(request) as (db, me):

            def act() -> Made:
                made = triages.open_triage(
                    db,
                    me,
                    data.organisation,
                    directive=data.directive,
                    asset=data.asset,
                    asset_name=data.asset_name,
                    flaw=data.flaw,
                    component=data.component,
                    kev_added=data.kev_added,
                    now=now(db),
                )
                return Made(record=made, location=f"/api/v1/directives/triages/{made.id}")

            return once(request, db, me, act)

    @get(
        "/triages/{triage:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One triage with its workbook",
        responses={**problems_of(*READ)},
    )
    def one(request: Request[Any, Any, Any], triage: FromPath[int]) -> triages.Triage:
        """Steps with their targets, evidence, and what may weaken the triage, as of now."""
        with reading(request) as (db, _, note):
            note(f"triage/{triage}", [triages.audience_of(db, triage)])
            return triages.one(db, triage, now=now(db))

    @post(
        "/triages/{triage:int}/events",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        summary="Record an event",
        responses=gives(triages.Triage, *WRITE, status=201),
    )
    def record(
        request: Request[Any, Any, Any], triage: FromPath[int], data: JSONBody[NewEvent]
    ) -> Response[bytes]:
        """Appended once it fits what came before; 409 when somebody else recorded one meanwhile."""
        event = msgspec.json.encode(data.event)
        with acting(request) as (db, me):
            return once(
                request,
                db,
                me,
                lambda: Made(record=triages.record(db, me, triage, event, after=data.after, now=now(db))),
            )

    @get(
        "/triages/{triage:int}/report",
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=IN_TEXT,
        summary="The triage report",
        responses=gives(TriageReport, *READ),
    )
    def report(
        request: Request[Any, Any, Any], triage: FromPath[int], form: FormParameter = "json"
    ) -> Response[bytes]:
        """As JSON by `schemas/directive-triage.schema.json`, or as text to print."""
        with reading(request) as (db, _, note):
            note(f"triage/{triage}", [triages.audience_of(db, triage)])
            at = now(db)
            made = triage_report(triages.one(db, triage, now=at).book, at)
        return sent_as(
            as_json(made) if form == "json" else triage_text(made).encode(), form, f"triage-{triage}"
        )

    return [listing, open_triage, one, record, report]
