"""`/api/v1/lists` and `/audiences`: who is named to see something, and who can see what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting
from clearway.http.acts import done_once
from clearway.http.filters import number as whole
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.http.whole import unmarked
from clearway.store.keyset import Column, Condition, Source

from . import audience, recipients
from .api_parts import Name, Number, number
from .audience import Meaning
from .recipients import Recipient, RecipientList

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]


class NewList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What adds a list of recipients, or an embargo, that `org` keeps."""

    org: Number
    name: Name


class RecipientChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Puts a person or every member of an organisation on the list, or takes them off."""

    person: Number | None = None
    org: Number | None = None
    member: bool = True


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


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/lists"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Recipient lists of your organisations",
        operation_class=LISTS.operation,
        responses=LISTS.responses,
    )
    def lists(request: _R) -> Response[bytes]:
        return unmarked(request, LISTS)

    @post(
        "/lists",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Add a recipient list",
        responses=gives(RecipientList, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewList]) -> Response[bytes]:
        """Who is on it sees what is marked TLP:RED for it. For coordinators and administrators of `org`."""

        def act(db: Db, _: Principal) -> Made:
            made = recipients.add(db, data.org, data.name)
            return Made(record=made, location=f"{PREFIX}/lists/{made.list}")

        return done_once(request, act)

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

        def of_it(db: Db, _: Principal, __: None) -> list[Condition]:
            return [Condition("m.list = %s", recipients.one(db, number(which)).list)]

        return unmarked(request, RECIPIENTS, within=of_it)

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

        def act(db: Db, _: Principal) -> Made:
            changed = recipients.set_member(
                db, number(which), person=data.person, org=data.org, member=data.member
            )
            return Made(record=changed, status=200)

        return done_once(request, act)

    @get(
        "/audiences/{aud:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who can see what has this audience, and why you can",
        responses=gives(Meaning, *READ),
    )
    def meaning(request: _R, aud: FromPath[int]) -> Response[bytes]:
        """All clauses must open; a clause opens for any of its groups. `mine` says which of them are yours."""
        with acting(request) as (db, me):
            found = audience.meaning(db, aud)
        return etag.response(request, msgspec.json.encode(found), me)

    return [lists, add, one, on_it, change, meaning]
