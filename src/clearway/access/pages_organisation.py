"""*Settings*: an organisation itself, what directives are to it, whose client it is; and all organisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Address, Column, Form, Table, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError

from . import organisation
from .organisation import KINDS, Standing
from .pages_parts import FORM, PAGE, Sent, place, text, whole, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

_R = Request[Any, Any, Any]
_ADMINISTER = needs("administer")
_REFUSED = (InputError, ConflictError, ForbiddenError, NotFoundError)
_DIRECTIVES = ("BOD-26-04", "BOD-22-01", "BOD-26-02")
STANDINGS = {
    "binding": "binding: it must follow it",
    "adopted": "adopted: it follows it by its own decision",
    "advisory": "advisory: dates are advice",
}
KIND_WORDS = {
    "operator": "Operator of systems",
    "finder": "Finder of flaws",
    "vendor": "Vendor or maintainer",
    "lab": "Laboratory",
    "clearinghouse": "Clearinghouse",
    "authority": "Authority that issues directives",
}
COLUMNS = (
    Column(key="name", label="Name", lead=True),
    Column(key="slug", label="Short name"),
    Column(key="kind", label="Kind"),
    Column(key="sectors", label="Sectors", wide=True),
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/settings/organisation", opt=SIGNED_IN, **PAGE)
    def one(request: _R) -> Response[bytes]:
        """The organisation, the standing of directives, and its clients."""
        return _one(request, Form())

    @post("/settings/organisation", opt=_ADMINISTER, **PAGE)
    def change(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Changes its name and sectors."""
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                before = where.here
                organisation.change(
                    db,
                    before.org,
                    whole(text(data, "version")) or 0,
                    name=text(data, "name"),
                    sectors=[s.strip() for s in text(data, "sectors").split(",") if s.strip()][:30],
                )
        except _REFUSED as error:
            return _one(request, wrong(data, error, "name", "sectors"))
        to = f"/settings/organisation?at={before.org}"
        version = str((whole(text(data, "version")) or 0) + 1)
        back = {"version": version, "name": before.name, "sectors": ", ".join(before.sectors)[:1_000]}
        return done(request, to, "The organisation is changed.", undo=to, fields=back)

    @post("/settings/organisation/standing", opt=_ADMINISTER, **PAGE)
    def standing(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Says what one directive is to the organisation."""
        directive, word = text(data, "directive", 64), text(data, "standing")
        try:
            if word not in get_args(Standing):
                raise InputError("choose binding, adopted or advisory", where="standing")
            if not directive or not directive.isprintable():
                raise InputError("name the directive", where="directive", mend="such as BOD-26-04")
            with acting(request) as (db, me):
                where = place(request, db, me)
                before = where.here.standing
                if len(before) >= 100 and directive not in before:
                    raise InputError("100 directives are the most", where="directive")
                organisation.change(
                    db,
                    where.here.org,
                    whole(text(data, "version")) or where.here.version,
                    standing={
                        **{d: w for d, w in before.items() if d.casefold() != directive.casefold()},
                        directive: word,  # type: ignore[dict-item]  # one of its words
                    },
                )
        except _REFUSED as error:
            return _one(request, wrong(data, error, "directive", "standing"))
        to = f"/settings/organisation?at={where.here.org}"
        return done(
            request,
            to,
            f"{directive} is {word} for {where.here.name}.",
            undo=f"/settings/organisation/standing?at={where.here.org}",
            fields={"directive": directive, "standing": before.get(directive, "advisory")},
        )

    @post("/settings/organisation/clients", opt=_ADMINISTER, **PAGE)
    def client(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Makes an organisation a client, or ends that."""
        wanted = text(data, "is_client") == "yes"
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                chosen = whole(text(data, "client"))
                if chosen is None or chosen == where.here.org:
                    raise InputError("choose another organisation", where="client")
                other = organisation.one(db, chosen)
                organisation.set_client(db, other.org, where.here.org, is_client=wanted)
        except _REFUSED as error:
            return _one(request, wrong(data, error, "client"))
        words = (
            f"{other.name} reads what {where.here.name} marks TLP:AMBER."
            if wanted
            else f"{other.name} no longer reads what {where.here.name} marks TLP:AMBER."
        )
        fields = {"client": str(other.org), "is_client": "no" if wanted else "yes"}
        to = f"/settings/organisation?at={where.here.org}"
        undo = f"/settings/organisation/clients?at={where.here.org}" if wanted or where.brings else ""
        return done(request, to, words, undo=undo, fields=fields)

    @get("/settings/organisations", opt=SIGNED_IN, **PAGE)
    def all_of_them(request: _R) -> Response[bytes]:
        """Every organisation here."""
        return _all(request, Form())

    @post("/settings/organisations", opt=_ADMINISTER, **PAGE)
    def add(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Adds one, without members."""
        try:
            with acting(request) as (db, _):
                made = organisation.add(
                    db,
                    text(data, "slug"),
                    text(data, "name"),
                    text(data, "kind"),
                    [s.strip() for s in text(data, "sectors").split(",") if s.strip()][:30],
                )
        except _REFUSED as error:
            return _all(request, wrong(data, error, "slug", "name", "kind"))
        return done(
            request, f"/settings?at={made.org}", f"{made.name} is added. Invite its first administrator."
        )

    return [one, change, standing, client, all_of_them, add]


def _one(request: _R, form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        where = place(request, db, me)
        others = [o for o in organisation.listed(db) if o.org != where.here.org]
        held = _held(request, db, where.here)
        rows = db.execute(
            "select client, provider from clearway.client_of where client = %s or provider = %s",
            (where.here.org, where.here.org),
        ).fetchall()
    clients = {c for c, p in rows if p == where.here.org}
    providers = {p for c, p in rows if c == where.here.org}
    # By its id, so that BOD-26-04 as somebody typed it and bod-26-04 as it is issued are one line.
    known: dict[str, str] = {}
    for name in (*_DIRECTIVES, *where.here.standing, *held):
        known.setdefault(name.casefold(), name)
    own = {name.casefold(): word for name, word in where.here.standing.items()}
    return page(
        request,
        "access/organisation.html",
        status_code=422 if form.errors else 200,
        where=where,
        form=form,
        standings=list(STANDINGS.items()),
        standing={
            name: held[key].standing if key in held else own.get(key, "advisory")
            for key, name in known.items()
        },
        held={name: held.get(key) for key, name in known.items()},
        said={name for key, name in known.items() if key in own},
        clients=[o for o in others if o.org in clients],
        providers=[o for o in others if o.org in providers],
        others=[(str(o.org), o.name) for o in others if o.org not in clients][:1_000],
        kinds=KIND_WORDS,
    )


def _held(request: _R, db: psycopg.Connection[Any], here: organisation.Organisation) -> Mapping[str, Any]:
    """What each directive is to the organisation, by its id: as the room of directives knows it, which stands above."""
    ask = request.app.state.get("standings")
    found: Mapping[str, Any] = {} if ask is None else ask(db, here.org, here.standing)
    return found


def _all(request: _R, form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        where = place(request, db, me)
        rows = organisation.listed(db)[:2_000]
    table = Table(
        id="organisations",
        caption="Organisations",
        columns=COLUMNS,
        rows=rows,
        address=Address.of(request),
        key="org",
        noun="organisation",
        formats=(),
    )
    return page(
        request,
        "access/organisations.html",
        status_code=422 if form.errors else 200,
        where=where,
        table=table,
        form=form,
        mine={m.org for m in me.memberships},
        kinds=[(kind, KIND_WORDS[kind]) for kind in KINDS],
        words=KIND_WORDS,
    )
