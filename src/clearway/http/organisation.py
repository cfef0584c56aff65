"""As which of one's organisations a page is looked at: the one that `?org=` names, else the first.

Every page is asked for as an organisation, whether or not it shows something of one's own: its frame names it, and its
links lead on with it. So the guard looks at `?org=` once for all of them (`Doorkeeper.guard`), after what the route
needs. One that is not the reader's is 404, in the same words whether or not there is such an organisation, and is never
passed over for the first: the API answers so too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import NotFoundError

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from clearway.records.principal import Membership, Principal

    Connection = ASGIConnection[Any, Any, Any, Any]

PARAMETER = "org"
# Programs' own, where `org` is a parameter of the list or none at all; and where an identity provider sends people
# back to with a query of its own.
_NO_PAGES = ("/api/", "/v1/", "/sign-in/back/")


def looked_as(connection: Connection, me: Principal) -> Membership | None:
    """The organisation that `connection` names by `?org=`, the first of `me` where it names none; None without any.

    Raises:
        NotFoundError: it names one that `me` does not belong to, whether there is one or not.
    """
    asked = [slug for slug in connection.query_params.getall(PARAMETER, []) if slug]
    mine = {one.slug: one for one in me.memberships}
    if any(slug not in mine for slug in asked):
        raise NotFoundError(
            "no such organisation of yours",
            where=f"query.{PARAMETER}",
            mend="choose one of yours at the top of the page, or leave it out of the address",
        )
    return mine[asked[0]] if asked else next(iter(me.memberships), None)


def checked(connection: Connection, me: Principal | None) -> None:
    """Passes unless a page is asked for as an organisation that is not the reader's. Who is nobody here looks as none.

    Raises:
        NotFoundError: as `looked_as`.
    """
    if me is not None and me.kind != "public" and not connection.url.path.startswith(_NO_PAGES):
        looked_as(connection, me)
