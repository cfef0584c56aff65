"""For an authority: issuing a signed version, addressing it, and compliance across whom it has addressed."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.http.acting import acting, needs
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import ClearwayError, InputError, NotFoundError, TooLargeError

from .api_parts import day_or_today, named
from .duties import duties
from .issue import LARGEST
from .kept import addresses, issues, reports
from .kept.who import now
from .pages_parts import FORM, KINDS, PAGE, about, day_in, org_of
from .reports.counts import total
from .rhythm import next_due
from .standing import asks_reports, read_standing

if TYPE_CHECKING:
    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Membership, Principal

_FILES = Body(media_type=RequestEncodingType.MULTI_PART)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST = 10_000


class Issuing(Struct, frozen=True):
    """The form with a signed document."""

    document: UploadFile | None = None
    signature: str = ""
    reach: str = "CLEAR"


class Addressing(Struct, frozen=True):
    """The form that addresses a directive: organisations by their short names, in one standing."""

    recipients: str = ""
    standing: str = "binding"
    since: str = ""
    agreed: str = ""  # that reports are late at once


class Revoking(Struct, frozen=True):
    """The form that revokes a version."""

    version: str = ""
    reason: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/directives/issue", opt=needs("direct"), **PAGE)
    def issuing(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form, and what has been issued."""
        return _issue(request, Form())

    @post("/directives/issue", opt=needs("direct"), request_max_body_size=2 * LARGEST, **PAGE)
    def issue(request: Request[Any, Any, Any], data: Annotated[Issuing, _FILES]) -> Response[bytes]:
        """Publishes a version, once a registered key of the authority is found to have signed these very bytes."""
        document = data.document.file.read(LARGEST + 1) if data.document is not None else b""
        return _issued(request, document, data)

    @get("/directives/{directive:str}/compliance", opt=needs("direct"), **PAGE)
    def compliance(request: Request[Any, Any, Any], directive: FromPath[str]) -> Response[bytes]:
        """Who was addressed, who took note, and what each has shared."""
        return _compliance(request, named(directive), Form())

    @post("/directives/{directive:str}/addresses", opt=needs("direct"), **PAGE)
    def address(
        request: Request[Any, Any, Any], directive: FromPath[str], data: Annotated[Addressing, FORM]
    ) -> Response[bytes]:
        """Addresses it to more organisations, from today on or from the day that is given."""
        try:
            with acting(request) as (db, me):
                mine = authority(request, me)
                to = dict.fromkeys(_slugs(data.recipients), data.standing)
                day = now(db).date()
                since = (
                    day_in(data.since, "since")
                    if data.since.strip()
                    else addresses.first_day(db, mine.slug, named(directive), day)
                )
                addresses.check_day(db, mine.slug, named(directive), since)
                if since < day and not data.agreed:
                    late = [t for t in first_reports(named(directive), since) if t.due < day]
                    if late and asks_reports(read_standing(data.standing)):
                        said = "; ".join(f"the first {t.label.lower()} was due {t.due}" for t in late)
                        words = f"Addressed from {since} on, it is late at once: {said}."
                        return _compliance(request, named(directive), _form(data, words), late=True)
                n = addresses.address(db, me, mine.slug, named(directive), to, since=since)
        except ClearwayError as error:
            return _compliance(request, named(directive), _form(data, str(error)))
        return done(
            request,
            f"/directives/{named(directive)}/compliance?org={mine.slug}",
            f"Addressed to {n} more; each sees that it is addressed, and not who else is.",
        )

    @post("/directives/{directive:str}/revocation", opt=needs("direct"), **PAGE)
    def revoke(
        request: Request[Any, Any, Any], directive: FromPath[str], data: Annotated[Revoking, FORM]
    ) -> Response[bytes]:
        """Ends a version from today on; it stays for history."""
        with acting(request) as (db, me):
            mine = authority(request, me)
            made = issues.revoke(
                db, me, mine.slug, named(directive), data.version, on=now(db).date(), reason=data.reason
            )
        return done(
            request,
            f"/directives/issue?org={mine.slug}",
            f"Version {made.version} is revoked from {made.revoked} on.",
        )

    return [issuing, issue, compliance, address, revoke]


def authority(request: Request[Any, Any, Any], me: Principal) -> Membership:
    """The authority that the page is looked at as. Raises NotFoundError without one."""
    able = [m for m in me.memberships if m.kind == "authority" and "direct" in m.rights]
    asked = str(request.query_params.get("org", ""))
    found = next((m for m in able if m.slug == asked), next(iter(able), None) if not asked else None)
    if found is None:
        raise NotFoundError(
            "no authority of yours", where="organisation", mend="choose another organisation above"
        )
    return found


class FirstReport(Struct, frozen=True, kw_only=True):
    """By when the first report of a kind is due from an organisation that is newly addressed."""

    label: str
    due: date


def first_reports(directive: str, since: date) -> list[FirstReport]:
    """The first reports that are due under a directive which is addressed from `since` on, the earliest first."""
    try:
        asked = duties(directive).reports
    except NotFoundError:  # a directive of which only the table is known
        return []
    found = [FirstReport(label=KINDS[d.kind], due=next_due(d, since)) for d in asked]
    return sorted(found, key=lambda r: r.due)


def _form(data: Addressing, wrong: str = "") -> Form:
    values = {"recipients": data.recipients, "standing": data.standing, "since": data.since}
    return Form(values, {"": wrong} if wrong else {})


def _slugs(text: str) -> list[str]:
    found = text.replace(",", " ").split()
    if not found or len(found) > _MOST:
        raise InputError(f"1 to {_MOST:,} organisations", where="recipients")
    bad = next((slug for slug in found if not _SLUG.fullmatch(slug)), None)
    if bad is not None:
        raise InputError(f"{bad[:60]!r} is no short name of an organisation", where="recipients")
    return found


def _issued(request: Request[Any, Any, Any], document: bytes, data: Issuing) -> Response[bytes]:
    try:
        if len(document) > LARGEST:
            raise TooLargeError(
                "the document is too large", where="document", mend=f"at most {LARGEST:,} bytes"
            )
        try:
            signature = base64.b64decode("".join(data.signature.split()), validate=True)
        except (binascii.Error, ValueError):
            raise InputError("the signature is not base64", where="signature") from None
        with acting(request) as (db, me):
            mine = authority(request, me)
            made = issues.publish(
                db, me, mine.slug, document, signature, issued=now(db).date(),
                reach="GREEN" if data.reach == "GREEN" else "CLEAR",
            )  # fmt: skip
    except ClearwayError as error:
        if error.code in ("not-found", "forbidden"):
            raise
        return _issue(request, Form({"signature": data.signature, "reach": data.reach}, {"": str(error)}))
    return done(
        request,
        f"/directives/{made.directive}/compliance?org={mine.slug}",
        f"{made.directive} {made.version} is issued. Nobody is addressed by that: do it below.",
    )


def _issue(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        mine = authority(request, me)
        org = org_of(db, mine)
        assert org is not None
        versions = [v for v in reversed(issues.versions(db, by=mine.slug)) if not v.imported]
        keys = [key.id for key in issues.keys(db, org.org)]
        day = now(db).date()
    return page(
        request, "directives/issue.html", status_code=422 if form.errors else 200, mine=mine, versions=versions,
        keys=keys, form=form, day=day,
    )  # fmt: skip


def _compliance(
    request: Request[Any, Any, Any], directive: str, form: Form, *, late: bool = False
) -> Response[bytes]:
    with acting(request) as (db, me):
        mine = authority(request, me)
        day = day_or_today(db, str(request.query_params.get("as_of", "")), "query.as_of")
        found = about(db, org_of(db, mine), directive, day)
        view = _view(db, me, mine, directive, day)
        begins = addresses.first_day(db, mine.slug, directive, now(db).date())
        comes = issues.coming(db, directive, mine.slug, day)
    return page(
        request,
        "directives/compliance.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("RED", f"for members of {mine.name}; each row also for the organisation itself"),
        about=found,
        mine=mine,
        view=view,
        day=day,
        form=form,
        kinds=KINDS,
        total=total,
        late=late,
        begins=begins,
        comes=comes,
        first=first_reports(directive, begins),
    )


def _view(db: psycopg.Connection[Any], me: Principal, mine: Membership, directive: str, day: Any) -> Any:
    try:
        return reports.seen_by_authority(db, me, mine.slug, directive, day)
    except NotFoundError:  # none had begun by that day
        return None
