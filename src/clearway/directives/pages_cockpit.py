"""*Directives*: what each is to one's organisation, what is due and overdue under it, its reports, and taking note."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import Note, reading
from clearway.http import csv_out, etag
from clearway.http.acting import PATIENT, SIGNED_IN, acting, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Form, Tlp, done, page, plot
from clearway.records.errors import ClearwayError, ConfigError, ConflictError, InputError

from .api_parts import named
from .attestation import AddressReport, Attested
from .kept import addresses, issues, reports, triages
from .kept.who import acting_in, between, now
from .outlook import Outlook, outlook, support_words
from .pages_attest import attesting, seen_of
from .pages_figures import DAYS, Figures, figures
from .pages_parts import (
    FORM,
    KINDS,
    PAGE,
    STANDINGS,
    About,
    about,
    known,
    org_of,
    private,
    standing_of,
)
from .reports.period import Kind, later, read_kind
from .reports.provider import Late, Provider, default_provider
from .rhythm import next_due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from .duties import ReportDuty
    from .kept.who import Org

AT_ONCE = 3_000  # items counted within the page; more are counted after it
AT_MOST = 300_000
MOST_LATE = 10_000  # counted for the first line of the list


class Line(Struct, frozen=True, kw_only=True):
    """One directive in the list. `issued`: by the organisation itself."""

    about: About
    standing: str
    todo: addresses.ToDo | None
    notice: str
    issued: bool
    devices: Outlook | None = None  # where the directive has lifecycle deadlines


class Told(Struct, frozen=True, kw_only=True):
    """One directive in the list for programs. `version` and `acknowledged` are of what is addressed, where it is."""

    directive: str
    title: str
    issuer: str
    standing: str
    version: str
    acknowledged: date | None
    notice: str


class ReportState(Struct, frozen=True, kw_only=True):
    """One kind of report: what it is, when it was last kept, and by when the next is due. `forms` to download."""

    kind: str
    label: str
    what: str
    last: reports.Kept | None
    due: date | None
    forms: tuple[str, ...]


class Submitting(Struct, frozen=True):
    """The form that keeps a report and shares it."""

    kind: str = ""
    as_of: str = ""
    share_with: str = ""
    by: str = ""
    role: str = ""
    seen: str = ""  # the hash of the inventory that was read before it is attested to


class Noting(Struct, frozen=True):
    """The form that takes note of a version."""

    version: int = 0
    note: str = ""


def handlers(provider: Provider | None = None) -> list[HTTPRouteHandler]:
    """The routes of this file; rows come from `provider`, by default the kept fleet."""

    @get("/directives", opt=SIGNED_IN, **PAGE)
    def listing(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Every directive that the reader may see, and what waits for their organisation."""
        with reading(request) as (db, me, note):
            home = looked_as(request, me)
            org = org_of(db, home)
            day = now(db).date()
            todos = addresses.addressed_to(db, org.org, day) if org is not None else ()
            lines = [_line(db, org, directive, todos, day, provider) for directive in known(db)]
            # What binds comes first, what is over last.
            lines.sort(key=lambda x: (bool(x.notice), [*STANDINGS].index(x.standing), x.about.id))
            mine = me.may("operate", home.org if home else None)
            theirs = [m for m in me.memberships if m.kind == "authority" and "direct" in m.rights]
            late = _overdue(db, provider, org, day)
            open_triages = [t for t in _triages(db, org, now(db)) if t.book.conclusion is None]
            # What is overdue was counted, to 0 too: that is of the organisation's own as well.
            _note(db, note, org, "directives", len(open_triages) + 1)
            if org is not None:
                note.listed("addressed", f"organisation={org.slug}", addresses.audiences(db, org.org))
        return page(
            request,
            "directives/list.html",
            tlp=private(home) if home else None,
            lines=lines,
            waiting=[t for t in todos if t.acknowledged is None],
            late=late.items,
            before_listed=late.before_listed,
            most=MOST_LATE,
            home=home,
            may=mine,
            standings=STANDINGS,
            authorities=theirs,
            triages=open_triages,
        )

    @get(["/directives.json", "/directives.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        with reading(request) as (db, me, note):
            org = org_of(db, looked_as(request, me))
            day = now(db).date()
            if org is not None:
                note.listed("addressed", f"organisation={org.slug}", addresses.audiences(db, org.org))
            todos = addresses.addressed_to(db, org.org, day) if org is not None else ()
            items = [_told(_line(db, org, directive, todos, day, provider)) for directive in known(db)]
        if request.url.path.endswith(".csv"):
            names = Told.__struct_fields__
            body = csv_out.table(names, ([getattr(item, name) for name in names] for item in items))
            headers = {"content-disposition": 'attachment; filename="directives.csv"'}
            return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)
        return etag.response(request, msgspec.json.encode({"items": items, "next": None}), me)

    @get("/directives/{directive:str}", opt=SIGNED_IN, **PAGE)
    def cockpit(request: Request[Any, Any, Any], directive: FromPath[str]) -> Response[bytes]:
        """One directive for one organisation."""
        return _cockpit(request, named(directive), Form(), provider)

    @get("/directives/{directive:str}/figures", opt={**SIGNED_IN, **PATIENT}, **PAGE)
    def counted(request: Request[Any, Any, Any], directive: FromPath[str]) -> Response[bytes]:
        """The figures alone, for a fleet that takes longer to count than a page may."""
        with reading(request) as (db, me, note):
            home = looked_as(request, me)
            org = org_of(db, home)
            day = now(db).date()
            found = about(db, org, named(directive), day)
            shown = _figures(db, provider, org, found, day, AT_MOST)
            _note(db, note, org, found.id, 0 if shown is None else 1)
        return page(
            request,
            "directives/figures.html",
            fragment="figures",
            about=found,
            figures=shown,
            drawn=_drawn(shown),
            tlp=private(home) if home else None,
            too_many=AT_MOST,
        )

    @post("/directives/{directive:str}/acknowledgement", opt=needs("operate"), **PAGE)
    def acknowledge(
        request: Request[Any, Any, Any], directive: FromPath[str], data: Annotated[Noting, FORM]
    ) -> Response[bytes]:
        """Takes note of a version for the organisation."""
        with acting(request) as (db, me):
            home = looked_as(request, me)
            made = addresses.acknowledge(db, me, home.slug if home else "", data.version, data.note)
        return done(
            request,
            _back(request, directive),
            f"Version {made.version} is acknowledged on {made.on}. Who issued it sees that you did.",
        )

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
            return _cockpit(request, named(directive), form, provider)
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
        words = f"for members of {kept.organisation}"
        if kept.shared_with:
            words += f" and of {kept.shared_with}"
        return page(
            request, "directives/report.html", tlp=Tlp("RED", words), kept=kept, label=KINDS[kept.kind],
            forms=_FORMS.get(kept.kind, ("json", "csv")), states=_STATES,
        )  # fmt: skip

    return [listing, told, cockpit, counted, acknowledge, submit, one]


_STATES = ("overdue", "due", "no_date", "remediated_late", "remediated")
_FORMS: dict[str, tuple[str, ...]] = {
    "seven_day": ("json", "csv", "oscal", "text"),
    "two_week": ("json", "csv", "oscal", "text"),
    "overdue": ("csv", "json", "text"),
    "addresses": ("csv", "json"),
    "lifecycle": ("csv", "json"),
}


def _cockpit(
    request: Request[Any, Any, Any], directive: str, form: Form, provider: Provider | None
) -> Response[bytes]:
    with reading(request) as (db, me, note):
        home = looked_as(request, me)
        org = org_of(db, home)
        at = now(db)
        day = at.date()
        todos = addresses.addressed_to(db, org.org, day) if org is not None else ()
        found = about(db, org, directive, day)
        shown = _figures(db, provider, org, found, day, AT_ONCE)
        devices = _devices(db, provider, org, found, day)
        held = standing_of(org, directive, todos)
        states = _reports(db, org, found, held, todos)
        books = {
            (t.book.subject.asset, t.book.subject.flaw, t.book.subject.component): t
            for t in reversed(_triages(db, org, at))
            if t.book.subject.directive == directive
        }
        redating = org is not None and is_redating(db, org.org)
        # Its figures, the reports and the triages are the organisation's own.
        _note(
            db,
            note,
            org,
            found.id,
            len(books)
            + (shown is not None)
            + (devices is not None)
            + sum(s.last is not None for s in states),
        )
        mine = me.may("operate", home.org if home else None)
        directs = [m for m in me.memberships if m.kind == "authority" and "direct" in m.rights]
    return page(
        request,
        "directives/cockpit.html",
        status_code=422 if form.errors else 200,
        about=found,
        home=home,
        may=mine,
        figures=shown,
        devices=devices,
        support_words=support_words,
        drawn=_drawn(shown),
        tlp=private(home) if home else None,
        standing=held,
        standings=STANDINGS,
        todos=[t for t in todos if t.version.directive == directive],
        reports=states,
        form=form,
        books=books,
        authorities=directs,
        redating=redating,
        in_force=found.table.notice(day) if found.table else "",
        today=day,
        too_many=AT_ONCE,
        urn="" if home is None else f"organisation={home.slug}&as_of={day}",
    )


def _note(db: psycopg.Connection[Any], note: Note, org: Org | None, name: str, rows: int) -> None:
    """Tells the log that so much of what is the organisation's own is read on the page of a directive, or of all."""
    if org is not None and rows:
        question = urlencode({"organisation": org.slug, "directive": name})
        note.listed("cockpit", question, [between(db, org.org)] * rows)


def is_redating(db: psycopg.Connection[Any], org: int) -> bool:
    """Whether the organisation's dates are being counted anew by another version: until then they are the old ones."""
    return db.execute("select from clearway.fleet_redating(%s)", ([org],)).fetchone() is not None


def _overdue(db: psycopg.Connection[Any], provider: Provider | None, org: Org | None, day: date) -> Late:
    if org is None:
        return Late()
    try:
        return (provider or default_provider()).overdue(db, org.org, day, MOST_LATE)
    except ConfigError:  # this installation keeps no fleet
        return Late()


def _told(line: Line) -> Told:
    return Told(
        directive=line.about.id,
        title=line.about.title,
        issuer=line.about.issuer,
        standing=line.standing,
        version=line.todo.version.version if line.todo else "",
        acknowledged=line.todo.acknowledged if line.todo else None,
        notice=line.notice,
    )


def _line(
    db: psycopg.Connection[Any],
    org: Org | None,
    directive: str,
    todos: tuple[addresses.ToDo, ...],
    day: date,
    provider: Provider | None,
) -> Line:
    found = about(db, org, directive, day)
    return Line(
        about=found,
        standing=standing_of(org, directive, todos),
        todo=next((t for t in todos if t.version.directive == directive), None),
        notice=found.table.notice(day) if found.table else "",
        devices=_devices(db, provider, org, found, day),
        issued=org is not None and any(not v.imported for v in issues.versions(db, directive, org.slug)),
    )


def _triages(db: psycopg.Connection[Any], org: Org | None, at: datetime) -> tuple[triages.Triage, ...]:
    return () if org is None else triages.of_organisation(db, org.slug, now=at, limit=500)


def _figures(
    db: psycopg.Connection[Any],
    provider: Provider | None,
    org: Org | None,
    found: About,
    day: date,
    most: int,
) -> Figures | None:
    """The figures; None where there is nothing to count, or more than `most`."""
    if org is None or found.table is None:
        return None
    try:
        rows = (provider or default_provider()).rows(
            db, org.org, found.table, day, since=later(day, 1 - DAYS)
        )
        return figures(rows, found.table, day, most)
    except ConfigError:  # this installation keeps no fleet
        return None


def _devices(
    db: psycopg.Connection[Any], provider: Provider | None, org: Org | None, found: About, day: date
) -> Outlook | None:
    """What is due of edge devices; None where the directive asks nothing of them, or no fleet is kept."""
    if org is None or found.duties is None or not found.duties.lifecycle:
        return None
    try:
        return outlook(found.duties, (provider or default_provider()).edge_devices(db, org.org, day), day)
    except ConfigError:  # this installation keeps no fleet
        return None


def _drawn(shown: Figures | None) -> plot.Drawn | None:
    if shown is None or not any(shown.open[:-1]):  # of one day alone there is no course to draw
        return None
    return plot.lines(
        f"Open items of the last {DAYS} days",
        shown.days,
        {"Open": shown.open, "Overdue": shown.late},
        steps=True,
    )


def _reports(
    db: psycopg.Connection[Any],
    org: Org | None,
    found: About,
    standing: str,
    todos: tuple[addresses.ToDo, ...],
) -> tuple[ReportState, ...]:
    if org is None:
        return ()
    duty = {d.kind: d for d in (found.duties.reports if found.duties else ())}
    kinds = [*duty]
    if found.table is not None:
        kinds += [k for k in ("seven_day", "overdue") if k not in kinds]
    if found.duties is not None and found.duties.lifecycle:
        kinds.append("lifecycle")
    kept = {k: reports.listed(db, org=org.slug, directive=found.id, kind=k, limit=50) for k in kinds}
    made = []
    for kind in kinds:
        one = duty.get(kind)
        made.append(
            ReportState(
                kind=kind,
                label=KINDS[kind],
                what=one.what if one else "",
                last=max(kept[kind], key=lambda k: (k.as_of, k.id), default=None),
                # What is advice has no day by which to report.
                due=_due(one, found.id, kept, todos) if one and standing != "advisory" else None,
                forms=_FORMS[kind] if found.reported or kind == "lifecycle" else (),
            )
        )
    return tuple(made)


def _due(
    duty: ReportDuty,
    directive: str,
    kept: Mapping[Kind, Sequence[reports.Kept]],
    todos: tuple[addresses.ToDo, ...],
) -> date:
    """By when the next report is due, the earliest of all authorities that wait for it, as each of them sees it.

    An authority counts what it was shown; without one each kept report counts.
    """
    met = [k for kind in (duty.kind, *duty.also_met_by) for k in kept.get(kind, ())]
    waiting = [t for t in todos if t.version.directive == directive and t.standing != "advisory"]
    if not waiting:
        return next_due(duty, None, max((k.as_of for k in met), default=None))
    return min(
        next_due(duty, t.since, max((k.as_of for k in met if k.shared_with == t.version.by), default=None))
        for t in waiting
    )


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


def _back(request: Request[Any, Any, Any], directive: str) -> str:
    asked = str(request.query_params.get("org", ""))
    query = f"?org={asked}" if asked.replace("-", "").isalnum() else ""
    return f"/directives/{named(directive)}{query}"
