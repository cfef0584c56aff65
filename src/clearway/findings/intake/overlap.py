"""Whether others hold the same flaw under embargo: told to those alone whose own reproducer has fired here.

To be told "somebody has that" is to be told where an unpatched flaw is. Who could ask by product and place would
find embargoed flaws by asking. So the question is answered only for a finding whose proof has fired on the desk's
own machines: the asker then knows of the flaw without us. It is answered once for a finding and by yes or no; each
answer is on the log, and an organisation gets a bounded number of them a day. `told` is for the validation to call,
as the owner, when it has brought a finding to E1 or higher.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ForbiddenError, TooManyRequestsError
from clearway.store.scalar import scalar

from .. import kept

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding

    Connection = psycopg.Connection[Any]

PER_DAY = 20  # answers for one organisation in 24 hours
_LEAST_LEVEL = 1
_DAY_S = 86_400
# Says, as the owner, whether another's finding is the same flaw. Better evidence than the place comes from `dedup`.
Judge = Callable[["Connection", "Finding"], bool]


class Overlap(Struct, frozen=True, kw_only=True):
    """The answer to one question: whether others hold it too; who and how many is not said."""

    overlaps: bool
    asked: datetime


def same_place(db: Connection, finding: Finding) -> bool:
    """Whether another organisation's finding that fired is of the same product, and of the same file or class."""
    row = db.execute(
        """select exists (select from clearway.finding f
            where f.org <> %s and f.live and f.level >= %s and f.state <> 'withdrawn'
                and f.ecosystem = %s and f.package = %s and f.package <> ''
                and ((f.place <> '' and split_part(f.place, ':', 1) = split_part(%s, ':', 1))
                    or (f.place = '' and f.cwe <> '' and f.cwe = %s)))""",
        (finding.org, _LEAST_LEVEL, finding.ecosystem, finding.package, finding.place, finding.cwe),
    ).fetchone()
    return bool(row and row[0])


def told(owner: Connection, finding: Finding, judge: Judge = same_place) -> Overlap:
    """The answer for `finding`, made once and kept; on the log for the reporter and the desk, with its event.

    Raises:
        ForbiddenError: its reproducer has not fired here, or it is a trial.
        TooManyRequestsError: its organisation has had its answers for now; ask again later.
    """
    before = answer_of(owner, finding.id)
    if before is not None:
        return before
    if finding.level < _LEAST_LEVEL or not finding.live:
        raise ForbiddenError(
            "this is told once the finding's own reproducer has fired here", where=finding.subject
        )
    # One at a time for an organisation: two jobs that count at once would count the same.
    owner.execute("select pg_advisory_xact_lock(hashtextextended('clearway overlap', %s))", (finding.org,))
    count = scalar(
        owner,
        "select count(*) from clearway.overlap_answer where org = %s and asked > clock_timestamp() - interval '1 day'",
        (finding.org,),
    )
    if count >= PER_DAY:
        raise TooManyRequestsError(
            f"{PER_DAY} answers in a day",
            where=finding.subject,
            mend="ask again tomorrow",
            retry_after_s=_DAY_S,
        )
    overlaps = judge(owner, finding)
    owner.execute(
        "insert into clearway.overlap_answer (finding, org, aud, held) values (%s, %s, %s, %s)",
        (finding.id, finding.org, finding.aud, overlaps),
    )
    ledger.append(owner, "finding.overlap_told", finding.subject, {"overlaps": overlaps}, aud=finding.aud)
    kept.announce(owner, finding, "finding.overlap_told")
    made = answer_of(owner, finding.id)
    assert made is not None
    return made


def answer_of(db: Connection, finding: int) -> Overlap | None:
    """What was told of a finding, as far as the caller may see it; None when nothing was."""
    row = db.execute(
        "select held, asked from clearway.overlap_answer where finding = %s", (finding,)
    ).fetchone()
    return None if row is None else Overlap(overlaps=row[0], asked=row[1])
