"""Whom one acts for, and which records anybody may read: for routes and commands alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import ForbiddenError, NotFoundError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from clearway.records.principal import Membership, Principal, Right

    from .public import Refs

_PUBLIC_RECORDS = """select source, id, raw from clearway.record
where source = any(%s) and id = any(%s) and current and tlp = 'CLEAR'"""


def member_of(me: Principal, slug: str, right: Right) -> Membership:
    """The organisation of one's own in which to act; "" is the only one with that right.

    Raises:
        NotFoundError: it is none of the caller's.
        ForbiddenError: the caller has not that right in it, or has it in several and names none.
    """
    if not slug:
        able = [m for m in me.memberships if right in m.rights]
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


def public_records(owner: psycopg.Connection[Any], refs: Refs) -> Mapping[tuple[str, str], bytes]:
    """The bytes of those current records that are marked TLP:CLEAR."""
    wanted = set(refs)
    arguments = [sorted({source for source, _ in wanted}), sorted({name for _, name in wanted})]
    rows = owner.execute(_PUBLIC_RECORDS, arguments)
    return {(row[0], row[1]): bytes(row[2]) for row in rows if (row[0], row[1]) in wanted}
