"""Organisations: who belongs together, and what each is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from . import audience
from .marking import own

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

Kind = Literal["operator", "finder", "vendor", "lab", "clearinghouse", "authority"]
KINDS: tuple[str, ...] = get_args(Kind)
Standing = Literal["binding", "adopted", "advisory"]
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Organisation(Struct, frozen=True, kw_only=True):
    """One organisation. `standing`: what a directive is to it, by the directive's id; else advisory."""

    org: int
    slug: str
    name: str
    kind: str
    sectors: tuple[str, ...] = ()
    standing: dict[str, Standing] = {}
    active: bool = True
    house: bool = False
    version: int = 1


_SELECT = """select to_jsonb(o) - 'created' from clearway.organisation o"""


def add(
    db: psycopg.Connection[Any], slug: str, name: str, kind: str, sectors: Sequence[str] = ()
) -> Organisation:
    """A new organisation, without members. The first one of an installation is its house.

    Raises:
        InputError: the slug, name or kind is not one.
        ConflictError: the slug is taken.
        ForbiddenError: the caller does not administer this installation.
    """
    if not _SLUG.fullmatch(slug):
        raise InputError(
            f"{plain(slug, 80)!r} can't be a slug", where="slug", mend="lower-case letters, digits and -"
        )
    if kind not in KINDS:
        raise InputError(f"no such kind: {plain(kind, 80)}", where="kind", mend=f"one of {', '.join(KINDS)}")
    shown = named(name)
    taken = db.execute("select from clearway.organisation where slug = %s", (slug,)).fetchone()
    if taken is not None:
        raise ConflictError(f"the slug {slug!r} is taken", where="slug", mend="choose another")
    org = scalar(
        db,
        "select clearway.add_organisation(%s, %s, %s, %s)",
        (slug, shown, kind, [plain(s, 60) for s in sectors]),
    )
    ledger.append(
        db,
        "organisation.added",
        f"organisation/{org}",
        {"slug": slug, "kind": kind},
        aud=audience.of(db, own(org)),
    )
    return Organisation(org=org, slug=slug, name=shown, kind=kind, sectors=tuple(sectors))


def listed(db: psycopg.Connection[Any]) -> tuple[Organisation, ...]:
    """Every organisation that the caller may know of, by name."""
    return tuple(_read(row[0]) for row in db.execute(f"{_SELECT} order by lower(o.name), o.org"))


def one(db: psycopg.Connection[Any], org: int) -> Organisation:
    """The organisation of that number.

    Raises:
        NotFoundError: there is none that the caller may know of.
    """
    row = db.execute(f"{_SELECT} where o.org = %s", (org,)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=f"organisation/{org}")
    return _read(row[0])


def by_slug(db: psycopg.Connection[Any], slug: str) -> Organisation:
    """The organisation of that slug; raises as `one`."""
    row = db.execute(f"{_SELECT} where o.slug = %s", (slug,)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=plain(slug, 80))
    return _read(row[0])


def change(
    db: psycopg.Connection[Any],
    org: int,
    version: int,
    *,
    name: str | UnsetType = UNSET,
    sectors: Sequence[str] | UnsetType = UNSET,
    standing: dict[str, Standing] | UnsetType = UNSET,
) -> Organisation:
    """The organisation with what is given changed.

    Raises:
        ConflictError: it is no longer at `version`.
        ForbiddenError, NotFoundError: the caller does not administer it.
    """
    before = one(db, org)
    changed = {
        "name": before.name if name is UNSET else named(name),
        "sectors": [*(before.sectors if sectors is UNSET else (plain(s, 60) for s in sectors))],
        "standing": before.standing if standing is UNSET else standing,
    }
    row = db.execute(
        """update clearway.organisation set name = %s, sectors = %s, standing = %s::jsonb, version = version + 1
        where org = %s and version = %s returning version""",
        (changed["name"], changed["sectors"], encode(changed["standing"]).decode(), org, version),
    ).fetchone()
    if row is None:
        if before.version != version:
            raise ConflictError("the organisation has changed since it was read", mend="read it again")
        raise NotFoundError(
            "no such organisation of yours",
            where=f"organisation/{org}",
            mend="an administrator of its own changes it: signed in, or with a token of theirs in CLEARWAY_TOKEN",
        )
    ledger.append(db, "organisation.changed", f"organisation/{org}", changed, aud=audience.of(db, own(org)))
    return one(db, org)


def set_client(db: psycopg.Connection[Any], client: int, provider: int, *, is_client: bool) -> None:
    """Makes `client` a client of `provider`, who then reads what that marks TLP:AMBER, or ends it.

    Raises:
        InputError: both are the same.
        ForbiddenError: the caller does not administer `provider`; who administers this installation may end it.
    """
    if client == provider:
        raise InputError("an organisation is no client of itself", where="client")
    db.execute("select clearway.set_client(%s, %s, %s)", (client, provider, is_client))
    act = "client.added" if is_client else "client.removed"
    ledger.append(db, act, f"organisation/{provider}", {"client": client}, aud=audience.of(db, own(provider)))


def named(text: str, where: str = "name") -> str:
    """A name fit to be shown.

    Raises:
        InputError: it is empty or too long.
    """
    shown = plain(" ".join(text.split()), 201)
    if not 1 <= len(shown) <= 200:
        raise InputError("a name has 1 to 200 characters", where=where)
    return shown


def _read(row: Any) -> Organisation:
    from msgspec import convert

    return convert(row, Organisation)
