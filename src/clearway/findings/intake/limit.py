"""How much of a product its receiver takes: from one reporter, in all, and from which level of evidence on.

A receiver sets its limits; they count once a coordinator has confirmed that the product is the receiver's, so that
nobody silences reports about the software of others. A report over a reporter's share is received like any other, with
its receipt, and waits its turn. What is counted for a reporter is its own alone: that others report is told to nobody.
The rest holds for what is handed on (`passes`), which the case does.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway import ledger
from clearway.access.marking import GREEN_AUD
from clearway.formats.purl import asked_ecosystem, spelled, spelled_name
from clearway.records.ecosystem import base
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store import events
from clearway.store.scalar import scalar

from .gates import Gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.records.principal import Membership

    Connection = psycopg.Connection[Any]


MOST = 100_000  # reports that a limit may name


class Limit(Struct, frozen=True, kw_only=True):
    """One receiver's limit for one product; None is no limit. It counts from `confirmed` on."""

    id: int
    organisation: str
    ecosystem: str
    package: str
    per_reporter: int | None
    per_week: int | None
    min_level: int
    note: str
    set_at: datetime
    confirmed: datetime | None
    version: int


class Passing(Struct, frozen=True):
    """Whether a finding is handed on to the receiver now, and why not."""

    now: bool
    why: str = ""


_SELECT = """select l.intake_limit, o.slug, l.ecosystem, l.package, l.per_reporter, l.per_week, l.min_level, l.note,
    l.set_at, l.confirmed, l.version
    from clearway.intake_limit l join clearway.organisation o on o.org = l.org where l.ended is null"""


# Names that some ecosystem takes for one are one so; what remains is looked at by `spelled_name`.
_FOLDED = "regexp_replace(lower({}), '[-_.]+', '-', 'g')"


def listed(db: Connection) -> list[Limit]:
    """Every limit that stands, the unconfirmed ones too, by product."""
    return [_limit(row) for row in db.execute(f"{_SELECT} order by l.ecosystem, l.package, l.intake_limit")]


def of_product(db: Connection, ecosystem: str, package: str) -> list[Limit]:
    """The confirmed limits for a product, whichever way they write it; one for "Debian" holds for its releases too."""
    rows = db.execute(
        f"""{_SELECT} and l.confirmed is not null and lower(l.ecosystem) = any(%s)
            and {_FOLDED.format("l.package")} = {_FOLDED.format("%s")} order by l.intake_limit""",
        ([ecosystem.lower(), base(ecosystem).lower()], package),
    )
    product = spelled_name(ecosystem, package)
    return [one for one in map(_limit, rows) if one.package == product]


def shared(db: Connection, ecosystem: str, package: str) -> list[tuple[str, str]]:
    """Of which products a report counts towards a reporter's share: (ecosystem, package) as the limits have them."""
    found = of_product(db, ecosystem, package) if package else []
    return [(one.ecosystem, one.package) for one in found if one.per_reporter is not None]


def alone(db: Connection, whose: int, products: Iterable[tuple[str, str]]) -> None:
    """Waits until nobody else counts towards these limits for `whose`, and keeps others waiting to the end of the
    transaction: what is counted afterwards is what those before have done.

    `products` are (ecosystem, package) as the limits have them, `whose` the reporter or the receiver. Who needs several
    names them in one call: they are taken in one order, so that two that wait do not wait for each other.
    """
    for ecosystem, package in sorted(set(products)):
        key = f"intake limit\n{whose}\n{ecosystem}\n{package}"
        db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))


def put(
    db: Connection,
    of: Membership,
    ecosystem: str,
    package: str,
    *,
    per_reporter: int | None = None,
    per_week: int | None = None,
    min_level: int = 0,
    note: str = "",
) -> Limit:
    """Sets the limit of the organisation `of` for a product, in place of the one before; a coordinator confirms it.

    Raises:
        ForbiddenError: the caller does not maintain there.
        InputError: no product, no such ecosystem, or nothing is limited.
    """
    if "maintain" not in of.rights:
        raise ForbiddenError("the right to maintain is missing", where=of.slug)
    known = asked_ecosystem(ecosystem)
    ecosystem, package = plain(known, 100), plain(spelled_name(known, package.strip()), 300)
    if not package:
        raise InputError("no product is named", where="package")
    if per_reporter is None and per_week is None and not min_level:
        raise InputError(
            "nothing is limited", where="per_week", mend="give per_reporter, per_week or min_level"
        )
    db.execute(
        """update clearway.intake_limit set ended = clock_timestamp(), version = version + 1
        where org = %s and ecosystem = %s and package = %s and ended is null""",
        (of.org, ecosystem, package),
    )
    number = scalar(
        db,
        """insert into clearway.intake_limit (org, aud, ecosystem, package, per_reporter, per_week, min_level, note)
        values (%s, %s, %s, %s, %s, %s, %s, %s) returning intake_limit""",
        (of.org, GREEN_AUD, ecosystem, package, per_reporter, per_week, min_level, plain(note.strip(), 500)),
    )
    made = one(db, number)
    _tell(db, "intake.limit_set", made, of.org)
    return made


def one(db: Connection, number: int) -> Limit:
    """The limit of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} and l.intake_limit = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such limit", where=f"limit/{number}")
    return _limit(row)


def end(db: Connection, number: int) -> None:
    """Ends a limit of one's own.

    Raises:
        NotFoundError: there is no such limit.
        ForbiddenError: it is another's.
    """
    kept = one(db, number)
    row = db.execute(
        """update clearway.intake_limit set ended = clock_timestamp(), version = version + 1
        where intake_limit = %s and ended is null returning org""",
        (number,),
    ).fetchone()
    if row is None:
        raise ForbiddenError("it is another organisation's", where=f"limit/{number}")
    _tell(db, "intake.limit_ended", kept, row[0])


def confirm(db: Connection, number: int, *, holds: bool) -> None:
    """A coordinator confirms that the product is the receiver's, or ends the limit.

    Raises:
        ForbiddenError: the caller is no coordinator of a clearinghouse, or no second person beside who set what they
            would confirm.
        NotFoundError: there is no such limit.
        ConflictError: it is confirmed already.
    """
    kept = one(db, number)
    if holds and kept.confirmed is not None:
        raise ConflictError("it is confirmed already", where=f"limit/{number}")
    scalar(db, "select clearway.confirm_limit(%s, %s)", (number, holds))
    org = scalar(db, "select org from clearway.intake_limit where intake_limit = %s", (number,))
    _tell(db, "intake.limit_confirmed" if holds else "intake.limit_refused", kept, org)


def confirmable(db: Connection, limits: Iterable[Limit]) -> set[int]:
    """Which of these the caller may confirm, if they coordinate: beside whoever set it they are a second person."""
    waiting = [one.id for one in limits if one.confirmed is None]
    return {number for (number,) in db.execute("select clearway.confirms_limits(%s)", (waiting,))}


def turn(db: Connection, org: int, ecosystem: str, package: str, *, of: int = 0) -> Gate:
    """Whether it is the turn of another report of `org` about a product, or it waits. Its others wait for the answer.

    `of` is the finding that is asked about, where it is one already: it does not stand in its own way.
    """
    alone(db, org, shared(db, ecosystem, package))
    for one in of_product(db, ecosystem, package) if package else ():
        share = one.per_reporter
        if share is not None and _sent(db, org, one.ecosystem, one.package, of) >= share:
            return Gate(gate="turn", state="waits", what=_words(share))
    return Gate(gate="turn", state="met")


def waits(db: Connection, member: int, organisation: str, ecosystem: str, package: str, *, level: int) -> str:
    """Why a finding about a product that reached `level` is not handed on to a receiver now, "" when it is.

    `member` and `organisation` are the receiver's number and slug. What is counted is what it was asked about the
    limit's own product; who asks it about the same at once waits for the answer.
    """
    own = [one for one in of_product(db, ecosystem, package) if one.organisation == organisation]
    alone(db, member, ((one.ecosystem, one.package) for one in own))
    for one in own:
        asked = scalar(db, "select clearway.asked_lately(%s, %s, %s)", (member, one.ecosystem, one.package))
        passing = passes(one, level=level, handed_on=asked)
        if not passing.now:
            return passing.why
    return ""


def passes(limit: Limit, *, level: int, handed_on: int) -> Passing:
    """Whether a finding that reached `level` is handed on, when `handed_on` were in the last seven days. Pure."""
    if level < limit.min_level:
        return Passing(False, f"the receiver takes findings from level E{limit.min_level} on")
    if limit.per_week is not None and handed_on >= limit.per_week:
        return Passing(False, f"the receiver takes {limit.per_week} in seven days")
    return Passing(True)


def _words(share: int) -> str:
    return (
        f"the receiver takes {share:,} reports in seven days from one organisation: this one waits, and nothing is to "
        "be done about it"
    )


def _sent(db: Connection, org: int, ecosystem: str, package: str, but: int) -> int:
    return scalar(db, "select clearway.sent_lately(%s, %s, %s, %s)", (org, ecosystem, package, but))


def _tell(db: Connection, act: str, limit: Limit, org: int) -> None:
    said = {"ecosystem": limit.ecosystem, "package": limit.package, "organisation": limit.organisation}
    subject = f"intake-limit/{limit.id}"
    ledger.append(db, act, subject, said, aud=GREEN_AUD)
    events.emit(db, act, subject, org=org, aud=GREEN_AUD, body=said)


def _limit(row: tuple[Any, ...]) -> Limit:
    found = Limit(**dict(zip(Limit.__struct_fields__, row, strict=True)))
    known = spelled(found.ecosystem) or found.ecosystem  # one from before may be written otherwise
    return replace(found, ecosystem=known, package=spelled_name(known, found.package))
