"""`/api/v1/organisations`: what they are, and what each directive is to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, glance, needs
from clearway.http.acts import changed, done_once
from clearway.http.filters import choice, flag
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.http.whole import unmarked
from clearway.store.keyset import Column, Source

from . import organisation
from .api_parts import Name, Word, Words, locked, number
from .organisation import KINDS, Organisation, Standing

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
_SLUG = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class NewOrganisation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What adds an organisation."""

    slug: _SLUG
    name: Name
    kind: organisation.Kind
    sectors: Words = ()


class OrganisationChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. `standing`: what each directive is to it, by the directive's id."""

    name: Name | UnsetType = UNSET
    sectors: Words | UnsetType = UNSET
    standing: Annotated[dict[Word, Standing], Meta(max_length=100)] | UnsetType = UNSET


ORGANISATIONS = Listing(
    "organisations",
    Organisation,
    Source(
        "o.org, o.slug, o.name, o.kind, o.sectors, o.standing, o.active, o.house, o.version",
        "clearway.organisation o",
    ),
    sorts={"name": Column("lower(o.name)"), "org": Column("o.org", "int")},
    tie=Column("o.org", "int"),
    default="name",
    filters={
        "kind": choice("o.kind = any(%s)", KINDS, "o.kind <> all(%s)"),
        "active": flag("o.active = any(%s)"),
    },
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/organisations"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Organisations",
        operation_class=ORGANISATIONS.operation,
        responses=ORGANISATIONS.responses,
    )
    def organisations(request: _R) -> Response[bytes]:
        """Their names are known to everybody who is signed in; who belongs to them is not."""
        return unmarked(request, ORGANISATIONS)

    @post(
        "/organisations",
        opt=needs("administer"),
        sync_to_thread=True,
        summary="Add an organisation",
        responses=gives(Organisation, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewOrganisation]) -> Response[bytes]:
        """For administrators of the house."""

        def act(db: Db, _: Principal) -> Made:
            made = organisation.add(db, data.slug, data.name, data.kind, data.sectors)
            return Made(record=made, location=f"{PREFIX}/organisations/{made.org}")

        return done_once(request, act)

    @get(
        "/organisations/{org:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One organisation",
        responses=gives(Organisation, *READ),
    )
    def one(request: _R, org: FromPath[int]) -> Response[bytes]:
        found, me = glance(request, lambda db: organisation.one(db, number(org)))
        return etag.thing(request, found, me, found.version)

    @patch(
        "/organisations/{org:int}",
        opt=needs("administer"),
        sync_to_thread=True,
        summary="Change an organisation",
        responses=gives(Organisation, *WRITE),
    )
    def change(request: _R, org: FromPath[int], data: JSONBody[OrganisationChange]) -> Response[bytes]:
        """Its name, its sectors, and what a directive is to it: binding, adopted or advisory."""

        def act(db: Db, _: Principal, expected: Expected) -> tuple[Organisation, int]:
            which = organisation.one(db, number(org)).org
            row = db.execute(
                "select version from clearway.organisation where org = %s for update", (which,)
            ).fetchone()
            version = locked(db, f"organisation/{which}", row, expected)
            found = organisation.change(
                db, which, version, name=data.name, sectors=data.sectors, standing=data.standing
            )
            return found, found.version

        return changed(request, act)

    return [organisations, add, one, change]
