"""*Settings*: the people and services of an organisation, what each may do, and how they come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Address, Column, Form, Table, done, page
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    UsageError,
)

from . import credential, invitation, organisation, pages_shown, person
from .api_parts import number
from .pages_parts import (
    FORM,
    LIVES,
    PAGE,
    REACH,
    RIGHTS,
    ROLES,
    Place,
    Sent,
    place,
    several,
    text,
    wrong,
)
from .person import Member
from .secret import Made

_R = Request[Any, Any, Any]
_ADMINISTER = needs("administer")
_REFUSED = (InputError, ConflictError, ForbiddenError, NotFoundError)
PEOPLE = (
    Column(key="name", label="Name", lead=True),
    Column(key="roles", label="Roles", wide=True),
    Column(key="email", label="Mail"),
    Column(key="active", label="State"),
)


class May(Struct, frozen=True):
    """One right in words, and the roles that bring it; none when the person lacks it."""

    words: str
    by: tuple[str, ...]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/settings", opt=SIGNED_IN, **PAGE)
    def people(request: _R) -> Response[bytes]:
        """The people of an organisation."""
        return _people(request, "person", Form())

    @get("/settings/services", opt=SIGNED_IN, **PAGE)
    def services(request: _R) -> Response[bytes]:
        """Its services, which come in by tokens."""
        return _people(request, "service", Form())

    @post("/settings/people", opt=_ADMINISTER, **PAGE)
    def add(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Adds a person and leads to their invitation, or adds a service."""
        kind = "service" if text(data, "kind") == "service" else "person"
        now = datetime.now(UTC)
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                made = person.add(
                    db,
                    where.here.org,
                    text(data, "name"),
                    several(data, "roles"),
                    email=text(data, "email"),
                    kind=kind,
                )
                code = invitation.invite(db, made.person, where.here.org, now=now) if kind == "person" else ""
        except _REFUSED as error:
            return _people(request, kind, wrong(data, error, "name", "email", "roles"))
        if kind == "service":
            return done(
                request,
                _to(where, made.person),
                f"{made.name} is added. It comes in by a token: make one below.",
            )
        return _invited(request, where, made, code, now + invitation.LIFE)

    @get("/settings/people/{who:int}", opt=SIGNED_IN, **PAGE)
    def one(request: _R, who: FromPath[int]) -> Response[bytes]:
        """One person or service: what they may do, and why."""
        return _one(request, who, Form())

    @post("/settings/people/{who:int}/role", opt=_ADMINISTER, **PAGE)
    def role(request: _R, who: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Gives a role (`give`) or takes one (`take`)."""
        give, take = text(data, "give"), text(data, "take")
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                whom = person.one(db, number(who))
                if give:
                    person.grant(db, whom.person, where.here.org, give)
                elif take:
                    person.revoke(db, whom.person, where.here.org, take)
                else:
                    raise UsageError("choose a role")
                left = any(m.person == whom.person for m in person.members(db, where.here.org))
        except (*_REFUSED, UsageError) as error:
            return _one(request, who, wrong(data, error, "give"))
        label = ROLES.get(give or take, (give or take, ""))[0].lower()
        words = (
            f"{whom.name} is {_article(label)} {label} now."
            if give
            else f"{whom.name} is no {label} any more."
        )
        back = {"take": give} if give else {"give": take}
        to = _to(where, whom.person) if left else f"/settings?at={where.here.org}"
        # Who administers the installation takes a role away, and does not give it back.
        undo = f"/settings/people/{who}/role?at={where.here.org}" if give or where.brings else ""
        return done(request, to, words, undo=undo, fields=back)

    @post("/settings/people/{who:int}/invitation", opt=_ADMINISTER, **PAGE)
    def invite(request: _R, who: FromPath[int]) -> Response[bytes]:
        """A new one-time code; the codes before it are void."""
        now = datetime.now(UTC)
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                whom = person.one(db, number(who))
                code = invitation.invite(db, whom.person, where.here.org, now=now)
        except ForbiddenError as error:
            return _one(request, who, wrong({}, error))
        return _invited(request, where, whom, code, now + invitation.LIFE)

    @post("/settings/people/{who:int}/active", opt=_ADMINISTER, **PAGE)
    def active(request: _R, who: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Bars a person, or lets them in again."""
        wanted = text(data, "active") == "yes"
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                whom = person.one(db, number(who))
                person.set_active(db, whom.person, active=wanted)
        except _REFUSED as error:
            return _one(request, who, wrong(data, error))
        words = (
            f"{whom.name} may come in again."
            if wanted
            else f"{whom.name} is barred; all they held has ended."
        )
        undo = "" if wanted else f"/settings/people/{who}/active?at={where.here.org}"
        return done(request, _to(where, whom.person), words, undo=undo, fields={"active": "yes"})

    @post("/settings/people/{who:int}/tokens", opt=_ADMINISTER, **PAGE)
    def token(request: _R, who: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """A token of a service; its secret is on the page that it leads to, and nowhere else."""
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                whom = person.one(db, number(who))
                made = make_token(db, whom.person, data)
        except _REFUSED as error:
            return _one(request, who, wrong(data, error, "label"))
        return token_page(request, made, text(data, "label"), whom.name, _to(where, whom.person))

    @post("/settings/people/{who:int}/tokens/{which:int}/revoke", opt=_ADMINISTER, **PAGE)
    def revoke(request: _R, who: FromPath[int], which: FromPath[int]) -> Response[bytes]:
        """Ends a token of a service."""
        with acting(request) as (db, me):
            where = place(request, db, me)
            whom = person.one(db, number(who))
            credential.revoke(db, number(which))
        return done(request, _to(where, whom.person), "The token is revoked; its next request is refused.")

    return [people, services, add, one, role, invite, active, token, revoke]


def make_token(db: Any, who: int, data: Sent, org: int | None = None) -> Made:
    """The token that the form asks for.

    Raises:
        InputError: a field is not one that the form offers.
    """
    reach, life = text(data, "reach"), text(data, "life")
    if reach not in REACH or life not in LIVES:
        raise InputError("choose what it may do, and for how long", where="reach")
    return credential.make_token(
        db,
        who,
        label=text(data, "label"),
        scopes=REACH[reach][1],
        org=org,
        life=timedelta(days=int(life)),
        now=datetime.now(UTC),
    )


def token_page(request: _R, made: Made, label: str, owner: str, back: str) -> Response[bytes]:
    """Leads to the one page that shows a token's secret."""
    return pages_shown.lead(
        request,
        pages_shown.Shown(
            kind="token",
            secret=made.secret,
            name=label,
            until=made.expires,
            back=back,
            owner=owner,
            public_id=made.public_id,
        ),
    )


def _people(request: _R, kind: str, form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        where = place(request, db, me)
        everybody = person.members(db, where.here.org)
    rows = [m for m in everybody if m.kind == kind]
    noun = "person" if kind == "person" else "service"
    table = Table(
        id="people",
        caption=f"{noun} list",
        columns=PEOPLE if kind == "person" else tuple(c for c in PEOPLE if c.key != "email"),
        rows=rows,
        address=Address.of(request),
        key="person",
        noun=noun,
        formats=(),
    )
    return page(
        request,
        "access/people.html",
        status_code=422 if form.errors else 200,
        where=where,
        kind=kind,
        table=table,
        form=form,
        chosen=several(dict(form.values), "roles") or (("administrator",) if where.first else ()),
        roles=ROLES,
        offered={"administrator": ROLES["administrator"]} if where.first else ROLES,
        barred=sum(not m.active for m in rows),
    )


def _one(request: _R, who: int, form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        where = place(request, db, me)
        whom = person.one(db, number(who))
        member = next((m for m in person.members(db, where.here.org) if m.person == whom.person), None)
        if member is None and not where.house:
            raise NotFoundError("nobody of that number is here")
        brings: dict[str, list[str]] = {}
        for name, right in db.execute('select role, "right" from clearway.role_right order by role, "right"'):
            brings.setdefault(right, []).append(name)
        elsewhere = [
            organisation.one(db, org)
            for (org,) in db.execute(
                "select distinct org from clearway.membership where person = %s and org <> %s order by org limit 20",
                (whom.person, where.here.org),
            ).fetchall()
        ]
        tokens = credential.listed(db, person=whom.person) if whom.kind == "service" else ()
        tokens = tuple(t for t in tokens if t.kind == "token")
    held = member.roles if member else ()
    rights = tuple(
        May(words, tuple(r for r in brings.get(right, ()) if r in held)) for right, words in RIGHTS.items()
    )
    return page(
        request,
        "access/person.html",
        status_code=422 if form.errors else 200,
        where=where,
        whom=whom,
        held=held,
        rights=rights,
        roles=ROLES,
        givable=[
            (role, label) for role, (label, _) in _givable(where, whom, me.person).items() if role not in held
        ],
        elsewhere=elsewhere,
        tokens=tokens,
        form=form,
        reach={key: label for key, (label, _) in REACH.items()},
        lives=LIVES,
        mine=whom.person == me.person,
    )


def _givable(where: Place, whom: Member, me: int) -> Mapping[str, tuple[str, str]]:
    """The roles that the reader may give to somebody there."""
    if where.brings:
        return ROLES
    if where.first and whom.kind == "person" and whom.active and whom.person != me:
        return {"administrator": ROLES["administrator"]}
    return {}


def _invited(request: _R, where: Place, whom: Member, code: str, until: datetime) -> Response[bytes]:
    back = _to(where, whom.person)
    return pages_shown.lead(
        request, pages_shown.Shown(kind="invitation", secret=code, name=whom.name, until=until, back=back)
    )


def _to(where: Place, who: int) -> str:
    return f"/settings/people/{who}?at={where.here.org}"


def _article(label: str) -> str:
    return "an" if label[:1] in "aeio" else "a"
