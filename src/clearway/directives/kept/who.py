"""Who acts for which organisation, and who reads what is between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.access import audience
from clearway.records.errors import ForbiddenError, NotFoundError
from clearway.records.principal import lacking
from clearway.records.text import plain
from clearway.store import events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import psycopg

    from clearway.records.principal import Principal, Right


class Org(Struct, frozen=True, kw_only=True):
    """An organisation as far as this room needs it. `standing` by the directive's id."""

    org: int
    slug: str
    name: str
    kind: str
    standing: dict[str, str] = {}


def organisation(db: psycopg.Connection[Any], slug: str) -> Org:
    """The organisation of that slug. Raises NotFoundError."""
    row = db.execute(
        "select org, slug, name, kind, standing from clearway.organisation where slug = %s and active",
        (slug,),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=plain(slug, 80))
    return Org(org=row[0], slug=row[1], name=row[2], kind=row[3], standing=row[4])


def acting_in(db: psycopg.Connection[Any], me: Principal, slug: str, right: Right) -> Org:
    """The organisation that `me` acts for with that right; "" is the only one it has it in.

    Raises:
        NotFoundError: no such organisation, or `me` does not belong to it.
        ForbiddenError: `me` belongs to it without that right, or to several and names none.
    """
    if not slug:
        able = [m for m in me.memberships if right in m.rights]
        if not able:
            raise lacking(right)
        if len(able) != 1:
            raise ForbiddenError(
                f"the right to {right} in {len(able)} organisations", where="organisation", mend="name one"
            )
        slug = able[0].slug
    mine = next((m for m in me.memberships if m.slug == slug), None)
    if mine is None:
        raise NotFoundError("no such organisation of yours", where=plain(slug, 80))
    if right not in mine.rights:
        raise ForbiddenError(f"the right to {right} is missing", where=slug)
    return organisation(db, slug)


def authority_of(org: Org) -> Org:
    """The same, when it is an authority. Raises ForbiddenError."""
    if org.kind != "authority":
        raise ForbiddenError("only an authority issues directives", where=org.slug)
    return org


def between(db: psycopg.Connection[Any], *orgs: int) -> int:
    """The audience of what is between organisations: the members of each of them, and nobody else (TLP:RED)."""
    return audience.any_of(db, [("staff", org) for org in sorted(set(orgs))])


def tell(
    db: psycopg.Connection[Any], act: str, subject: str, content: Mapping[str, object], *, org: int, aud: int
) -> None:
    """The act's entry in the log and its event, for those of `aud`."""
    ledger.append(db, act, subject, content, aud=aud)
    events.emit(db, act, subject, org=org, aud=aud, body=content)


def now(db: psycopg.Connection[Any]) -> datetime:
    """The database's time, which never goes back behind what the log has seen."""
    row = db.execute("select clearway.now_marked()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found
