"""Who asks: a person or service, where it belongs, and what it may do there."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .errors import ForbiddenError, NotFoundError
from .text import plain

# What a member may do in an organisation; the roles that carry each right are rows of `role_right`.
Right = Literal[
    "read",
    "operate",
    "submit",
    "coordinate",
    "maintain",
    "assess",
    "determine",
    "direct",
    "audit",
    "administer",
]


class Membership(Struct, frozen=True, kw_only=True):
    """One organisation a principal belongs to. `rights` are already narrowed to the credential's scopes."""

    org: int
    slug: str
    name: str
    kind: str  # operator, finder, vendor, lab, clearinghouse, authority
    sectors: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()


class Principal(Struct, frozen=True, kw_only=True):
    """A signed-in person or a service token. `person` -1 is the public, with no membership."""

    person: int
    name: str
    kind: Literal["person", "service", "public"] = "person"
    credential: Literal["session", "token", "acting", "public"] = "session"
    credential_id: int = 0
    memberships: tuple[Membership, ...] = ()
    scopes: tuple[str, ...] | None = None  # None: all rights of the roles
    time_zone: str = "UTC"

    def may(self, right: Right, org: int | None = None) -> bool:
        """Whether it has `right` in `org`, or in any organisation when that is None."""
        return any(right in m.rights for m in self.memberships if org is None or m.org == org)

    @property
    def desk(self) -> bool:
        """Whether it coordinates for a clearinghouse, as `clearway.is_desk()` says in the database."""
        return any(m.kind == "clearinghouse" and "coordinate" in m.rights for m in self.memberships)

    def orgs(self, right: Right) -> tuple[int, ...]:
        """The organisations in which it has `right`, ascending."""
        return tuple(sorted(m.org for m in self.memberships if right in m.rights))


# The role that a right is had by; some others carry it as well (`clearway.role_right`).
ROLE_OF: dict[Right, str] = {
    "read": "finder", "operate": "operator", "submit": "finder", "coordinate": "coordinator",
    "maintain": "maintainer", "assess": "assessor", "determine": "official", "direct": "official",
    "audit": "auditor", "administer": "administrator",
}  # fmt: skip


def lacking(*rights: Right) -> ForbiddenError:
    """The error for who has none of these rights in any organisation: it names the role that is missing."""
    roles = " or ".join(dict.fromkeys(ROLE_OF[right] for right in rights))
    return ForbiddenError(
        f"you have the right to {' or '.join(rights)} in no organisation: the role {roles} is missing",
        where="organisation",
        mend=f"who administers your organisation gives it; a token needs the scope {' or '.join(rights)} too",
    )


def member_of(me: Principal, slug: str, right: Right) -> Membership:
    """The organisation of one's own in which to act; "" is the only one with that right.

    Raises:
        NotFoundError: it is none of the caller's.
        ForbiddenError: the caller has not that right in it, or has it in several and names none.
    """
    if not slug:
        able = [m for m in me.memberships if right in m.rights]
        if not able:
            raise lacking(right)
        if len(able) != 1:
            raise ForbiddenError(
                f"you may {right} in {len(able)} organisations", where="organisation", mend="name one"
            )
        return able[0]
    mine = next((m for m in me.memberships if m.slug == slug), None)
    if mine is None:
        raise NotFoundError("no such organisation of yours", where=plain(slug, 80))
    if right not in mine.rights:
        raise ForbiddenError(f"the right to {right} is missing", where=slug)
    return mine
