"""How a reporter's findings have turned out: shown to the reporter and the desk, and open to appeal.

A mark is a coordinator's word on one finding: valid, known before, a duplicate, invalid. The reporter may appeal; while
the appeal is open, and after one that was granted, the mark does not count. The record holds figures alone, and nobody
is refused by it: who is new has none, which is not a bad one.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.store.scalar import scalar

from .. import kept

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding

    Connection = psycopg.Connection[Any]

MarkName = Literal["valid", "known", "duplicate", "invalid"]
MARKS: tuple[MarkName, ...] = get_args(MarkName)
Outcome = Literal["granted", "refused"]
_MAX_WHY = 4_000


class Record(Struct, frozen=True, kw_only=True):
    """One organisation's findings in figures; of its live ones alone. `reproduced`: fired here (E1 or more)."""

    organisation: str
    reported: int = 0
    incomplete: int = 0
    withdrawn: int = 0
    reproduced: int = 0
    fix_shown: int = 0  # E2 or more
    valid: int = 0
    known: int = 0
    duplicate: int = 0
    invalid: int = 0
    appealed: int = 0  # marks that do not count, for an appeal is open or was granted
    first: datetime | None = None


class Appeal(Struct, frozen=True, kw_only=True):
    """One appeal against a mark; `outcome` None while it is open."""

    id: int
    why: str
    at: datetime
    outcome: Outcome | None
    reason: str
    decided: datetime | None


class Mark(Struct, frozen=True, kw_only=True):
    """What a coordinator said of a finding, whether it counts, and the appeals against it."""

    mark: MarkName
    why: str
    at: datetime
    counts: bool
    appeals: tuple[Appeal, ...] = ()


_RECORD = """
with of as (
    select f.*, m.mark, exists (select from clearway.mark_appeal a where a.finding = f.finding
        and a.outcome is distinct from 'refused') as appealed
    from clearway.finding f left join clearway.finding_mark m on m.finding = f.finding where f.org = %s and f.live
)
select o.slug, count(of.finding), count(*) filter (where state = 'incomplete'),
    count(*) filter (where state = 'withdrawn'), count(*) filter (where level >= 1), count(*) filter (where level >= 2),
    count(*) filter (where mark = 'valid' and not appealed), count(*) filter (where mark = 'known' and not appealed),
    count(*) filter (where mark = 'duplicate' and not appealed),
    count(*) filter (where mark = 'invalid' and not appealed), count(*) filter (where mark is not null and appealed),
    min(of.received)
from clearway.organisation o left join of on true where o.org = %s group by o.slug"""


def of(db: Connection, org: int) -> Record:
    """The record of an organisation, as far as the caller may see its findings: itself, and the desk.

    Raises:
        NotFoundError: there is no such organisation.
    """
    row = db.execute(_RECORD, (org, org)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=f"organisation/{org}")
    return Record(**dict(zip(Record.__struct_fields__, row, strict=True)))


def mark_of(db: Connection, finding: int) -> Mark | None:
    """What was said of a finding, None when nothing was."""
    row = db.execute(
        "select mark, why, at from clearway.finding_mark where finding = %s", (finding,)
    ).fetchone()
    if row is None:
        return None
    appeals = tuple(
        Appeal(id=r[0], why=r[1], at=r[2], outcome=r[3], reason=r[4], decided=r[5])
        for r in db.execute(
            "select appeal, why, at, outcome, reason, decided from clearway.mark_appeal "
            "where finding = %s order by appeal",
            (finding,),
        )
    )
    counts = all(appeal.outcome == "refused" for appeal in appeals)
    return Mark(mark=row[0], why=row[1], at=row[2], counts=counts, appeals=appeals)


def give(db: Connection, finding: Finding, mark: MarkName, why: str) -> None:
    """A coordinator says how a finding counts, in place of what was said before.

    Raises:
        ForbiddenError: the caller is no coordinator of a clearinghouse.
        InputError: no such mark, or no reason.
    """
    if mark not in MARKS:
        raise InputError("no such mark", where="mark", mend=f"one of {', '.join(MARKS)}")
    db.execute(
        """insert into clearway.finding_mark (finding, org, aud, mark, why) values (%s, %s, %s, %s, %s)
        on conflict (finding) do update set mark = excluded.mark, why = excluded.why""",
        (finding.id, finding.org, finding.aud, mark, _words(why, "why")[:2_000]),
    )
    ledger.append(db, "finding.marked", finding.subject, {"mark": mark}, aud=finding.aud)
    kept.announce(db, finding, "finding.marked")


def appeal(db: Connection, finding: Finding, why: str) -> int:
    """The reporter's appeal against the mark of a finding; its number. While it is open the mark does not count.

    Raises:
        ConflictError: there is no mark, or an appeal is open, or one was decided against the same mark.
        ForbiddenError: the finding is not the caller's.
        InputError: no reason.
    """
    said = mark_of(db, finding.id)
    if said is None:
        raise ConflictError("nothing was said of this finding that could be appealed", where=finding.subject)
    if any(one.outcome is None for one in said.appeals):
        raise ConflictError("an appeal is open", where=finding.subject, mend="wait for its outcome")
    if any(one.outcome == "refused" and one.at > said.at for one in said.appeals):
        raise ConflictError("an appeal against this was refused", where=finding.subject)
    number = scalar(
        db,
        "insert into clearway.mark_appeal (finding, org, aud, why) values (%s, %s, %s, %s) returning appeal",
        (finding.id, finding.org, finding.aud, _words(why, "why")),
    )
    ledger.append(
        db, "finding.appealed", finding.subject, {"mark": said.mark, "appeal": number}, aud=finding.aud
    )
    kept.announce(db, finding, "finding.appealed")
    return number


def decide(db: Connection, number: int, outcome: Outcome, reason: str) -> None:
    """A coordinator, not the one who gave the mark, decides an appeal.

    Raises:
        ForbiddenError: the caller is no coordinator, or gave the mark.
        NotFoundError: there is no such appeal that the caller may see.
        ConflictError: it is decided.
        InputError: no such outcome, or no reason.
    """
    if outcome not in get_args(Outcome):
        raise InputError("no such outcome", where="outcome", mend="granted or refused")
    row = db.execute("select finding from clearway.mark_appeal where appeal = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such appeal", where=f"appeal/{number}")
    finding = kept.by_id(db, row[0])
    scalar(db, "select clearway.decide_appeal(%s, %s, %s)", (number, outcome, _words(reason, "reason")))
    said = {"appeal": number, "outcome": outcome}
    ledger.append(db, "finding.appeal_decided", finding.subject, said, aud=finding.aud)
    kept.announce(db, finding, "finding.appeal_decided")


def _words(text: str, where: str) -> str:
    said = text.strip()
    if not said or len(said) > _MAX_WHY or "\0" in said:
        raise InputError(f"1 to {_MAX_WHY:,} characters are wanted", where=where)
    return said


def is_desk(db: Connection) -> bool:
    """Whether the caller is a coordinator of a clearinghouse."""
    return bool(scalar(db, "select clearway.is_desk()::int"))


def desk_only(db: Connection) -> None:
    """Passes for a coordinator of a clearinghouse. Raises ForbiddenError."""
    if not is_desk(db):
        raise ForbiddenError("that is the coordinators' of the clearinghouse")
