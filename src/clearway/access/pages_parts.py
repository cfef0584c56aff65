"""What the pages of this room have in common: the words for roles and rights, and where a page stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from litestar.enums import RequestEncodingType
from litestar.params import Body
from msgspec import Struct

from clearway.http.organisation import looked_as
from clearway.http.pages import Form
from clearway.records.errors import ClearwayError, NotFoundError

from . import organisation, person

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg
    from litestar import Request

    from clearway.records.principal import Principal

    from .approval import Approval
    from .organisation import Organisation

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM = Body(media_type=RequestEncodingType.URL_ENCODED)
Sent = dict[str, Any]
_LATELY = timedelta(days=30)

ROLES: Mapping[str, tuple[str, str]] = {
    "operator": ("Operator", "keeps assets and inventories, and says what was done"),
    "finder": ("Finder", "reports flaws"),
    "coordinator": ("Coordinator", "runs cases, markings and embargoes"),
    "maintainer": ("Maintainer", "answers for the software of a vendor"),
    "lab": ("Lab", "submits evidence"),
    "assessor": ("Assessor", "assesses models and findings"),
    "official": ("Official", "determines, and issues directives for an authority"),
    "auditor": ("Auditor", "reads everything of the organisation, and who did what; changes nothing"),
    "administrator": ("Administrator", "adds people, gives roles, makes tokens for services"),
}
RIGHTS: Mapping[str, str] = {
    "read": "See what the organisation may see",
    "operate": "Change assets, inventories and statuses",
    "submit": "Report findings and submit evidence",
    "coordinate": "Change markings, run embargoes and cases",
    "maintain": "Answer as the maintainer of software",
    "assess": "Assess",
    "determine": "Determine as the responsible official",
    "direct": "Issue directives and read compliance",
    "audit": "Read who did what, and have the log verified",
    "administer": "Add people, give roles, make tokens for services",
}
# What a token may be limited to, as scopes; None is all of its person's rights.
REACH: Mapping[str, tuple[str, tuple[str, ...] | None]] = {
    "read": ("Only read", ("read",)),
    "operate": ("Read, and change assets, inventories and statuses", ("read", "operate")),
    "all": ("Everything that its owner may", None),
}
LIVES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}


class Place(Struct, frozen=True):
    """The organisation that a page is about, and what the reader may do there."""

    here: Organisation
    administers: bool  # takes its people's roles away, lets them in again, and ends what its clients read
    brings: bool  # adds people, services and clients, and gives roles: its own administrators alone
    first: bool  # names its first administrator, which runs the installation and has none
    changes: bool  # itself: its own administrators alone
    coordinates: bool
    house: bool  # whether the reader administers the whole installation


def place(request: Request[Any, Any, Any], db: psycopg.Connection[Any], me: Principal) -> Place:
    """The organisation of `?at=` (a number), else the one that the reader looks at pages as.

    Raises:
        NotFoundError: it is not the reader's, who does not run the installation either; or the reader has none.
    """
    row = db.execute("select clearway.may('administer', clearway.house())").fetchone()
    runs = bool(row and row[0])
    at = str(request.query_params.get("at", ""))
    if at:
        number = int(at) if at.isascii() and at.isdigit() and len(at) < 10 else -1
        if not runs and all(m.org != number for m in me.memberships):
            raise NotFoundError("no such organisation of yours")
        found = organisation.one(db, number)
    else:
        home = looked_as(request, me)
        if home is None:
            raise NotFoundError(
                "you belong to no organisation", mend="ask an administrator to give you a role in one"
            )
        found = organisation.one(db, home.org)
    own = me.may("administer", found.org)
    return Place(
        here=found,
        administers=runs or own,
        brings=own,
        first=runs and not own and not _administered(db, found.org),
        changes=own,
        coordinates=me.may("coordinate", found.org),
        house=runs,
    )


def _administered(db: psycopg.Connection[Any], org: int) -> bool:
    """Whether it has an administrator of its own who may come in, as far as the reader may know its members."""
    row = db.execute(
        """select from clearway.membership m join clearway.person p using (person)
        where m.org = %s and m.role = 'administrator' and p.active and p.kind = 'person' limit 1""",
        (org,),
    ).fetchone()
    return row is not None


def text(data: Sent, name: str, most: int = 2_000) -> str:
    """One field of a form; "" when it is not there."""
    value = data.get(name, "")
    return str(value[0] if isinstance(value, list) else value).strip()[:most]


def several(data: Sent, name: str) -> tuple[str, ...]:
    """All the values of a field."""
    value = data.get(name, [])
    return tuple(str(one) for one in (value if isinstance(value, list) else [value]))[:50]


def whole(typed: str) -> int | None:
    """A positive number that PostgreSQL can hold, else None."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


def wrong(data: Sent, error: ClearwayError, *known: str) -> Form:
    """What was typed with what is wrong about it, beside the field where it names one of `known`."""
    words = f"{error.what}: {error.mend}" if error.mend else error.what
    values = {name: text(data, name) for name in data}
    return Form(values, {error.where if error.where in known else "": words[:1].upper() + words[1:]})


def names(db: psycopg.Connection[Any], people: set[int | None]) -> dict[int, str]:
    """The names of these people, of those that the reader may know."""
    rows = db.execute(
        "select person, name from clearway.person where person = any(%s)", ([p for p in people if p],)
    )
    return dict(rows.fetchall())


def called_before(db: psycopg.Connection[Any], asked: Iterable[Approval]) -> dict[int, person.Was]:
    """What who asked was called in the month before, where that was something else: a second person is told."""
    open_ones = [one for one in asked if one.verdict is None]
    if not open_ones:
        return {}
    since = min(one.asked_at for one in open_ones) - _LATELY
    return person.called_before(db, {one.asked_by for one in open_ones}, since=since)
