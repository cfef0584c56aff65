"""*Settings*: recipient lists, embargoes, and what waits for a second person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError

from . import approval, embargo, organisation, person, recipients
from .api_parts import must, number
from .pages_parts import FORM, PAGE, Sent, called_before, names, place, text, whole, wrong
from .reading import reading

_R = Request[Any, Any, Any]
_COORDINATE = needs("coordinate")
# That an embargo exists is known to its keeper, its parties and the coordinators alone while it lasts.
_UNDER = Tlp("RED", "for the parties and the coordinators until the embargo ends")
_REFUSED = (InputError, ConflictError, ForbiddenError, NotFoundError)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""
    return [*_overview(), *_lists(), *_embargoes()]


def _overview() -> list[HTTPRouteHandler]:
    @get("/settings/sharing", opt=SIGNED_IN, **PAGE)
    def shown(request: _R) -> Response[bytes]:
        """Lists, embargoes and approvals."""
        return _shown(request)

    @post("/settings/lists", opt=SIGNED_IN, **PAGE)
    def add_list(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Adds a recipient list."""
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                made = recipients.add(db, where.here.org, text(data, "name"))
        except _REFUSED as error:
            return _shown(request, listing=wrong(data, error, "name"))
        return done(request, f"/settings/lists/{made.list}", f"{made.name} is added. Nobody is on it yet.")

    @post("/settings/embargoes", opt=_COORDINATE, **PAGE)
    def add_embargo(request: _R, data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Adds an embargo."""
        try:
            with acting(request) as (db, me):
                where = place(request, db, me)
                must(me, "coordinate", where.here.org)
                made = embargo.add(db, where.here.org, text(data, "name"))
        except _REFUSED as error:
            return _shown(request, embargoing=wrong(data, error, "name"))
        words = f"{made.name} is added. Name its parties, then say when it ends."
        return done(request, f"/settings/embargoes/{made.embargo}", words)

    @post("/settings/approvals/{which:int}", opt=SIGNED_IN, **PAGE)
    def decide(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Approves, refuses or withdraws."""
        verdict = text(data, "verdict")
        try:
            if verdict not in ("approved", "refused", "withdrawn"):
                raise InputError("approve, refuse or withdraw")
            with acting(request) as (db, _):
                decided = approval.decide(db, number(which), verdict)  # type: ignore[arg-type]  # checked above
        except (InputError, ConflictError, ForbiddenError) as error:
            return _shown(request, deciding=wrong(data, error))
        return done(request, "/settings/sharing", _decided(decided))

    return [shown, add_list, add_embargo, decide]


def _decided(about: approval.Approval) -> str:
    what = (
        f"Wider marking of {about.subject}"
        if about.kind == approval.MARKING
        else f"{about.kind} of {about.subject}"
    )
    return f"{what}: {about.verdict}{', and carried out' if about.used else ''}."


def _shown(
    request: _R, *, listing: Form | None = None, embargoing: Form | None = None, deciding: Form | None = None
) -> Response[bytes]:
    with reading(request) as (db, me, note):
        where = place(request, db, me)
        lists = [one for one in recipients.listed(db) if one.org == where.here.org]
        embargoes = embargo.listed(db)[:200]
        note.listed("embargoes", "", embargo.audiences(db, embargoes))
        approvals = [a for a in approval.listed(db) if a.org == where.here.org][:100]
        who = names(db, {p for a in approvals for p in (a.asked_by, a.decided_by)})
        were = called_before(db, approvals)
        meant = {a.approval: approval.worded(db, a) for a in approvals if a.verdict is None}
        stops = approval.stops(db, approvals)
        deciders = approval.deciders(db, where.here.org) if stops else {}
        keepers = {o.org: o.name for o in organisation.listed(db)}
    wrongs = [f for f in (listing, embargoing, deciding) if f is not None]
    return page(
        request,
        "access/sharing.html",
        status_code=422 if wrongs else 200,
        tlp=_UNDER if any(e.ended_by is None for e in embargoes) else None,
        where=where,
        me=me,
        lists=lists,
        embargoes=embargoes,
        waiting=[a for a in approvals if a.verdict is None],
        decided=[a for a in approvals if a.verdict is not None][:20],
        who=who,
        were=were,
        meant=meant,
        keepers=keepers,
        listing=listing or Form(),
        embargoing=embargoing or Form(),
        deciding=deciding or Form(),
        may_list=me.may("coordinate", where.here.org) or me.may("administer", where.here.org),
        stops=stops,
        deciders=deciders,
    )


def _lists() -> list[HTTPRouteHandler]:
    @get("/settings/lists/{which:int}", opt=SIGNED_IN, **PAGE)
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        """Who is on a list."""
        return _list(request, which, Form())

    @post("/settings/lists/{which:int}", opt=SIGNED_IN, **PAGE)
    def change(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Puts somebody on the list, or takes them off."""
        member = text(data, "member") != "no"
        try:
            who, org = _named(data)
            with acting(request) as (db, _):
                found = recipients.set_member(db, number(which), person=who, org=org, member=member)
                name = _name(db, who, org)
        except _REFUSED as error:
            return _list(request, which, wrong(data, error, "who"))
        words = f"{name} is on {found.name}." if member else f"{name} is no longer on {found.name}."
        fields = {"who": text(data, "who"), "member": "no" if member else "yes"}
        return done(
            request, f"/settings/lists/{which}", words, undo=f"/settings/lists/{which}", fields=fields
        )

    return [one, change]


def _list(request: _R, which: int, form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        kept = recipients.one(db, number(which))
        if kept.embargo is not None:
            raise NotFoundError("no such list")
        on_it = recipients.members(db, kept.list)
        choices = _choices(db, kept.org)
        keeper = organisation.one(db, kept.org)
    taken = {_key(r.person, r.org) for r in on_it}
    return page(
        request,
        "access/list.html",
        status_code=422 if form.errors else 200,
        kept=kept,
        keeper=keeper,
        members=on_it,
        form=form,
        choices=[c for c in choices if c[0] not in taken],
        may=me.may("coordinate", kept.org) or me.may("administer", kept.org),
    )


def _embargoes() -> list[HTTPRouteHandler]:
    @get("/settings/embargoes/{which:int}", opt=SIGNED_IN, **PAGE)
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        """One embargo: when it ends, who knows, and how to end it."""
        return _embargo(request, which)

    @post("/settings/embargoes/{which:int}/parties", opt=_COORDINATE, **PAGE)
    def party(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Makes somebody a party, or no longer one."""
        wanted = text(data, "party") != "no"
        try:
            who, org = _named(data)
            with acting(request) as (db, me):
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org)
                if wanted:
                    recipients.check_there(db, who, org)
                embargo.set_party(db, kept.embargo, person=who, org=org, party=wanted)
                name = _name(db, who, org)
        except _REFUSED as error:
            return _embargo(request, which, parting=wrong(data, error, "who"))
        words = (
            f"{name} is a party to {kept.name}." if wanted else f"{name} is no longer a party to {kept.name}."
        )
        fields = {"who": text(data, "who"), "party": "no" if wanted else "yes"}
        to = f"/settings/embargoes/{which}"
        return done(request, to, words, undo=f"{to}/parties", fields=fields)

    @post("/settings/embargoes/{which:int}/arm", opt=_COORDINATE, **PAGE)
    def arm(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Says when it ends by itself, or that nothing but a coordinator ends it."""
        now = datetime.now(UTC)
        try:
            disarm = text(data, "disarm") == "yes"
            until = None if disarm else _hour(text(data, "day"), text(data, "hour"))
            early = text(data, "on_exploitation") == "yes"
            with acting(request) as (db, me):
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org)
                embargo.arm(db, kept.embargo, until, now=now, on_exploitation=early)
        except _REFUSED as error:
            return _embargo(request, which, arming=wrong(data, error, "day", "hour", "until"))
        if until is None:
            words = f"{kept.name} is disarmed: a coordinator's act alone ends it."
        else:
            words = f"{kept.name} ends on {until:%A} {until.day} {until:%B %Y} at {until:%H:%M} UTC."
        return done(request, f"/settings/embargoes/{which}", words)

    @post("/settings/embargoes/{which:int}/flaws", opt=_COORDINATE, **PAGE)
    def flaw(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Says which flaw it is about, or no longer."""
        about = text(data, "about") != "no"
        try:
            with acting(request) as (db, me):
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org)
                embargo.name_flaw(db, kept.embargo, text(data, "flaw"), about=about)
        except _REFUSED as error:
            return _embargo(request, which, naming=wrong(data, error, "flaw"))
        words = f"{kept.name} is {'' if about else 'no longer '}about {text(data, 'flaw', 100)}."
        return done(request, f"/settings/embargoes/{which}", words)

    @post("/settings/embargoes/{which:int}/release", opt=_COORDINATE, **PAGE)
    def release(request: _R, which: FromPath[int], data: Annotated[Sent, FORM]) -> Response[bytes]:
        """Ends it now."""
        try:
            with acting(request) as (db, me):
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org)
                if text(data, "phrase") != kept.name:
                    raise InputError("type the embargo's name to end it", where="phrase")
                embargo.release(db, kept.embargo, text(data, "why", 500))
        except _REFUSED as error:
            return _embargo(request, which, releasing=wrong(data, error))
        return done(request, f"/settings/embargoes/{which}", f"{kept.name} has ended.")

    return [one, party, arm, flaw, release]


def _embargo(
    request: _R,
    which: int,
    *,
    parting: Form | None = None,
    arming: Form | None = None,
    naming: Form | None = None,
    releasing: Form | None = None,
) -> Response[bytes]:
    with reading(request) as (db, me, note):
        kept = embargo.one(db, number(which))
        note(f"embargo/{kept.uid}", embargo.audiences(db, [kept]))
        keeper = organisation.one(db, kept.org)
        coordinates = me.may("coordinate", kept.org)
        ours = any(m.org == kept.org for m in me.memberships)
        parties = recipients.members(db, kept.recipients) if ours else ()
        choices = _choices(db, kept.org) if coordinates else []
    taken = {_key(r.person, r.org) for r in parties}
    wrongs = [f for f in (parting, arming, naming, releasing) if f is not None]
    return page(
        request,
        "access/embargo.html",
        status_code=422 if wrongs else 200,
        tlp=_UNDER if kept.ended_by is None else None,
        kept=kept,
        keeper=keeper,
        ours=ours,
        coordinates=coordinates,
        parties=parties,
        choices=[c for c in choices if c[0] not in taken],
        parting=parting or Form(),
        arming=arming or Form(),
        naming=naming or Form(),
        releasing=releasing or Form(),
    )


def _choices(db: Any, org: int) -> list[tuple[str, str]]:
    """Whom one may put on a list: every organisation as a whole, and the members of one's own."""
    whole_orgs = [(f"org/{o.org}", f"everybody at {o.name}") for o in organisation.listed(db)[:500]]
    people = [(f"person/{m.person}", m.name) for m in person.members(db, org)[:500]]
    return [*whole_orgs, *people]


def _key(who: int | None, org: int | None) -> str:
    return f"org/{org}" if org is not None else f"person/{who}"


def _named(data: Sent) -> tuple[int | None, int | None]:
    kind, _, typed = text(data, "who").partition("/")
    found = whole(typed)
    if found is None or kind not in ("person", "org"):
        raise InputError("choose a person or an organisation", where="who")
    return (found, None) if kind == "person" else (None, found)


def _name(db: Any, who: int | None, org: int | None) -> str:
    if org is not None:
        return organisation.one(db, org).name
    return names(db, {who}).get(who or 0, f"person {who}")


def _hour(day: str, hour: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{day}T{hour or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        raise InputError("that is no day and hour", where="day", mend="choose them again") from None
