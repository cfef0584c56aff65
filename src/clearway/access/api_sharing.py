"""`/api/v1/lists`, `/embargoes`, `/approvals` and `/audiences`: who may see what, until when, and who agreed to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.filters import flag
from clearway.http.filters import number as whole
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.records.errors import InputError, NotFoundError
from clearway.store.keyset import Column, Condition, Source

from . import approval, audience, embargo, recipients
from .api_parts import Name, Number, Why, must, number
from .approval import Approval, Verdict
from .audience import Meaning
from .embargo import Embargo
from .recipients import Recipient, RecipientList

_R = Request[Any, Any, Any]
_COORDINATE = needs("coordinate")


class NewList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What adds a list of recipients, or an embargo, that `org` keeps."""

    org: Number
    name: Name


class RecipientChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Puts a person or every member of an organisation on the list, or takes them off."""

    person: Number | None = None
    org: Number | None = None
    member: bool = True


class PartyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes a person or a whole organisation a party to the embargo, or no longer one."""

    person: Number | None = None
    org: Number | None = None
    party: bool = True


class Arming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the embargo is to end by itself, and whether public exploitation ends it before."""

    until: datetime
    on_exploitation: bool = False


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it ends now."""

    why: Annotated[Why, Meta(min_length=1)]


class NewApproval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a second person is asked to agree to: exactly this proposal."""

    org: Number
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    subject: Annotated[str, Meta(pattern=r"^[a-z_]{1,60}/[0-9a-z-]{1,60}$")]
    proposal: dict[str, Any]
    why: Annotated[Why, Meta(min_length=1)]


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`withdrawn` is for who asked, the others for a second person."""

    verdict: Literal["approved", "refused", "withdrawn"]


LISTS = Listing(
    "lists",
    RecipientList,
    Source(
        "l.list, l.org, l.name, (select count(*) from clearway.list_member m where m.list = l.list)::int as members, "
        "null::int as embargo",
        "clearway.recipient_list l left join clearway.embargo e on e.list = l.list",
    ),
    sorts={"name": Column("lower(l.name)"), "list": Column("l.list", "int")},
    tie=Column("l.list", "int"),
    default="name",
    filters={"org": whole("l.org = any(%s)", least=1)},
    where="e.embargo is null",
)
RECIPIENTS = Listing(
    "recipients",
    Recipient,
    Source(
        "m.person, m.org, coalesce(o.name, p.name, '') as name",
        "clearway.list_member m left join clearway.organisation o on o.org = m.org "
        "left join clearway.person p on p.person = m.person",
    ),
    sorts={"name": Column("lower(coalesce(o.name, p.name, ''))")},
    tie=Column("coalesce(m.person::bigint, -m.org)", "bigint"),
    default="name",
)
EMBARGOES = Listing(
    "embargoes",
    Embargo,
    Source(
        "e.embargo, e.uid::text as uid, e.name, e.org, e.list as recipients, e.until, e.on_exploitation, e.frozen, "
        "e.ended_by, e.ended_at, e.version",
        "clearway.embargo e",
    ),
    sorts={
        "embargo": Column("e.embargo", "int"),
        "until": Column("coalesce(e.until, 'infinity')", "timestamptz"),
        "name": Column("lower(e.name)"),
    },
    tie=Column("e.embargo", "int"),
    default="until",
    filters={
        "org": whole("e.org = any(%s)", least=1),
        "ended": flag("(e.ended_by is not null) = any(%s)"),
        "frozen": flag("(e.frozen <> '') = any(%s)"),
    },
)
APPROVALS = Listing(
    "approvals",
    Approval,
    Source(
        "a.approval, a.uid::text as uid, a.org, a.kind, a.subject, a.proposal, a.why, a.asked_by, a.asked_at, "
        "a.decided_by, a.decided_at, a.verdict, a.used",
        "clearway.approval a",
    ),
    sorts={"approval": Column("a.approval", "int")},
    tie=Column("a.approval", "int"),
    default="-approval",
    filters={
        "org": whole("a.org = any(%s)", least=1),
        "open": flag("(a.verdict is null) = any(%s)"),
    },
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""
    return [*_lists(), *_embargoes(), *_approvals()]


def _lists() -> list[HTTPRouteHandler]:
    @get(
        paths("/lists"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Recipient lists of your organisations",
        operation_class=LISTS.operation,
        responses=LISTS.responses,
    )
    def lists(request: _R) -> Response[bytes]:
        asked = LISTS.asked(request)
        with acting(request) as (db, me):
            found = LISTS.read(db, me, asked, sealer(request))
        return LISTS.answer(request, found, me)

    @post(
        "/lists",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Add a recipient list",
        responses=gives(RecipientList, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewList]) -> Response[bytes]:
        """Who is on it sees what is marked TLP:RED for it. For coordinators and administrators of `org`."""
        with acting(request) as (db, me):

            def act() -> Made:
                made = recipients.add(db, data.org, data.name)
                return Made(record=made, location=f"{PREFIX}/lists/{made.list}")

            return once(request, db, me, act)

    @get(
        "/lists/{which:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One recipient list",
        responses=gives(RecipientList, *READ),
    )
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        with acting(request) as (db, me):
            found = recipients.one(db, number(which))
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        paths("/lists/{which:int}/recipients"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who is on a list",
        operation_class=RECIPIENTS.operation,
        responses=RECIPIENTS.responses,
    )
    def on_it(request: _R, which: FromPath[int]) -> Response[bytes]:
        asked = RECIPIENTS.asked(request)
        with acting(request) as (db, me):
            found_list = recipients.one(db, number(which)).list
            found = RECIPIENTS.read(db, me, asked, sealer(request), Condition("m.list = %s", found_list))
        return RECIPIENTS.answer(request, found, me)

    @post(
        "/lists/{which:int}/recipients",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Put somebody on a list, or take them off",
        responses=gives(RecipientList, *WRITE),
    )
    def change(request: _R, which: FromPath[int], data: JSONBody[RecipientChange]) -> Response[bytes]:
        """It bites at their next request."""
        with acting(request) as (db, me):

            def act() -> Made:
                changed = recipients.set_member(
                    db, number(which), person=data.person, org=data.org, member=data.member
                )
                return Made(record=changed, status=200)

            return once(request, db, me, act)

    return [lists, add, one, on_it, change]


def _embargoes() -> list[HTTPRouteHandler]:
    @get(
        paths("/embargoes"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Embargoes that you keep or are a party to",
        operation_class=EMBARGOES.operation,
        responses=EMBARGOES.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        asked = EMBARGOES.asked(request)
        with acting(request) as (db, me):
            found = EMBARGOES.read(db, me, asked, sealer(request))
        return EMBARGOES.answer(request, found, me)

    @post(
        "/embargoes",
        opt=_COORDINATE,
        sync_to_thread=True,
        summary="Add an embargo",
        responses=gives(Embargo, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewList]) -> Response[bytes]:
        """Without parties yet: add them, then arm it."""
        with acting(request) as (db, me):

            def act() -> Made:
                must(me, "coordinate", data.org, "org")
                made = embargo.add(db, data.org, data.name)
                return Made(record=made, location=f"{PREFIX}/embargoes/{made.embargo}")

            return once(request, db, me, act)

    @get(
        "/embargoes/{which:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One embargo",
        responses=gives(Embargo, *READ),
    )
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        with acting(request) as (db, me):
            found = embargo.one(db, number(which))
        return etag.thing(request, found, me, found.version)

    @patch(
        "/embargoes/{which:int}",
        opt=_COORDINATE,
        sync_to_thread=True,
        summary="Arm an embargo: say when it ends",
        responses=gives(Embargo, *WRITE),
    )
    def arm(request: _R, which: FromPath[int], data: JSONBody[Arming]) -> Response[bytes]:
        """A job ends it then, if the clock can be believed; else it is frozen, and a coordinator decides."""
        expected = etag.expected(request)
        with acting(request) as (db, me):
            kept = embargo.one(db, number(which))
            must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
            # The application may not lock the row itself: two that arm it at once wait for each other here.
            db.execute(
                "select pg_advisory_xact_lock(hashtextextended('embargo/' || %s::text, 0))", (kept.embargo,)
            )
            expected.check(embargo.one(db, kept.embargo).version)
            found = embargo.arm(
                db, kept.embargo, data.until, now=datetime.now(UTC), on_exploitation=data.on_exploitation
            )
        return etag.thing(request, found, me, found.version)

    @get(
        paths("/embargoes/{which:int}/parties"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who is a party to an embargo; its keeper's to know",
        operation_class=RECIPIENTS.operation,
        responses=RECIPIENTS.responses,
    )
    def parties(request: _R, which: FromPath[int]) -> Response[bytes]:
        asked = RECIPIENTS.asked(request)
        with acting(request) as (db, me):
            kept = embargo.one(db, number(which))
            found = RECIPIENTS.read(db, me, asked, sealer(request), Condition("m.list = %s", kept.recipients))
        return RECIPIENTS.answer(request, found, me)

    @post(
        "/embargoes/{which:int}/parties",
        opt=_COORDINATE,
        sync_to_thread=True,
        status_code=200,
        summary="Make somebody a party, or no longer one",
        responses=gives(Embargo, *WRITE),
    )
    def party(request: _R, which: FromPath[int], data: JSONBody[PartyChange]) -> Response[bytes]:
        """They see what is under the embargo from their next request on, or no longer."""
        with acting(request) as (db, me):

            def act() -> Made:
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
                if (data.person is None) == (data.org is None):
                    raise InputError("a party is a person or an organisation", where="person")
                if data.party:
                    recipients.check_there(db, data.person, data.org)
                embargo.set_party(db, kept.embargo, person=data.person, org=data.org, party=data.party)
                return Made(record=embargo.one(db, kept.embargo), status=200)

            return once(request, db, me, act)

    @post(
        "/embargoes/{which:int}/release",
        opt=_COORDINATE,
        sync_to_thread=True,
        status_code=200,
        summary="End an embargo now",
        responses=gives(Embargo, *WRITE),
    )
    def release(request: _R, which: FromPath[int], data: JSONBody[Release]) -> Response[bytes]:
        """What was under it is seen by whom its marking allows, at once; it can't be taken back."""
        with acting(request) as (db, me):

            def act() -> Made:
                kept = embargo.one(db, number(which))
                must(me, "coordinate", kept.org, f"embargo/{kept.embargo}")
                return Made(record=embargo.release(db, kept.embargo, data.why), status=200)

            return once(request, db, me, act)

    return [listed, add, one, arm, parties, party, release]


def _approvals() -> list[HTTPRouteHandler]:
    @get(
        paths("/approvals"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What takes two people in your organisations",
        operation_class=APPROVALS.operation,
        responses=APPROVALS.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        asked = APPROVALS.asked(request)
        with acting(request) as (db, me):
            found = APPROVALS.read(db, me, asked, sealer(request))
        return APPROVALS.answer(request, found, me)

    @post(
        "/approvals",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Ask for a second person's word",
        responses=gives(Approval, *WRITE, status=201),
    )
    def ask(request: _R, data: JSONBody[NewApproval]) -> Response[bytes]:
        with acting(request) as (db, me):

            def act() -> Made:
                if len(msgspec.json.encode(data.proposal)) > _MOST_PROPOSAL:
                    raise InputError(f"a proposal has {_MOST_PROPOSAL:,} bytes at most", where="proposal")
                asked = approval.ask(db, data.org, data.kind, data.subject, data.proposal, data.why)
                return Made(record=asked, location=f"{PREFIX}/approvals/{asked.approval}")

            return once(request, db, me, act)

    @get(
        "/approvals/{which:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One approval",
        responses=gives(Approval, *READ),
    )
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        with acting(request) as (db, me):
            found = approval.one(db, number(which))
        return etag.response(request, msgspec.json.encode(found), me)

    @post(
        "/approvals/{which:int}/decision",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Approve, refuse or withdraw",
        responses=gives(Approval, *WRITE),
    )
    def decide(request: _R, which: FromPath[int], data: JSONBody[Decision]) -> Response[bytes]:
        """Approving and refusing take another person than the one who asked, who coordinates or administers there."""
        with acting(request) as (db, me):

            def act() -> Made:
                verdict: Verdict = data.verdict
                return Made(record=approval.decide(db, number(which), verdict), status=200)

            return once(request, db, me, act)

    @get(
        "/audiences/{aud:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who can see what has this audience, and why you can",
        responses=gives(Meaning, *READ),
    )
    def meaning(request: _R, aud: FromPath[int]) -> Response[bytes]:
        """All clauses must open; a clause opens for any of its groups. `mine` says which of them are yours."""
        if not 0 <= aud < 1 << 16:
            raise NotFoundError("no such audience", where="aud")
        with acting(request) as (db, me):
            found = audience.meaning(db, aud)
        return etag.response(request, msgspec.json.encode(found), me)

    return [listed, ask, one, decide, meaning]


_MOST_PROPOSAL = 8_192
