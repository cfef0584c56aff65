"""*Directives*: what each is to one's organisation, what is due and overdue under it, its reports, and taking note."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import Note, audiences, reading
from clearway.http import csv_out, etag
from clearway.http.acting import PATIENT, SIGNED_IN, acting, needs
from clearway.http.organisation import looked_as
from clearway.http.pages import Form, done, page, plot
from clearway.records.errors import ConfigError, TooLargeError

from .ahead import Ahead, ahead_of
from .api_parts import named
from .component import package_of
from .kept import addresses, issues, triages
from .kept.who import between, now
from .outlook import Outlook, outlook, support_words
from .pages_figures import DAYS, Figures, figures
from .pages_parts import (
    FORM,
    PAGE,
    STANDINGS,
    About,
    about,
    known,
    org_of,
    private,
    standing_of,
)
from .report_states import report_states
from .reports.period import later
from .reports.provider import Late, Provider, default_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from litestar.handlers import HTTPRouteHandler

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
    """One directive in the list for programs. `version` and `acknowledged` are of what is addressed, where it is.

    `begins` is the day from which it is in effect, where none of its versions stands and one is to come; `standing` is
    what it is on that day.
    """

    directive: str
    title: str
    issuer: str
    standing: str
    version: str
    acknowledged: date | None
    notice: str
    begins: date | None = None


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
            _note(db, note, org, "directives", 1, open_triages)
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
        return cockpit_page(request, named(directive), Form(), provider)

    @get("/directives/{directive:str}/figures", opt={**SIGNED_IN, **PATIENT}, **PAGE)
    def counted(request: Request[Any, Any, Any], directive: FromPath[str]) -> Response[bytes]:
        """The figures alone, for a fleet that takes longer to count than a page may."""
        with reading(request) as (db, me, note):
            home = looked_as(request, me)
            org = org_of(db, home)
            day = now(db).date()
            found = about(db, org, named(directive), day)
            shown = _figures(db, provider, org, found, day, AT_MOST)
            ahead = _ahead(db, provider, org, found, AT_MOST)
            _note(db, note, org, found.id, (shown is not None) + (ahead is not None))
        return page(
            request,
            "directives/figures.html",
            fragment="figures",
            about=found,
            home=home,
            figures=shown,
            ahead=ahead,
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

    return [listing, told, cockpit, counted, acknowledge]


def cockpit_page(
    request: Request[Any, Any, Any], directive: str, form: Form, provider: Provider | None
) -> Response[bytes]:
    """The page of one directive; with the errors of `form` it is a 422."""
    with reading(request) as (db, me, note):
        home = looked_as(request, me)
        org = org_of(db, home)
        at = now(db)
        day = at.date()
        todos = addresses.addressed_to(db, org.org, day) if org is not None else ()
        found = about(db, org, directive, day)
        shown = _figures(db, provider, org, found, day, AT_ONCE)
        ahead = _ahead(db, provider, org, found, AT_ONCE)
        devices = _devices(db, provider, org, found, day)
        then = todos_then(db, org, found, todos)
        held = standing_of(org, directive, then)
        states = report_states(db, org, found, held, todos)
        books = {
            (t.book.subject.asset, t.book.subject.flaw, t.book.subject.component): t
            for t in reversed(_triages(db, org, at))
            if t.book.subject.directive == directive
        }
        redating = org is not None and is_redating(db, org.org)
        # Its figures and the reports are the organisation's own; a triage is for who sees its asset.
        _note(
            db,
            note,
            org,
            found.id,
            (shown is not None)
            + (ahead is not None)
            + (devices is not None)
            + sum(s.last is not None for s in states),
            [*books.values()],
        )
        mine = me.may("operate", home.org if home else None)
        directs = [m for m in me.memberships if m.kind == "authority" and "direct" in m.rights]
    return page(
        request,
        "directives/cockpit.html",
        status_code=422 if form.errors else 200,
        about=found,
        package_of=package_of,
        home=home,
        may=mine,
        figures=shown,
        ahead=ahead,
        devices=devices,
        support_words=support_words,
        drawn=_drawn(shown),
        tlp=private(home) if home else None,
        standing=held,
        standings=STANDINGS,
        todos=[t for t in todos if t.version.directive == directive],
        asked=any(t.version.directive == directive for t in then)
        or (found.comes is not None and found.comes.imported),
        reports=states,
        form=form,
        books=books,
        authorities=directs,
        redating=redating,
        in_force=found.notice,
        today=day,
        too_many=AT_ONCE,
        urn="" if home is None else f"organisation={home.slug}&as_of={found.last_day or day}",
    )


def _note(
    db: psycopg.Connection[Any],
    note: Note,
    org: Org | None,
    name: str,
    rows: int,
    books: Sequence[triages.Triage] = (),
) -> None:
    """Tells the log that so much of what is the organisation's own is read on the page of a directive, or of all, and
    which triages."""
    if org is not None and (rows or books):
        question = urlencode({"organisation": org.slug, "directive": name})
        of_triages = audiences(db, "triage", "triage", [book.id for book in books])
        note.listed("cockpit", question, [between(db, org.org)] * rows + of_triages)


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
        begins=line.about.begins,
    )


def todos_then(
    db: psycopg.Connection[Any], org: Org | None, found: About, todos: tuple[addresses.ToDo, ...]
) -> tuple[addresses.ToDo, ...]:
    """What is addressed to the organisation today; for a directive that is first to come, on the day that it begins."""
    if org is None or found.table is not None or found.begins is None:
        return todos
    return addresses.addressed_to(db, org.org, found.begins)


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
        standing=standing_of(org, directive, todos_then(db, org, found, todos)),
        todo=next((t for t in todos if t.version.directive == directive), None),
        notice=found.notice,
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
    """The figures; None where there is nothing to count, as under what is revoked, or more than `most`."""
    if org is None or found.table is None or found.ended is not None:
        return None
    try:
        rows = (provider or default_provider()).rows(
            db, org.org, found.table, day, since=later(day, 1 - DAYS)
        )
        return figures(rows, found.table, day, most)
    except ConfigError:  # this installation keeps no fleet
        return None


def _ahead(
    db: psycopg.Connection[Any], provider: Provider | None, org: Org | None, found: About, most: int
) -> Ahead | None:
    """What would be due under what comes; None where nothing does, or of more than `most` items."""
    try:
        return ahead_of(db, provider, org, found, most)
    except TooLargeError:
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


def _back(request: Request[Any, Any, Any], directive: str) -> str:
    asked = str(request.query_params.get("org", ""))
    query = f"?org={asked}" if asked.replace("-", "").isalnum() else ""
    return f"/directives/{named(directive)}{query}"
