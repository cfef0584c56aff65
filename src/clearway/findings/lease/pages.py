"""*Scan leases*: the calendar and its table, the question before a scan, one lease, "is this scan yours?"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.access.reading import as_file, audiences, reading
from clearway.http.acting import SIGNED_IN, acting
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Form, Table, Tlp, done, page
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, InputError

from ..named import ReferenceText
from . import ask, calendar, hold, whose
from .ask import Asking
from .at_desk import READS, SCANS, home_of, tools
from .listing import LEASES, STATES
from .pages_controls import handlers as controls
from .rule import ACTIVITIES, Activity
from .typed import moment

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
ACTIVITY_WORDS: dict[str, str] = {
    "source-review": "Source review",
    "fuzzing": "Fuzzing",
    "authenticated": "Authenticated scan",
    "port": "Port scan",
    "passive": "Passive",
}
STATE_WORDS = {
    "planned": "Planned",
    "held": "Held",
    "released": "Given back",
    "withdrawn": "Withdrawn",
    "over": "Over",
}
WITHDRAWN_WORDS = {
    "opt-out": "The owner does not want it scanned.",
    "no-proof": "Nobody shows any more that these hosts are yours to scan.",
    "rate": "The owner takes less than this rate now. Ask again with less.",
}
MARKING = Tlp("AMBER+STRICT", "for the organisation that holds it and the coordinators")
COLUMNS = (
    Column(key="reference", label="Lease", lead=True),
    Column(key="activity", label="Activity"),
    Column(key="scope", label="Scope", wide=True),
    Column(key="state", label="State"),
    Column(key="starts", label="From", sort="starts"),
    Column(key="until", label="Until", sort="until"),
    Column(key="organisation", label="Organisation"),
    Column(key="fence", label="Fencing token", shown=False),
)


class AskForm(Struct, frozen=True):
    """The form of a question before a scan; all as typed, several of a kind one a line."""

    activity: str = ""
    scope: str = ""
    starts: str = ""
    until: str = ""
    ttl_min: str = ""
    rate: str = ""
    sources: str = ""
    authorisation: str = ""
    label: str = ""
    about: str = ""
    sealed: str = ""
    organisation: str = ""


class WhoseForm(Struct, frozen=True):
    """The form of "is this scan yours?"."""

    source: str = ""
    target: str = ""
    at: str = ""


class RenewForm(Struct, frozen=True):
    """The form that renews: the token that the lease came with."""

    fence: str = ""


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router("/", route_handlers=[*_handlers(), *controls()], include_in_schema=False)


def _handlers() -> list[HTTPRouteHandler]:
    @get("/leases", opt=SIGNED_IN, **PAGE)
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The calendar, and the list."""
        asked = LEASES.asked(request)
        now = tools(request).clock.now().astimezone(UTC)
        first = calendar.begins(now)
        with reading(request) as (db, me, note):
            found = LEASES.read(db, me, asked, sealer(request))
            note.page(found)
            shown = hold.in_window(db, first, first + timedelta(weeks=calendar.WEEKS))
            drawn = audiences(db, "lease", "reference", (one.reference for one in shown))
            note.listed("leases", f"from={first:%Y-%m-%d}", drawn)
            may = any(set(SCANS) & set(m.rights) for m in me.memberships)
        return page(
            request,
            "findings/lease/list.html",
            tlp=MARKING if found.items or shown else None,
            table=Table(
                id="leases", caption="Scan leases", columns=COLUMNS, rows=found.items, key="reference", noun="lease",
                address=Address.of(request), next=found.next, default_sort="starts",
            ),
            facets=(
                Facet(name="state", label="State", choices=tuple(
                    Choice(value=state, label=STATE_WORDS[state]) for state in STATES)),
                Facet(name="activity", label="Activity", choices=tuple(
                    Choice(value=one, label=ACTIVITY_WORDS[one]) for one in ACTIVITIES)),
            ),
            weeks=calendar.weeks(shown, now),
            activities=ACTIVITY_WORDS,
            states=STATE_WORDS,
            may=may,
            nothing=not found.items and not shown and not asked.narrowed and not asked.cursor,
        )  # fmt: skip

    @get(["/leases.json", "/leases.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        return as_file(request, LEASES)

    @get("/leases/ask", opt=SIGNED_IN, **PAGE)
    def empty(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form."""
        return _asking(request, Form())

    @post("/leases/ask", opt=SIGNED_IN, **PAGE)
    def asked_for(request: Request[Any, Any, Any], data: Annotated[AskForm, FORM]) -> Response[bytes]:
        """The answer; with a lease, its page."""
        values = {name: str(getattr(data, name))[:40_000] for name in data.__struct_fields__}
        desk = tools(request)
        state = request.app.state.get("table")
        try:
            asking = _read(data)
            table = state.current() if asking.about and state is not None else None
            with acting(request) as (db, me):
                of = home_of(me, data.organisation, SCANS)
                answer = ask.ask(db, desk.key, of, asking, table=table, clock=desk.clock)
        except (InputError, ForbiddenError) as error:
            return _asking(request, wrong(values, error))
        if answer.lease is None:
            return _asking(request, Form(values), answer)
        return done(request, f"/leases/{answer.lease.reference}", answer.words)

    @get("/leases/whose", opt=SIGNED_IN, **PAGE)
    def whose_form(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form."""
        return page(request, "findings/lease/whose.html", form=Form(), answer=None)

    @post("/leases/whose", opt=SIGNED_IN, **PAGE)
    def is_it_ours(request: Request[Any, Any, Any], data: Annotated[WhoseForm, FORM]) -> Response[bytes]:
        """The answer."""
        values = {name: str(getattr(data, name))[:2_000] for name in data.__struct_fields__}
        desk = tools(request)
        try:
            at = _time(data.at, "at")
            with acting(request) as (db, me):
                of = home_of(me, request.query_params.get("org", ""), READS)
                found = whose.whose(db, desk.key, of, data.source, at, data.target, clock=desk.clock)
        except (InputError, ForbiddenError) as error:
            return page(
                request, "findings/lease/whose.html", status_code=422, form=wrong(values, error), answer=None
            )
        return page(request, "findings/lease/whose.html", form=Form(values), answer=found)

    @get("/leases/{reference:str}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], reference: FromPath[ReferenceText]) -> Response[bytes]:
        """One lease."""
        return _shown(request, reference, Form())

    @post("/leases/{reference:str}/renewal", opt=SIGNED_IN, **PAGE)
    def renewed(
        request: Request[Any, Any, Any],
        reference: FromPath[ReferenceText],
        data: Annotated[RenewForm, FORM],
    ) -> Response[bytes]:
        """Renews it; what does not fit is shown beside it."""
        try:
            with acting(request) as (db, _):
                fence = (
                    int(data.fence)
                    if data.fence.isascii() and data.fence.isdigit() and len(data.fence) < 20
                    else -1
                )
                found = hold.renew(db, reference, fence)
        except (InputError, ConflictError) as error:
            return _shown(request, reference, Form({}, {"": str(error)}))
        return done(request, f"/leases/{found.reference}", "Renewed.")

    @post("/leases/{reference:str}/release", opt=SIGNED_IN, **PAGE)
    def released(request: Request[Any, Any, Any], reference: FromPath[ReferenceText]) -> Response[bytes]:
        """Gives it back."""
        with acting(request) as (db, _):
            found = hold.release(db, reference)
        return done(request, f"/leases/{found.reference}", f"{found.reference} is given back.")

    return [listed, told, empty, asked_for, whose_form, is_it_ours, one, renewed, released]


def wrong(values: dict[str, str], error: ClearwayError) -> Form:
    """What was typed, and what is wrong: beside its field where the form has one."""
    words = f"{error.what}: {error.mend}" if error.mend else error.what
    field, _, place = error.where.partition("[")
    if field not in values:
        return Form(values, {"": str(error)})
    return Form(values, {field: f"line {int(place[:-1]) + 1} {words}" if place[:-1].isdigit() else words})


def _asking(request: Request[Any, Any, Any], form: Form, answer: ask.Answer | None = None) -> Response[bytes]:
    with acting(request) as (_, me):
        mine = [m for m in me.memberships if set(SCANS) & set(m.rights)]
    return page(
        request,
        "findings/lease/ask.html",
        status_code=422 if form.errors else 200,
        form=form,
        answer=answer,
        mine=mine,
        activities=list(ACTIVITY_WORDS.items()),
        example="git+https://host/owner/name@commit#src/**",
    )


def _shown(request: Request[Any, Any, Any], reference: str, form: Form) -> Response[bytes]:
    with reading(request) as (db, _, note):
        found = hold.one(db, reference)
        note(hold.subject(found.reference), audiences(db, "lease", "reference", [found.reference]))
        may = hold.may(db, reference)
    return page(
        request,
        "findings/lease/one.html",
        status_code=409 if form.errors else 200,
        tlp=MARKING,
        lease=found,
        form=form,
        may=may,
        activities=ACTIVITY_WORDS,
        states=STATE_WORDS,
        withdrawn=WITHDRAWN_WORDS,
    )


def _read(data: AskForm) -> Asking:
    if data.activity not in ACTIVITIES:
        raise InputError("choose what you are about to do", where="activity")
    activity: Activity = data.activity
    return Asking(
        activity=activity,
        scope=_lines(data.scope),
        starts=_time(data.starts, "starts"),
        until=_time(data.until, "until"),
        ttl_s=int(_number(data.ttl_min or "15", "ttl_min") * 60),
        rate=_number(data.rate, "rate") if data.rate.strip() else None,
        sources=_lines(data.sources),
        authorisation=data.authorisation,
        label=data.label,
        about=data.about.strip(),
        sealed=data.sealed == "yes",
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text[:40_000].splitlines() if line.strip())


def _number(text: str, where: str) -> float:
    typed = text.strip()
    if not (typed.isascii() and typed.replace(".", "", 1).isdigit() and len(typed) < 12):
        raise InputError("a number is wanted", where=where)
    return float(typed)


def _time(text: str, where: str) -> datetime | None:
    """The UTC time that was typed; a day alone is all of it. None for nothing. Raises InputError."""
    try:
        return moment(text, to_end=where == "until")
    except ValueError:
        raise InputError("is no time", where=where, mend="write 2026-12-01T09:00, in UTC") from None
