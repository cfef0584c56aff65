"""`/api/v1/people`, members and clients: who belongs where, with which roles, and how they first come in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from litestar import Request, Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from clearway.http import etag
from clearway.http.acting import IN_PERSON, SIGNED_IN, acting, glance, needs
from clearway.http.acts import changed, done_once
from clearway.http.filters import choice, flag
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.http.whole import unmarked
from clearway.records.errors import NotFoundError
from clearway.store.keyset import Column, Condition, Source

from . import invitation, organisation, person
from .api_parts import Name, Number, Word, Words, locked, number, once_shown
from .organisation import Organisation
from .person import Member

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
_ADMINISTER = needs("administer")


class Client(Struct, frozen=True, kw_only=True):
    """An organisation that reads what another marks TLP:AMBER."""

    org: int
    slug: str
    name: str


class ClientChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes `client` a client of the organisation, or ends that."""

    client: Number
    is_client: bool = True


class NewMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new person, or a service, with roles in the organisation."""

    name: Name
    roles: Annotated[Words, Meta(min_length=1)]
    email: Annotated[str, Meta(max_length=254)] = ""
    kind: Literal["person", "service"] = "person"


class RolesChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Roles to give and roles to take."""

    grant: Words = ()
    revoke: Words = ()


class Roles(Struct, frozen=True, kw_only=True):
    """The roles that a person has in an organisation now."""

    person: int
    org: int
    roles: tuple[str, ...]


class Invited(Struct, frozen=True, kw_only=True):
    """A code with which the person signs in once; shown this once. The codes before it are void."""

    person: int
    code: str | None  # null when the same request is sent again
    expires: datetime


class PersonChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of oneself, or of a service that one administers; what is left out stays."""

    name: Name | UnsetType = UNSET
    time_zone: Word | UnsetType = UNSET
    digest: Literal["never", "daily", "weekly"] | UnsetType = UNSET
    desk_mail: Literal["never", "at-once", "digest"] | UnsetType = UNSET


class Activity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the person may come in at all."""

    active: bool


CLIENTS = Listing(
    "clients",
    Client,
    Source("o.org, o.slug, o.name", "clearway.client_of c join clearway.organisation o on o.org = c.client"),
    sorts={"name": Column("lower(o.name)")},
    tie=Column("o.org", "int"),
    default="name",
)
MEMBERS = Listing(
    "members",
    Member,
    Source(
        "p.person, p.kind, p.name, p.email, p.org, p.active, p.time_zone, p.digest, p.desk_mail, m.roles, p.version",
        """(select s.org as in_org, s.person, array_agg(s.role order by s.role) as roles
            from clearway.membership s group by s.org, s.person) m join clearway.person p using (person)""",
    ),
    sorts={"name": Column("lower(p.name)"), "person": Column("p.person", "int")},
    tie=Column("p.person", "int"),
    default="name",
    filters={
        "kind": choice("p.kind = any(%s)", ("person", "service"), "p.kind <> all(%s)"),
        "role": choice("m.roles && %s", person.ROLES),
        "active": flag("p.active = any(%s)"),
    },
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""
    return [*_belonging(), *_people()]


def _belonging() -> list[HTTPRouteHandler]:
    @get(
        paths("/organisations/{org:int}/clients"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Clients of an organisation, as far as you may know",
        operation_class=CLIENTS.operation,
        responses=CLIENTS.responses,
    )
    def clients(request: _R, org: FromPath[int]) -> Response[bytes]:
        def of_it(db: Db, _: Principal, __: None) -> list[Condition]:
            return [Condition("c.provider = %s", organisation.one(db, number(org)).org)]

        return unmarked(request, CLIENTS, within=of_it)

    @post(
        "/organisations/{org:int}/clients",
        opt=_ADMINISTER,
        sync_to_thread=True,
        status_code=200,
        summary="Make an organisation a client, or end that",
        responses=gives(Organisation, *WRITE),
    )
    def set_client(request: _R, org: FromPath[int], data: JSONBody[ClientChange]) -> Response[bytes]:
        """A client's members read what this organisation marks TLP:AMBER, from their next request on.

        For the organisation's own administrators; the house's end it too, where it has others.
        """

        def act(db: Db, _: Principal) -> Made:
            provider = organisation.one(db, number(org))
            client = organisation.one(db, data.client)
            organisation.set_client(db, client.org, provider.org, is_client=data.is_client)
            return Made(record=client, status=200)

        return done_once(request, act)

    @get(
        paths("/organisations/{org:int}/members"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Members of an organisation with their roles",
        operation_class=MEMBERS.operation,
        responses=MEMBERS.responses,
    )
    def members(request: _R, org: FromPath[int]) -> Response[bytes]:
        """For its members and the house's administrators; empty for everybody else."""

        def of_it(db: Db, _: Principal, __: None) -> list[Condition]:
            return [Condition("m.in_org = %s", organisation.one(db, number(org)).org)]

        return unmarked(request, MEMBERS, within=of_it)

    @post(
        "/organisations/{org:int}/members",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Add a person or a service",
        responses=gives(Member, *WRITE, status=201),
    )
    def add_member(request: _R, org: FromPath[int], data: JSONBody[NewMember]) -> Response[bytes]:
        """They come in by an invitation; a service by a token.

        For the organisation's own administrators. Where it has none, the house's name its first administrator.
        """

        def act(db: Db, _: Principal) -> Made:
            which = organisation.one(db, number(org)).org
            made = person.add(db, which, data.name, data.roles, email=data.email, kind=data.kind)
            return Made(record=made, location=f"{PREFIX}/people/{made.person}")

        return done_once(request, act)

    @post(
        "/organisations/{org:int}/members/{who:int}/roles",
        opt=_ADMINISTER,
        sync_to_thread=True,
        status_code=200,
        summary="Give and take roles",
        responses=gives(Roles, *WRITE),
    )
    def roles(
        request: _R, org: FromPath[int], who: FromPath[int], data: JSONBody[RolesChange]
    ) -> Response[bytes]:
        """They bite at the person's next request.

        For the organisation's own administrators. The house's take roles in others, and give `administrator` to the
        first one, not themselves, where there is none.
        """

        def act(db: Db, _: Principal) -> Made:
            which, whom = organisation.one(db, number(org)).org, person.one(db, number(who)).person
            for role in dict.fromkeys(data.grant):
                person.grant(db, whom, which, role)
            for role in dict.fromkeys(data.revoke):
                person.revoke(db, whom, which, role)
            now = db.execute(
                "select role from clearway.membership where person = %s and org = %s order by role",
                (whom, which),
            ).fetchall()
            return Made(record=Roles(person=whom, org=which, roles=tuple(r for (r,) in now)), status=200)

        return done_once(request, act)

    @post(
        "/organisations/{org:int}/members/{who:int}/invitation",
        opt=IN_PERSON | _ADMINISTER,  # whoever has the code is that person: no token is enough for it
        sync_to_thread=True,
        summary="A code with which a member signs in once",
        responses=gives(Invited, *WRITE, status=201),
    )
    def invite(request: _R, org: FromPath[int], who: FromPath[int]) -> Response[bytes]:
        """Good for seven days. Send it yourself, by a way you trust: whoever has it is that person.

        Who makes it is no second person beside what is done by way of it. Of a code for an account that somebody else
        made, or that has had a way in, the person and their organisation are told.
        """
        with acting(request) as (db, me):

            def act() -> tuple[Made, Struct]:
                which, whom = organisation.one(db, number(org)).org, person.one(db, number(who)).person
                now = datetime.now(UTC)
                code = invitation.invite(db, whom, which, now=now)
                told = Invited(person=whom, code=code, expires=now + invitation.LIFE)
                return Made(record=Invited(person=whom, code=None, expires=told.expires)), told

            return once_shown(request, db, me, act)

    return [clients, set_client, members, add_member, roles, invite]


def _people() -> list[HTTPRouteHandler]:
    @get(
        "/people/{who:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One person",
        responses=gives(Member, *READ),
    )
    def somebody(request: _R, who: FromPath[int]) -> Response[bytes]:
        """Without roles: these belong to an organisation."""
        found, me = glance(request, lambda db: person.one(db, number(who)))
        return etag.thing(request, found, me, found.version)

    @patch(
        "/people/{who:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Change yourself, or a service of yours",
        responses=gives(Member, *WRITE),
    )
    def change_person(request: _R, who: FromPath[int], data: JSONBody[PersonChange]) -> Response[bytes]:
        """A name, a time zone, how often the digest comes, and letters about cases and findings."""

        def act(db: Db, _: Principal, expected: Expected) -> tuple[Member, int]:
            whom = person.one(db, number(who)).person
            row = db.execute(
                "select version from clearway.person where person = %s for update", (whom,)
            ).fetchone()
            version = locked(db, f"person/{whom}", row, expected)
            found = person.change(
                db,
                whom,
                version,
                name=data.name,
                time_zone=data.time_zone,
                digest=data.digest,
                desk_mail=data.desk_mail,
            )
            return found, found.version

        return changed(request, act)

    @post(
        "/people/{who:int}/active",
        opt=_ADMINISTER,
        sync_to_thread=True,
        status_code=200,
        summary="Bar a person, or let them in again",
        responses=gives(Member, *WRITE),
    )
    def set_active(request: _R, who: FromPath[int], data: JSONBody[Activity]) -> Response[bytes]:
        """For administrators of the house.

        Barring ends every session and token of the person at once, and withdraws what they asked a second person for.
        """

        def act(db: Db, _: Principal) -> Made:
            whom = number(who)
            # One answer for who is not there and who may not be known.
            known = db.execute(
                "select from clearway.person where person = %s and kind <> 'public'", (whom,)
            ).fetchone()
            if known is None:
                raise NotFoundError("nobody of that number is here", where=f"person/{whom}")
            person.set_active(db, whom, active=data.active)
            return Made(record=person.one(db, whom), status=200)

        return done_once(request, act)

    return [somebody, change_person, set_active]
