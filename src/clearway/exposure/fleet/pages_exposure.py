"""*Exposure*: the flat list over all assets with filters and acts, and one exposure with the reasons of its date."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect
from msgspec import Struct, structs

from clearway.access.reading import audiences, reading
from clearway.http.acting import PATIENT, SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Column, Form, Table, done, page
from clearway.http.pages.address import OF_PAGES
from clearway.records.errors import BusyError, ConflictError, InputError, NotFoundError, TooLargeError
from clearway.records.fleet_input import begins
from clearway.records.text import plain

from . import (
    api_lists,
    asset,
    called,
    flawview,
    listing,
    page_asked,
    page_decide,
    page_facets,
    page_seen,
    page_why,
    redate,
    ruling,
    status,
    tiers,
    traces,
)
from .page_common import PAGE, pairs_of, table_or_none, today

if TYPE_CHECKING:
    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

_FORM = Body(media_type=RequestEncodingType.URL_ENCODED)
_PICKED = 500
_LONGEST_VIEW = 4_000

COLUMNS = (
    Column(key="due", label="Due", sort="due", lead=True),
    Column(key="flaw", label="Flaw"),
    Column(key="component", label="Component", sort="name", wide=True),
    Column(key="asset", label="Asset"),
    Column(key="tier", label="How soon", term="tier"),
    Column(key="status", label="Status"),
    Column(key="severity", label="Severity", sort="severity", number=True, term="CVSS"),
    Column(key="epss", label="EPSS", sort="epss", number=True, term="EPSS", shown=False),
    Column(key="kev", label="In KEV since", sort="kev", term="KEV", shown=False),
    Column(key="detected", label="Found", shown=False),
    Column(key="tlp", label="Marking", term="TLP"),
)
VIEWS = (
    ("Open", "?status=open&sort=due"),
    ("Due in 7 days", "?status=open&verdict=affected&within=7"),
    ("Overdue", "?status=open&verdict=affected&within=overdue"),
    ("Attackers use it, from the internet", "?status=open&kev=yes&exposure=public"),
    ("Not set aside", "?suppressed!=yes"),
    ("Set aside", "?suppressed=yes"),
    ("Not known", "?verdict=unknown"),
    ("Gone", "?gone=yes"),
    ("All", "?sort=due"),
)


class OneWay(Table, frozen=True, kw_only=True):
    """A table whose orders each have one direction: what is due first, the highest, the newest."""

    def sorting(self, column: Column) -> str:
        if not column.sort or self.sort != column.sort:
            return "none"
        return "ascending" if column.sort in ("due", "name") else "descending"

    def sort_link(self, column: Column) -> Address:
        return self.address.set(sort=column.sort)


class Deciding(Struct, frozen=True):
    """The form of an act on exposures. `id` is numbers joined by a comma; with `view`, all that a list shows.

    `lost` is "yes" of who knows that a patch before the first volatile evidence loses what memory would tell. `state`
    is how they stood when the page showed them; where they stand otherwise now, it is asked again.
    """

    act: str = ""
    ids: str = ""
    view: str = ""
    expected: str = ""
    state: str = ""
    justification: str = ""
    detail: str = ""
    until: str = ""
    any_version: str = ""
    lost: str = ""
    back: str = ""


class Redating(Struct, frozen=True):
    """The form by which a day of detection is set right."""

    detected: str = ""
    reason: str = ""


class Undo(Struct, frozen=True):
    """The form of the way back: the decisions of one act."""

    first: int = 0
    last: int = 0
    back: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/exposure", opt=SIGNED_IN, **PAGE)
    def shown(request: Request[Any, Any, Any]) -> Response[bytes] | Redirect:
        """The list; where nothing is asked of it, what is open."""
        address = Address.of(request)
        if {name for name, _ in address.query} <= {"org", *OF_PAGES}:
            return Redirect(str(address.set(status="open", sort="due")), status_code=303)
        return _list(request)

    @get(["/exposure.json", "/exposure.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        return api_lists.answer(request, of_page=True)

    @get("/exposure/facets", opt={**SIGNED_IN, **PATIENT}, **PAGE)
    def counted(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The filters with their numbers, where these take longer than the page may."""
        address = Address("/exposure", Address.of(request).query)
        with reading(request) as (db, me, note):
            day = today()
            pairs = pairs_of(request)
            asked = page_asked.asked(
                pairs,
                me,
                day,
                most=page_asked.LIMIT,
                of_page=True,
                leads=flawview.led(table_or_none(request)),
                called=called.led(db),
                tiers=partial(tiers.known, db),
            )
            numbers = page_facets.count(db, me, asked, page_facets.PATIENT_MS)
            facets = page_facets.facets(db, me, asked, numbers, address, day, page_facets.PATIENT_MS)
            note.counted("exposures", urlencode(pairs), listing.shown_audiences(db, gone=asked.wanted.gone))
        return page(
            request,
            "exposure/facets.html",
            fragment="filters",
            address=address,
            facets=facets,
            counted=numbers,
        )

    @get("/exposure/{exposure:int}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], exposure: FromPath[int]) -> Response[bytes]:
        """One exposure: why it is due when it is, who said what of it, how it was before."""
        return _one(request, exposure, Form())

    @post("/exposure/{exposure:int}/detected", opt=needs("operate"), **PAGE)
    def detected(
        request: Request[Any, Any, Any], exposure: FromPath[int], data: Annotated[Redating, _FORM]
    ) -> Response[bytes]:
        """Sets right on which day it was detected; what is wrong is said beside the fields, with what was typed."""
        day, errors = None, dict[str, str]()
        try:
            day = page_asked.day_in(data.detected.strip(), "detected")
            if day is None:
                raise InputError("which day?", mend="give the day on which it was detected")
        except InputError as error:
            errors["detected"] = _told(error)
        with acting(request) as (db, _):
            flaw = listing.one(db, exposure).flaw
            errors |= {e.where: _told(e) for e in redate.wrong(flaw, day, data.reason, day=today())}
            if day is not None and not errors:
                was, line = redate.redate(db, exposure, day, data.reason, day=today())
                return done(request, f"/exposure/{exposure}", f"Found on {line.detected}, not on {was}.")
        return _one(request, exposure, Form(structs.asdict(data), errors))

    @get("/exposure/decide", opt=needs("operate"), **PAGE)
    def before(request: Request[Any, Any, Any]) -> Response[bytes]:
        """What an act would reach, before it is done."""
        address = Address.of(request)
        view = address.get("view")[:_LONGEST_VIEW] if address.get("all") == "yes" else ""
        ids = address.get("ids") or ",".join(v for k, v in pairs_of(request) if k == "id")
        asked = Deciding(
            act=address.get("act"), ids=ids, view=view, back=address.get("back"), until=address.get("until")
        )
        return _before(request, asked, Form({"until": asked.until}))

    @post("/exposure/decide", opt=needs("operate"), **PAGE)
    def decide(request: Request[Any, Any, Any], data: Annotated[Deciding, _FORM]) -> Response[bytes]:
        """Does it, for as many as were shown before, as they stood then."""
        try:
            said = _said(data)
            with acting(request) as (db, me):
                found = _found(request, db, me, data)
                if str(len(found)) != data.expected:
                    raise InputError(f"it is {len(found):,} now; look again, then repeat", where="expected")
                if data.act == "fixed" and data.lost != "yes" and traces.traces(db, found).bare:
                    raise InputError(
                        "say that you know what is lost, or take the evidence first", where="lost"
                    )
                changed = _decide(db, found, said, me.orgs("operate"), data.state)
                batch = page_decide.batch_of(db, changed)
        except ConflictError as error:
            return _before(request, data, Form(_values(data), {"": error.what}), data.state)
        except InputError as error:
            values = _values(data)
            where = error.where if error.where in values else ""
            told = error.what if where == "justification" else _told(error)
            return _before(request, data, Form(values, {where: told}))
        return done(
            request,
            _back(data.back),
            page_decide.words(len(changed), data.act, said.until),
            undo="/exposure/undo" if changed else "",
            fields={"first": str(batch.first), "last": str(batch.last), "back": _back(data.back)},
        )

    @post("/exposure/undo", opt=needs("operate"), **PAGE)
    def undo(request: Request[Any, Any, Any], data: Annotated[Undo, _FORM]) -> Response[bytes]:
        """Takes an act of one's own back, where nobody has decided since."""
        with acting(request) as (db, _):
            batch = page_decide.Batch(data.first, data.last)
            changed = page_decide.take_back(db, batch)
            told = page_decide.taken_back(db, batch, len(changed))
        return done(request, _back(data.back), told)

    return [shown, told, counted, one, detected, before, decide, undo]


def _one(request: Request[Any, Any, Any], exposure: int, form: Form) -> Response[bytes]:
    """The page of one exposure; with the errors of `form` it is a 422."""
    address = Address.of(request)
    with reading(request) as (db, me, note):
        on = address.get("on")
        try:
            found = page_why.why(db, exposure, page_asked.known_day(on, "on", today()))
        except (InputError, NotFoundError) as error:
            if not on:
                raise
            found = page_why.why(db, exposure, today())
            words = (
                str(error) if isinstance(error, InputError) else f"it was not known here on {plain(on, 20)}"
            )
            form = Form({"on": on}, {"on": words})
        later = (
            page_why.if_internal(db, [exposure], today()) if found.line.asset_exposure != "internal" else None
        )
        forensic = traces.traces(db, [exposure])
        auds = [found.line.aud, *status.words_of(db, found.said)]
        seen = page_seen.seen(db, auds)
        note(f"exposure/{exposure}", auds)
        names = _people(db, found.said)
    later, cut_off = page_why.postponed(later, found.line.due, today())
    table = table_or_none(request)
    flaw = table.flaw(found.line.flaw) if table is not None and not found.line.fixed else None
    return page(
        request,
        "exposure/one.html",
        status_code=422 if form.errors else 200,
        tlp=seen.tlp,
        why=found,
        line=found.line,
        later=later,
        cut_off=cut_off,
        forensic=forensic,
        action=flaw.kev.required_action if flaw is not None and flaw.kev is not None else "",
        seen=seen,
        form=form,
        names=names,
        reasons=page_decide.REASONS,
        may=me.may("operate", found.line.org),
        first=begins(found.line.flaw),
        today=today(),
    )


def _told(error: InputError) -> str:
    return f"{error.what}: {error.mend}" if error.mend else error.what


def _list(request: Request[Any, Any, Any]) -> Response[bytes]:
    address = Address.of(request)
    day = today()
    with reading(request) as (db, me, note):
        pairs = pairs_of(request)
        asked = page_asked.asked(
            pairs,
            me,
            day,
            most=page_asked.LIMIT,
            of_page=True,
            leads=flawview.led(table_or_none(request)),
            called=called.led(db),
            tiers=partial(tiers.known, db),
        )
        lines: tuple[listing.ExposureLine, ...]
        try:
            lines, following, slow = *api_lists.page(db, me, asked, sealer(request)), ""
        except BusyError as error:
            lines, following, slow = (), "", error.mend
        note.listed("exposures", urlencode(pairs), (line.aud for line in lines))
        counted = page_facets.count(db, me, asked)
        facets = page_facets.facets(db, me, asked, counted, address, day)
        seen = page_seen.seen(db, (line.aud for line in lines))
        fleet = asset.page(db, limit=1) if not lines else (None,)
        redating = ruling.pending(db, (m.org for m in me.memberships))
    table = OneWay(
        id="exposures",
        caption="Exposures",
        columns=_columns(address),
        rows=lines,
        address=address,
        key="exposure",
        default_sort="due",
        next=following,
        total=counted.total if counted is not None else None,
        noun="exposure",
        selectable=me.may("operate"),
    )
    return page(
        request,
        "exposure/list.html",
        tlp=seen.tlp,
        table=table,
        slow=slow,
        redating=bool(redating),
        counted=counted,
        facets=facets,
        seen=seen,
        views=VIEWS,
        view=_view_of(address),
        narrowed=_narrowed(asked, address),
        no_assets=not fleet,
        no_table=table_or_none(request) is None,
        values=page_facets.VALUES,
        may=me.may("operate"),
        query=_query(request),
    )


def _columns(address: Address) -> tuple[Column, ...]:
    """The status is a column of its own unless the address leaves only one."""
    one_status = len(address.all("status")) == 1
    return tuple(
        structs.replace(c, shown=c.shown and not (c.key == "status" and one_status)) for c in COLUMNS
    )


def _view_of(address: Address) -> str:
    """The named view that this address is, whatever its order and place."""
    mine = sorted(p for p in address.query if p[0] not in ("sort", "cursor", "columns", "words", "org"))
    return next(
        (name for name, query in VIEWS if sorted(p for p in parse_qsl(query[1:]) if p[0] != "sort") == mine),
        "",
    )


_SINGLE = {"asset": "one asset", "flaw": "flaw {}", "name": "component {}", "asset_name": "asset {}",
           "due_from": "due from {}", "due_to": "due until {}"}  # fmt: skip


def _narrowed(asked: page_asked.Asked, address: Address) -> list[tuple[str, Address]]:
    """What narrows the list besides its facets, in words, each with the address without it."""
    found = []
    for name, value in asked.pairs:
        if name == "within":
            words = "overdue" if value == "overdue" else f"due within {value} days"
        elif name == "gone":
            words = "no more there"
        elif name in ("suppressed", "suppressed!"):
            words = "set aside" if name == "suppressed" else "not set aside"
        elif name in _SINGLE:
            words = _SINGLE[name].format(value)
        else:
            continue
        found.append((words, address.without(name.removesuffix("!")).set(sort=asked.sort)))
    return found


def _query(request: Request[Any, Any, Any]) -> str:
    return str(request.url.query)


def _found(
    request: Request[Any, Any, Any], db: psycopg.Connection[Any], me: Principal, data: Deciding
) -> list[int]:
    """The exposures that a form is about."""
    if data.view:
        pairs = parse_qsl(data.view[:_LONGEST_VIEW].lstrip("?"), max_num_fields=100)
        leads = flawview.led(table_or_none(request))
        asked = page_asked.asked(
            pairs,
            me,
            today(),
            of_page=True,
            leads=leads,
            called=called.led(db),
            tiers=partial(tiers.known, db),
        )
        return page_decide.chosen(db, (), asked.wanted)
    picked = [t for t in data.ids.split(",") if t]
    if len(picked) > _PICKED or not all(t.isascii() and t.isdigit() and len(t) < 19 for t in picked):
        raise InputError(f"choose up to {_PICKED} rows, or all that match", where="ids")
    numbers = [int(t) for t in picked]
    # What may not be seen is not there: the same count and words whether or not it exists.
    return [line.exposure for line in listing.lines(db, list(dict.fromkeys(numbers)))]


def _said(data: Deciding) -> status.Decision:
    ends = page_asked.day_in(data.until, "until") if data.act in ("accepted", "mitigated") else None
    status.check_last_day(ends, today())
    return status.Decision(
        status=data.act,  # type: ignore[arg-type]  # checked there
        justification=data.justification if data.act == "not_affected" else "",
        detail=data.detail,
        until=ends,
        any_version=data.any_version == "yes" and data.act in ("not_affected", "accepted"),
    )


def _values(data: Deciding) -> dict[str, str]:
    """What was typed."""
    return {k: getattr(data, k) for k in ("justification", "detail", "until", "any_version", "lost")}


def _decide(
    db: psycopg.Connection[Any], found: list[int], said: status.Decision, orgs: tuple[int, ...], shown: str
) -> tuple[int, ...]:
    """Decides what stands as the page `shown` had it; a form that does not say how is taken as it is.

    Raises:
        ConflictError: somebody has decided meanwhile.
    """
    if not shown:
        return status.decide(db, found, said)
    read = page_decide.versions(db, found)
    if page_decide.holds(shown, page_decide.state(db, found, orgs)):
        with suppress(ConflictError):
            return page_decide.decide_as_read(db, said, read)
    raise ConflictError("nothing was done: they no longer stand as this page showed them. Look again below")


def _before(request: Request[Any, Any, Any], data: Deciding, form: Form, shown: str = "") -> Response[bytes]:
    """What an act would reach; with what was decided since the state `shown`, where that no longer holds."""
    with reading(request) as (db, me, note):
        found = _found(request, db, me, data)
        if len(found) > status.MOST:
            raise TooLargeError(f"over {status.MOST:,} exposures at once", mend="narrow the list first")
        reach = page_decide.reach(db, found, me.orgs("operate"))
        since = page_decide.since(db, found, shown)
        state = page_decide.state(db, found, me.orgs("operate"))
        lines = listing.lines(db, found[:8])
        seen = page_seen.seen(db, (line.aud for line in lines))
        known = data.act if data.act in page_decide.ACTS else ""
        asked = traces.traces(db, found) if known == "fixed" else traces.Traces()
        question = data.view.lstrip("?") if data.view else urlencode({"ids": data.ids})
        note.listed("exposures", question, audiences(db, "exposure", "exposure", found))
    return page(
        request,
        "exposure/decide.html",
        status_code=422 if form.errors else 200,
        tlp=seen.tlp,
        data=data,
        ids=",".join(str(f) for f in found) if not data.view else "",
        expected=len(found),
        state=state,
        since=since,
        reach=reach,
        lines=lines,
        seen=seen,
        form=form,
        act=known,
        traces=asked,
        acts=page_decide.ACTS,
        reasons=page_decide.REASONS,
        values=page_facets.VALUES,
        back=_back(data.back or (f"/exposure?{data.view}" if data.view else "")),
    )


def _back(path: str) -> str:
    """A path of this host to go back to; the list for anything else."""
    if (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isprintable()
        and len(path) < 2_000
    ):
        return path
    return "/exposure"


def _people(db: psycopg.Connection[Any], said: tuple[status.Said, ...]) -> dict[int, str]:
    rows = db.execute(
        "select person, name from clearway.person where person = any(%s)", ([s.person for s in said],)
    ).fetchall()
    return {r[0]: r[1] for r in rows}
