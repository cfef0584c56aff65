"""Rules on a page: those that stand, and a new one, whose reach is counted before it is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct, structs

from clearway.access.reading import audiences, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Address, Form, done, page
from clearway.records.errors import ConflictError, InputError
from clearway.records.principal import member_of

from . import listing, page_decide, page_seen, rule, status
from .page_asked import day_in
from .page_common import PAGE, operating, table_or_none, today

if TYPE_CHECKING:
    from datetime import date

    from litestar.handlers import HTTPRouteHandler

_FORM = Body(media_type=RequestEncodingType.URL_ENCODED)
_ABOUT = ("name", "flaw", "asset_name", "environment", "exposure", "severity", "ecosystem")
_STATUSES = ("not_affected", "accepted", "mitigated")


class Ruling(Struct, frozen=True):
    """The form of a new rule; `title` is its name, `expected` the count that was shown."""

    title: str = ""
    name: str = ""
    flaw: str = ""
    asset_name: str = ""
    environment: str = ""
    exposure: str = ""
    severity: str = ""
    ecosystem: str = ""
    status: str = "not_affected"
    justification: str = ""
    detail: str = ""
    until: str = ""
    organisation: str = ""
    expected: str = ""


class Ending(Struct, frozen=True):
    """The form that ends a rule."""

    version: int = 0


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/exposure/rules", opt=SIGNED_IN, **PAGE)
    def shown(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The standing rules, and what a new one would reach."""
        address = Address.of(request)
        given = {f: address.get(f)[:4_000] for f in Ruling.__struct_fields__}
        return _page(
            request,
            structs.replace(Ruling(), **{k: v for k, v in given.items() if v}),
            bool(address.get("title")),
        )

    @post("/exposure/rules", opt=needs("operate"), **PAGE)
    def add(request: Request[Any, Any, Any], data: Annotated[Ruling, _FORM]) -> Response[bytes]:
        """Adds a rule, which decides as many as were counted, and what comes later."""
        try:
            about, said, ends = _rule(data)
            if not (data.expected.isascii() and data.expected.isdigit() and len(data.expected) < 10):
                raise InputError("count first how many it reaches", where="expected")
            if not 0 < len(data.title.strip()) <= 300:
                raise InputError("a rule's name has 1 to 300 characters", where="title")
            with acting(request) as (db, me):
                home = member_of(me, data.organisation, "operate")
                _, changed = rule.add(
                    db,
                    home.org,
                    data.title.strip(),
                    rule.meant(db, table_or_none(request), about),
                    said,
                    expected=int(data.expected),
                    until=ends,
                )
        except (InputError, ConflictError) as error:
            return _page(request, data, True, error)
        many = "1 exposure" if len(changed) == 1 else f"{len(changed):,} exposures"
        return done(request, "/exposure/rules", f"The rule stands, and has decided {many}.")

    @post("/exposure/rules/{number:int}/end", opt=needs("operate"), **PAGE)
    def end(
        request: Request[Any, Any, Any], number: FromPath[int], data: Annotated[Ending, _FORM]
    ) -> Response[bytes]:
        """Ends a rule; what it decided stands."""
        with acting(request) as (db, me):
            found = rule.one(db, number)
            operating(me, found.org)
            rule.end(db, number, data.version)
        return done(request, "/exposure/rules", f"{found.name} has ended; what it decided stands.")

    return [shown, add, end]


def _rule(data: Ruling) -> tuple[rule.Match, status.Decision, date | None]:
    """What the form says, and the last day of it. Raises InputError for what can't be a rule."""
    about = rule.Match(**{k: getattr(data, k).strip()[:300] for k in _ABOUT if getattr(data, k).strip()})
    if data.status not in _STATUSES:
        raise InputError("choose one", where="status")
    ends = day_in(data.until, "until")
    status.check_last_day(ends, today())
    said = status.Decision(
        status=data.status,  # type: ignore[arg-type]  # one of three
        justification=data.justification if data.status == "not_affected" else "",
        detail=data.detail,
        until=ends if data.status != "not_affected" else None,
    )
    return about, said, ends


def _page(
    request: Request[Any, Any, Any],
    data: Ruling,
    tried: bool,
    error: InputError | ConflictError | None = None,
) -> Response[bytes]:
    counted = None
    with reading(request) as (db, me, note):
        mine = [m for m in me.memberships if "operate" in m.rights]
        home = looked_as(request, me)
        if tried and mine and error is None:
            try:
                about, _, _ = _rule(data)
                home = member_of(
                    me, data.organisation or (home.slug if home in mine and home else mine[0].slug), "operate"
                )
                about = rule.meant(db, table_or_none(request), about)
                counted = rule.dry_run(db, home.org, about)
                note.counted("exposures", rule.question(about), listing.shown_audiences(db))
            except InputError as wrong:
                error = wrong
        standing = rule.every(db)
        marked = audiences(db, "fleet_rule", "rule", (one.rule for one in standing))
        seen = page_seen.seen(db, marked)
        note.listed("rules", "", marked)
    values = {k: str(v) for k, v in structs.asdict(data).items()}
    errors = {}
    if error is not None:
        told = f"{error.what}: {error.mend}" if error.mend and error.where != "justification" else error.what
        errors = {error.where if error.where in values and error.where != "expected" else "": told}
    return page(
        request,
        "exposure/rules.html",
        status_code=422 if errors else 200,
        tlp=seen.tlp,
        rules=standing,
        form=Form(values if tried else {}, errors),
        data=data,
        counted=counted,
        seen=seen,
        may=bool(mine),
        mine=mine,
        home=home,
        owned={m.org for m in mine},
        orgs={m.org: m.name for m in me.memberships},
        reasons=page_decide.REASONS,
    )
