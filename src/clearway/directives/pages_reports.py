"""Kept reports: a report kept as it is and shared where that is chosen, and each one to be downloaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import ClearwayError, ConflictError, InputError

from .api_parts import named
from .attestation import AddressReport, Attested
from .kept import reports
from .kept.who import acting_in, now
from .pages_attest import attesting, seen_of
from .pages_cockpit import cockpit_page
from .pages_parts import FORM, KINDS, PAGE
from .report_states import FORMS
from .reports.counts import STATES
from .reports.period import read_kind
from .reports.provider import Provider, default_provider

if TYPE_CHECKING:
    import psycopg
    from litestar.handlers import HTTPRouteHandler

_DAYS = re.compile(r"(\d{1,4})D(F?)", re.ASCII)
_UNDATED = ("FSU", "out_of_scope")  # after all that are a number of days


class Submitting(Struct, frozen=True):
    """The form that keeps a report and shares it."""

    kind: str = ""
    as_of: str = ""
    share_with: str = ""
    by: str = ""
    role: str = ""
    seen: str = ""  # the hash of the inventory that was read before it is attested to


def handlers(provider: Provider | None = None) -> list[HTTPRouteHandler]:
    """The routes of this file; rows come from `provider`, by default the kept fleet."""

    @post("/directives/{directive:str}/reports", opt=needs("operate"), **PAGE)
    def submit(
        request: Request[Any, Any, Any], directive: FromPath[str], data: Annotated[Submitting, FORM]
    ) -> Response[bytes]:
        """Keeps a report as it is now, and shares it where that was chosen."""
        try:
            with acting(request) as (db, me):
                home = looked_as(request, me)
                kept = _submitted(db, me, home.slug if home else "", named(directive), data, provider)
        except (InputError, ClearwayError) as error:
            if error.code not in ("input-invalid", "usage", "conflict"):
                raise
            form = Form(
                {"kind": data.kind, "by": data.by, "role": data.role, "share_with": data.share_with},
                {"": str(error)},
            )
            if data.kind == "addresses":
                return attesting(request, named(directive), form, provider)
            return cockpit_page(request, named(directive), form, provider)
        seen = f", and {kept.shared_with} sees it" if kept.shared_with else "; nobody outside sees it"
        return done(
            request,
            f"/directives/reports/{kept.id}",
            f"The {KINDS[kept.kind].lower()} as of {kept.as_of} is kept{seen}.",
        )

    @get("/directives/reports/{report:int}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], report: FromPath[int]) -> Response[bytes]:
        """One kept report, to be downloaded."""
        with reading(request) as (db, _, note):
            note(f"report/{report}", [reports.audience_of(db, report)])
            kept = reports.one(db, report)
            named = db.execute(
                "select name from clearway.organisation where slug = %s", (kept.organisation,)
            ).fetchone()
        words = f"for members of {kept.organisation}"
        if kept.shared_with:
            words += f" and of {kept.shared_with}"
        return page(
            request, "directives/report.html", tlp=Tlp("RED", words), kept=kept, label=KINDS[kept.kind],
            name=named[0] if named else kept.organisation,
            forms=FORMS.get(kept.kind, ("json", "csv")), states=STATES,
            tiers=sorted(kept.counts, key=_soonest),
        )  # fmt: skip

    return [submit, one]


def _soonest(tier: str) -> tuple[int, bool, str]:
    """The order of tiers, the soonest first: the database keeps them in one of its own."""
    days = _DAYS.fullmatch(tier)
    if days is not None:
        return int(days[1]), not days[2], tier
    return 10_000 + (_UNDATED.index(tier) + 1 if tier in _UNDATED else 0), False, tier


def _submitted(
    db: psycopg.Connection[Any],
    me: Any,
    slug: str,
    directive: str,
    data: Submitting,
    provider: Provider | None,
) -> reports.Kept:
    org = acting_in(db, me, slug, "operate")
    day = now(db).date()
    attested = None
    if data.kind == "addresses":
        if not data.by.strip() or not data.role.strip():
            raise InputError("an attestation names who attests, and in which function", where="attested")
        attested = Attested(by=data.by.strip()[:200], role=data.role.strip()[:200], on=day)
    made = reports.make(
        db, provider or default_provider(), org, read_kind(data.kind), directive, day, attested=attested
    )
    if isinstance(made, AddressReport) and data.seen and seen_of(made) != data.seen:
        raise ConflictError(
            "the inventory has changed since you read it", where="addresses", mend="look at it again below"
        )
    return reports.submit(db, me, org.slug, made, share_with=data.share_with)
