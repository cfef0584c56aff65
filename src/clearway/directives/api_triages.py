"""Routes of forensic triage: opening, recording, reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct
from msgspec.structs import replace

from clearway.access.reading import as_file, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.filters import text
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.store.keyset import Column, Source

from .api_parts import CSV, TEXT, Id, Oscal, Slug, in_forms, sent_as
from .kept import triages
from .kept.who import now
from .reports.remediation import as_json
from .triage_csv import triage_csv
from .triage_oscal import triage_oscal
from .triage_report import TriageReport, triage_report, triage_text

if TYPE_CHECKING:
    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.cursor import Sealer
    from clearway.http.listing import Asked, Page
    from clearway.records.principal import Principal
    from clearway.store.keyset import Condition

IN_FORMS = in_forms(CSV, TEXT)
Line = Annotated[str, Meta(max_length=300)]
FormParameter = Annotated[
    Literal["json", "oscal", "csv", "text"], QueryParameter(description="json, oscal, csv or text")
]
_AS: dict[str, Callable[[TriageReport], bytes]] = {
    "json": as_json,
    "oscal": triage_oscal,
    "csv": triage_csv,
    "text": lambda report: triage_text(report).encode(),
}


class TriageLine(Struct, frozen=True, kw_only=True):
    """One triage in the list. `conclusion` is "" while it is open; `flags` are what may weaken it."""

    id: int
    organisation: str
    flaw: str
    asset: str
    asset_name: str
    component: str
    kev_added: datetime
    opened: datetime
    conclusion: str = ""
    patched_first: bool = False
    flags: tuple[str, ...] = ()


class Triages(Listing[TriageLine]):
    """The list, each line with what its workbook comes to: no column of the table says that."""

    def read(
        self, db: psycopg.Connection[Any], me: Principal, asked: Asked, sealer: Sealer, *conditions: Condition
    ) -> Page[TriageLine]:
        """The page asked for. Raises CursorError, as every list."""
        found = super().read(db, me, asked, sealer, *conditions)
        books = {t.id: t.book for t in triages.these(db, [line.id for line in found.items], now=now(db))}
        lines = (
            replace(
                line,
                conclusion=books[line.id].conclusion or "",
                patched_first=books[line.id].patched_first,
                flags=books[line.id].flags,
            )
            for line in found.items
        )
        return replace(found, items=tuple(lines))


TRIAGES = Triages(
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
        return as_file(request, TRIAGES)

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
        operation_class=IN_FORMS,
        summary="The triage report",
        responses=gives(TriageReport | Oscal, *READ),
    )
    def report(
        request: Request[Any, Any, Any], triage: FromPath[int], form: FormParameter = "json"
    ) -> Response[bytes]:
        """As JSON by `schemas/directive-triage.schema.json`, as OSCAL assessment results, as CSV or as text."""
        with reading(request) as (db, _, note):
            note(f"triage/{triage}", [triages.audience_of(db, triage)])
            at = now(db)
            made = triage_report(triages.one(db, triage, now=at).book, at)
        return sent_as(_AS[form](made), form, f"triage-{triage}")

    return [listing, open_triage, one, record, report]
