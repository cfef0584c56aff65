"""Recipient lists: who is meant by TLP:RED, and the parties to an embargo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.store.scalar import scalar

from . import audience
from .marking import own
from .organisation import named

if TYPE_CHECKING:
    import psycopg


class RecipientList(Struct, frozen=True, kw_only=True):
    """A list that `org` keeps. `embargo` is the embargo whose parties it has, None for a list of its own."""

    list: int
    org: int
    name: str
    members: int = 0
    embargo: int | None = None


class Recipient(Struct, frozen=True, kw_only=True):
    """One recipient: a person, or every member of an organisation. `name` is "" where the caller may not know it."""

    person: int | None = None
    org: int | None = None
    name: str = ""


_LISTED = """select l.list, l.org, l.name, (select count(*) from clearway.list_member m where m.list = l.list)::int,
    (select e.embargo from clearway.embargo e where e.list = l.list)
from clearway.recipient_list l where %(list)s::int is null or l.list = %(list)s
order by lower(l.name), l.list limit 500"""


def add(db: psycopg.Connection[Any], org: int, name: str) -> RecipientList:
    """A new list without recipients.

    Raises:
        NotFoundError: the organisation is not the caller's.
        InputError: the name is not one.
    """
    shown = named(name)
    made = scalar(db, "select clearway.add_list(%s, %s)", (org, shown))
    ledger.append(
        db, "list.added", f"list/{made}", {"name": shown, "org": org}, aud=audience.of(db, own(org))
    )
    return RecipientList(list=made, org=org, name=shown)


def one(db: psycopg.Connection[Any], number: int) -> RecipientList:
    """The list of that number.

    Raises:
        NotFoundError: there is none that the caller may know of.
    """
    row = db.execute(_LISTED, {"list": number}).fetchone()
    if row is None:
        raise NotFoundError("no such list", where=f"list/{number}")
    return RecipientList(list=row[0], org=row[1], name=row[2], members=row[3], embargo=row[4])


def listed(db: psycopg.Connection[Any]) -> tuple[RecipientList, ...]:
    """The lists of the caller's organisations, but for parties to embargoes, by name."""
    rows = db.execute(_LISTED, {"list": None})
    found = (RecipientList(list=a, org=b, name=c, members=d, embargo=e) for a, b, c, d, e in rows)
    return tuple(one for one in found if one.embargo is None)


def members(db: psycopg.Connection[Any], number: int) -> tuple[Recipient, ...]:
    """Who is on a list that the caller may know of: organisations first; empty for one that is not theirs."""
    rows = db.execute(
        """select m.person, m.org, coalesce(o.name, p.name, '') from clearway.list_member m
        left join clearway.organisation o on o.org = m.org left join clearway.person p on p.person = m.person
        where m.list = %s order by m.org nulls last, m.person limit 1000""",
        (number,),
    )
    return tuple(Recipient(person=person, org=org, name=name) for person, org, name in rows)


def set_member(
    db: psycopg.Connection[Any],
    number: int,
    *,
    person: int | None = None,
    org: int | None = None,
    member: bool = True,
) -> RecipientList:
    """Puts a person or a whole organisation on the list, or takes them off; it bites at their next statement.

    Raises:
        InputError: both or neither are named, or nobody has that number.
        ConflictError: the list has an embargo's parties.
        NotFoundError: the list is not the caller's.
    """
    if (person is None) == (org is None):
        raise InputError("a recipient is a person or an organisation", where="person")
    kept = one(db, number)
    if kept.embargo is not None:
        raise ConflictError(
            "this list has the parties to an embargo",
            where=f"list/{number}",
            mend="change them at the embargo",
        )
    if member:
        check_there(db, person, org)
    db.execute("select clearway.set_recipient(%s, %s, %s, %s)", (number, person, org, member))
    act = "list.member_added" if member else "list.member_removed"
    ledger.append(
        db, act, f"list/{number}", {"person": person, "org": org}, aud=audience.of(db, own(kept.org))
    )
    return one(db, number)


def check_there(db: psycopg.Connection[Any], person: int | None, org: int | None) -> None:
    """Passes when the caller may know that person or organisation.

    Raises:
        InputError: nobody has that number, as far as the caller may know.
    """
    row = db.execute(
        """select from clearway.person where person = %s and kind <> 'public'
        union all select from clearway.organisation where org = %s""",
        (person, org),
    ).fetchone()
    if row is None:
        raise InputError(
            "nobody has that number, or you may not know of them", where="person" if org is None else "org"
        )
