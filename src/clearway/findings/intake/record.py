"""How a reporter's findings have turned out: shown to the reporter and the desk, and open to appeal.

A mark is a coordinator's word on one finding: valid, known before, a duplicate, invalid. Each stays; the newest counts.
The reporter may appeal against it once; while the appeal is open, and after it was granted, that mark does not count,
and a later one may be appealed anew. While an appeal is open there is no new mark, and it is decided by another
coordinator than who gave the mark. The record holds figures alone, and nobody is refused by it: who is new has none,
which is not a bad one.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from .. import kept

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Principal

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
    """One appeal against a mark; `outcome` None while it is open, and `decides` whether the caller may decide it."""

    id: int
    why: str
    at: datetime
    outcome: Outcome | None
    reason: str
    decided: datetime | None
    decides: bool = False


class EarlierMark(Struct, frozen=True, kw_only=True):
    """What was said of a finding before, and the appeals against that."""

    mark: MarkName
    why: str
    at: datetime
    appeals: tuple[Appeal, ...] = ()


class Mark(Struct, frozen=True, kw_only=True):
    """What a coordinator said of a finding last, whether it counts, the appeals against it, and earlier marks."""

    id: int
    mark: MarkName
    why: str
    at: datetime
    counts: bool
    appeals: tuple[Appeal, ...] = ()
    earlier: tuple[EarlierMark, ...] = ()  # newest first


_RECORD = """
with of as (
    select f.*, m.mark, exists (select from clearway.mark_appeal a where a.finding_mark = m.finding_mark
        and a.outcome is distinct from 'refused') as appealed
    from clearway.finding f left join lateral (select * from clearway.finding_mark x where x.finding = f.finding
        order by x.finding_mark desc limit 1) m on true
    where f.org = %s and f.live
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


def audiences(db: Connection, org: int) -> list[int]:
    """The audiences of the findings that an organisation's record is counted from, for the log of what is read."""
    rows = db.execute("select distinct aud from clearway.finding where org = %s", (org,))
    return [aud for (aud,) in rows]


def mark_of(db: Connection, finding: int) -> Mark | None:
    """What was said of a finding last, None when nothing was; with what was said before."""
    rows = db.execute(
        "select finding_mark, mark, why, at from clearway.finding_mark where finding = %s "
        "order by finding_mark desc",
        (finding,),
    ).fetchall()
    if not rows:
        return None
    appeals: dict[int, list[Appeal]] = {}
    for r in db.execute(
        "select finding_mark, appeal, why, at, outcome, reason, decided, "
        "outcome is null and clearway.decides_appeal(appeal) from clearway.mark_appeal "
        "where finding = %s order by appeal",
        (finding,),
    ):
        one = Appeal(id=r[1], why=r[2], at=r[3], outcome=r[4], reason=r[5], decided=r[6], decides=r[7])
        appeals.setdefault(r[0], []).append(one)
    (number, mark, why, at), *before = rows
    against = tuple(appeals.get(number, ()))
    return Mark(
        id=number,
        mark=mark,
        why=why,
        at=at,
        counts=all(appeal.outcome == "refused" for appeal in against),
        appeals=against,
        earlier=tuple(
            EarlierMark(mark=m, why=w, at=t, appeals=tuple(appeals.get(n, ()))) for n, m, w, t in before
        ),
    )


def give(db: Connection, finding: Finding, mark: MarkName, why: str) -> int:
    """A coordinator says how a finding counts from now on; the number of the mark.

    Raises:
        ForbiddenError: the caller is no coordinator of a clearinghouse.
        ConflictError: an appeal against what was said before is open.
        InputError: no such mark, or no reason.
    """
    if mark not in MARKS:
        raise InputError("no such mark", where="mark", mend=f"one of {', '.join(MARKS)}")
    said = _words(why, "why")[:2_000]
    number = scalar(db, "select clearway.mark_finding(%s, %s, %s)", (finding.id, mark, said))
    ledger.append(db, "finding.marked", finding.subject, {"mark": mark, "number": number}, aud=finding.aud)
    kept.announce(db, finding, "finding.marked")
    return number


def appeal(db: Connection, finding: Finding, why: str) -> int:
    """The reporter's appeal against the newest mark of a finding; its number. While it is open that does not count.

    Raises:
        ConflictError: there is no mark, or there was an appeal against it.
        ForbiddenError: the finding is not the caller's.
        InputError: no reason.
    """
    number = scalar(db, "select clearway.appeal_mark(%s, %s)", (finding.id, _words(why, "why")))
    said = mark_of(db, finding.id)
    assert said is not None
    told = {"mark": said.mark, "number": said.id, "appeal": number}
    ledger.append(db, "finding.appealed", finding.subject, told, aud=finding.aud)
    kept.announce(db, finding, "finding.appealed")
    return number


def decide(db: Connection, number: int, outcome: Outcome, reason: str) -> None:
    """A coordinator decides an appeal, who neither gave the mark that it is against nor made the appeal.

    Raises:
        ForbiddenError: the caller is no coordinator, or one of these.
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


def reporter(db: Connection, me: Principal, slug: str) -> int:
    """The organisation whose record is asked for: one's own, or for the desk any.

    Raises:
        NotFoundError: there is none of that name that the caller may ask about.
    """
    mine = next((m for m in me.memberships if m.slug == slug or not slug), None)
    if mine is not None:
        return mine.org
    desk_only(db)
    row = db.execute("select org from clearway.organisation where slug = %s", (slug,)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=plain(slug, 80))
    return int(row[0])


def is_desk(db: Connection) -> bool:
    """Whether the caller is a coordinator of a clearinghouse."""
    return bool(scalar(db, "select clearway.is_desk()::int"))


def desk_only(db: Connection) -> None:
    """Passes for a coordinator of a clearinghouse. Raises ForbiddenError."""
    if not is_desk(db):
        raise ForbiddenError("that is the coordinators' of the clearinghouse")
