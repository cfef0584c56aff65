"""Whether others hold the same flaw under embargo: told to those alone whose own reproducer has fired here.

To be told "somebody has that" is to be told where an unpatched flaw is. Who could ask by product and place would
find embargoed flaws by asking. So the question is answered only for a finding whose proof has fired on the desk's
own machines: the asker then knows of the flaw without us. It is answered once for a finding and by yes or no; each
answer is on the log, and an organisation gets a bounded number of them a day. The validation asks (`ask`) when it has
brought a finding to E1 or higher; a job answers as the owner (`told`), with a judge that knows evidence (`dedup.told`).

What the reporter claims of place and class decides nothing: whoever has any proof that fires could else ask about one
place after the other. Where evidence that comes later, such as a cross-run, shows that the answer was wrong when it was
given, it is put right (`correct`), and so is a *yes* that rested on a cross-run which a newer one has revoked, or whose
rule did not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ForbiddenError, TooManyRequestsError
from clearway.store import jobs
from clearway.store.scalar import scalar

from .. import kept

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding

    Connection = psycopg.Connection[Any]

PER_DAY = 20  # answers for one organisation in 24 hours
TASK = "findings.overlap"
_LEAST_LEVEL = 1
_DAY_S = 86_400
# Says, as the owner, whether another's finding is the same flaw.
Judge = Callable[["Connection", "Finding"], bool]


class Overlap(Struct, frozen=True, kw_only=True):
    """The answer to one question: whether others hold it too; who and how many is not said."""

    overlaps: bool
    asked: datetime


def ask(owner: Connection, finding: Finding) -> None:
    """Has the question answered by a job, once for `finding`, in the transaction in which its proof has fired."""
    if finding.live and answer_of(owner, finding.id) is None:
        jobs.defer(owner, TASK, {"finding": finding.id}, once=f"overlap {finding.handling}")


def told(owner: Connection, finding: Finding, judge: Judge) -> Overlap:
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


def correct(owner: Connection, finding: Finding, *, held: bool = True) -> None:
    """Makes what was told of `finding` a *yes*, or a *no*; on the log, with its event. Nothing where it is that."""
    changed = owner.execute(
        "update clearway.overlap_answer set held = %(held)s where finding = %(of)s and held <> %(held)s",
        {"held": held, "of": finding.id},
    ).rowcount
    if changed:
        content = {"overlaps": held, "corrected": True}
        ledger.append(owner, "finding.overlap_told", finding.subject, content, aud=finding.aud)
        kept.announce(owner, finding, "finding.overlap_told")


def answer_of(db: Connection, finding: int) -> Overlap | None:
    """What was told of a finding, as far as the caller may see it; None when nothing was."""
    row = db.execute(
        "select held, asked from clearway.overlap_answer where finding = %s", (finding,)
    ).fetchone()
    return None if row is None else Overlap(overlaps=row[0], asked=row[1])
