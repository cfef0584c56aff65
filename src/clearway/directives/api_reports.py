"""Routes of reporting: drawing up, submitting, reading, and compliance across organisations."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from clearway.access.reading import as_file, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.filters import choice, day, text
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.store.keyset import Column, Source

from .api_parts import (
    CSV,
    TEXT,
    DayParameter,
    Id,
    Oscal,
    Slug,
    SlugParameter,
    day_or_today,
    in_forms,
    named,
    named_org,
    not_to_come,
    sent_as,
)
from .attestation import Attested
from .compliance import Compliance, compliance_csv
from .kept import reports
from .kept.who import acting_in
from .reports.forms import Form, written
from .reports.period import Said, read_kind
from .reports.provider import Provider, default_provider
from .reports.remediation import as_json

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

FormParameter = Annotated[
    Form, QueryParameter(description="json, csv, oscal or text, as far as the kind has it")
]
TableForm = Annotated[Literal["json", "csv"], QueryParameter(description="json or csv")]
IN_FORMS, IN_TABLES = in_forms(CSV, TEXT), in_forms(CSV)
_KIND = choice("r.kind = any(%s)", get_args(Said))


Drawn = reports.Report | Oscal


class ReportLine(Struct, frozen=True, kw_only=True):
    """One kept report in the list. `shared_with` is "" where only the organisation sees it."""

    id: int
    organisation: str
    directive: str
    kind: str
    as_of: date
    submitted: datetime
    by: str
    shared_with: str
    sha256: str


REPORTS = Listing(
    "directive-reports",
    ReportLine,
    Source(
        "r.report as id, o.slug as organisation, r.directive, r.kind, r.as_of, r.submitted, r.by_name as by, "
        "coalesce(a.slug, '') as shared_with, encode(r.sha256, 'hex') as sha256",
        "clearway.directive_report r join clearway.organisation o on o.org = r.org "
        "left join clearway.organisation a on a.org = r.authority",
    ),
    sorts={"submitted": Column("r.submitted", "timestamptz"), "as_of": Column("r.as_of", "date")},
    tie=Column("r.report", "bigint"),
    aud="r.aud",
    default="submitted",
    filters={
        "organisation": text("o.slug = any(%s)"),
        "directive": text("r.directive = any(%s)"),
        "kind": _KIND._replace(read=lambda typed: read_kind(str(_KIND.read(typed)))),
        "as_of": day("r.as_of = any(%s)"),
    },
)


class Attestation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who attests to an inventory of public addresses: in which function, and on which day (default: today)."""

    by: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Annotated[str, Meta(min_length=1, max_length=200)]
    on: date | None = None


class NewReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to draw up and submit. With `share_with`, that authority sees it; `sha256` binds it to what was read."""

    directive: Id
    kind: Said
    organisation: Slug = ""
    as_of: date | None = None
    share_with: Slug = ""
    attested: Attestation | None = None
    sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""


def handlers(provider: Provider | None = None) -> list[HTTPRouteHandler]:
    """The routes of this file; rows come from `provider`, by default the kept fleet."""

    @get(
        paths("/reports"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=REPORTS.operation,
        summary="Kept reports",
        responses=REPORTS.responses,
    )
    def listing(request: Request[Any, Any, Any]) -> Response[bytes]:
        """One's own organisation's, and those shared with it as an authority."""
        return as_file(request, REPORTS)

    @get(
        "/reports/{report:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One kept report, without its body",
        responses={**problems_of(*READ)},
    )
    def one(request: Request[Any, Any, Any], report: FromPath[int]) -> reports.Kept:
        """Its head, its hash and its figures by tier."""
        with reading(request) as (db, _, note):
            note(f"report/{report}", [reports.audience_of(db, report)])
            return reports.one(db, report)

    @get(
        "/reports/{report:int}/body",
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=IN_FORMS,
        summary="A kept report itself",
        responses=gives(Drawn, *READ),
    )
    def body(
        request: Request[Any, Any, Any], report: FromPath[int], form: FormParameter = "json"
    ) -> Response[bytes]:
        """As JSON, byte for byte as it was kept; other forms are made of it. Reading it is on the log."""
        with acting(request) as (db, _):
            kept = reports.one(db, report)
            data = reports.body(db, report)
        if form != "json":
            data = written(reports.read_body(data, kept.kind, f"report/{report}"), form)
        return sent_as(data, form, f"{kept.directive}-{kept.kind}-{kept.as_of}")

    @get(
        "/draft/{directive:str}/{kind:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=IN_FORMS,
        summary="A report as of a day, not kept",
        responses=gives(Drawn, *READ, 409, 413),
    )
    def draft(
        request: Request[Any, Any, Any],
        directive: FromPath[str],
        kind: FromPath[str],
        organisation: SlugParameter = "",
        as_of: DayParameter = "",
        form: FormParameter = "json",
    ) -> Response[bytes]:
        """What would be submitted: the same facts and day give the same bytes. That it was read is on the log.

        Of a day to come it is by what is known today, and can't be submitted before it.
        """
        with acting(request) as (db, me):
            org = acting_in(db, me, named_org(request, organisation), "read")
            day = day_or_today(db, as_of, "query.as_of", coming=True)
            made = reports.draft(
                db, provider or default_provider(), org, read_kind(kind), named(directive), day
            )
        return sent_as(written(made, form), form, f"{directive}-{made.report}-{day}")

    @post(
        "/reports",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        summary="Submit a report",
        responses=gives(reports.Kept, *WRITE, status=201),
    )
    def submit(request: Request[Any, Any, Any], data: JSONBody[NewReport]) -> Response[bytes]:
        """Drawn up and kept in one transaction; with `sha256`, only if it still is what was read as a draft."""
        with acting(request) as (db, me):
            return once(request, db, me, lambda: _submit(db, me, data, provider or default_provider()))

    @get(
        "/compliance/{directive:str}",
        opt=needs("direct"),
        sync_to_thread=True,
        operation_class=IN_TABLES,
        summary="Compliance across the organisations addressed",
        responses=gives(Compliance, *READ),
    )
    def compliance(
        request: Request[Any, Any, Any],
        directive: FromPath[str],
        organisation: SlugParameter = "",
        as_of: DayParameter = "",
        form: TableForm = "json",
    ) -> Response[bytes]:
        """From what each of them has shared with the authority, and nothing else."""
        with acting(request) as (db, me):
            on = day_or_today(db, as_of, "query.as_of")
            view = reports.seen_by_authority(db, me, named_org(request, organisation), named(directive), on)
        return sent_as(
            as_json(view) if form == "json" else compliance_csv(view), form, f"{directive}-compliance-{on}"
        )

    return [listing, one, body, draft, submit, compliance]


def _submit(db: Any, me: Any, data: NewReport, provider: Provider) -> Made:
    org = acting_in(db, me, data.organisation, "operate")
    today = day_or_today(db, "", "")
    said = data.attested
    made = reports.make(
        db,
        provider,
        org,
        read_kind(data.kind),
        data.directive,
        not_to_come(data.as_of or today, today, "body.as_of"),
        attested=None if said is None else Attested(by=said.by, role=said.role, on=said.on or today),
    )
    kept = reports.submit(db, me, org.slug, made, share_with=data.share_with, expected=data.sha256)
    return Made(record=kept, location=f"/api/v1/directives/reports/{kept.id}")
