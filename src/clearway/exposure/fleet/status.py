"""What an organisation says of its exposures, and to many at once."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ConflictError, InputError, TooLargeError

from . import listing, past
from .acts import record
from .wanted import STATUSES, Filter, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

# Why a flaw does not affect, a closed list (OpenVEX and CSAF 2.0 flags, the same five words).
JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
MOST = 100_000  # exposures in one act
_NAMED = 500  # of them, in one entry of the log


def check_last_day(until: date | None, today: date, where: str = "until") -> None:
    """Whether something can still count up to the end of `until`, as today's day itself can; None always can.

    Both are days in UTC. Raises InputError.
    """
    if until is not None and until < today:
        raise InputError(
            f"{until} is past",
            where=where,
            mend=f"give the last day on which it counts: {today}, which is today in UTC, or later",
        )


class Decision(Struct, frozen=True, kw_only=True):
    """A status, with what it needs: `not_affected` a justification, `accepted` a reason and an end.

    `any_version`: it holds for later versions of the component too, where the same records speak of them. What was
    said to be fixed, and is seen again by a later inventory, is open again.
    """

    status: Status
    justification: str = ""
    detail: str = ""
    until: date | None = None
    any_version: bool = False

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise InputError(f"no status {self.status!r}", mend="one of: " + ", ".join(STATUSES))
        if self.status == "not_affected":
            if self.justification not in JUSTIFICATIONS:
                raise InputError(
                    "not_affected needs a justification",
                    where="justification",
                    mend="one of: " + ", ".join(JUSTIFICATIONS),
                )
        elif self.justification:
            raise InputError(
                "only not_affected has a justification", where="justification", mend="leave it out"
            )
        if self.status == "accepted":
            if self.until is None:
                raise InputError("accepted until when?", where="until", mend="give a day")
            if not self.detail.strip():
                raise InputError("accepted for what reason?", where="detail", mend="say why")
        elif self.until is not None and self.status != "mitigated":
            raise InputError("only accepted and mitigated can end", where="until", mend="leave it out")
        if len(self.detail) > 4_000:
            raise InputError("the detail is longer than 4,000 characters", where="detail", mend="shorten it")


def decide(
    db: psycopg.Connection[Any], exposures: Sequence[int], said: Decision, *, rule: int = 0
) -> tuple[int, ...]:
    """Gives exposures a status; returns those that changed. Others can't be seen, are not the caller's, or are over.

    What a `rule` says in words (`detail`) stays with it: its readers are others than those of an exposure, who learn
    that it decided.

    Raises:
        TooLargeError: over `MOST` at once.
    """
    wanted = sorted(set(exposures))
    if len(wanted) > MOST:
        raise TooLargeError(f"{len(wanted):,} exposures at once", mend=f"at most {MOST:,}")
    if not wanted:
        return ()
    row = db.execute(
        "select clearway.fleet_decide(%s, %s::smallint, %s, %s, %s, %s, %s)",
        (wanted, STATUSES.index(said.status), said.justification, "" if rule else said.detail, said.until,
         said.any_version, rule or None),
    ).fetchone()  # fmt: skip
    changed = tuple(row[0]) if row else ()
    if changed:
        _tell(db, changed, said, rule)
    return changed


def _tell(db: psycopg.Connection[Any], changed: Sequence[int], said: Decision, rule: int) -> None:
    rows = db.execute(
        """select org, aud, array_agg(exposure order by exposure) from clearway.exposure
        where exposure = any(%s) group by org, aud order by org, aud""",
        (list(changed),),
    ).fetchall()
    for org, aud, those in rows:
        content = {
            "status": said.status,
            "justification": said.justification,
            "detail": "" if rule else said.detail,
            "until": said.until,
            "any_version": said.any_version,
            "rule": rule or None,
            "count": len(those),
            "exposures": those[:_NAMED],
        }
        subject = f"exposure/{those[0]}" if len(those) == 1 else f"org/{org}/exposures"
        record(db, "exposure.decided", subject, {k: v for k, v in content.items() if v not in ("", None)},
               org=org, aud=aud)  # fmt: skip


def preview(db: psycopg.Connection[Any], wanted: Filter) -> listing.Counts:
    """How many a bulk act on `wanted` would reach, by status: to be shown before it is done."""
    return listing.counts(db, wanted, ("status", "org"), MOST)


def decide_where(
    db: psycopg.Connection[Any], wanted: Filter, said: Decision, *, expected: int
) -> tuple[int, ...]:
    """`decide` for everything that `wanted` shows.

    Raises:
        ConflictError: they are not as many as were `expected` from the preview.
        TooLargeError: over `MOST`.
    """
    found = listing.ids(db, wanted, MOST + 1)
    if len(found) != expected:
        raise ConflictError(
            f"it is {len(found):,} exposures now, not {expected:,}",
            where="expected",
            mend="look again, then repeat",
        )
    return decide(db, found, said)


class Said(Struct, frozen=True, kw_only=True):
    """One decision, standing or ended. `document`: the inventory whose VEX says so, by the witness `witness`.

    Of a `rule` the `detail` is what the rule says, "" for who may not see it; then it is `withheld`.
    """

    decision: int
    status: Status
    justification: str
    detail: str
    until: date | None
    any_version: bool
    records: tuple[str, ...]
    person: int
    rule: int | None
    at: Any
    ended: Any
    ended_why: str
    document: int | None = None
    witness: str = ""
    withheld: bool = False


# A rule's words are read from the rule, under its own policy.
_SAID = """select d.decision, d.status, d.justification,
    case when d.rule is null then d.detail else coalesce(r.detail, '') end, d.until, d.pv is null, d.records, d.person,
    d.rule, d.at, d.ended, d.ended_why, d.document, i.witness, d.rule is not null and r.rule is null"""


def said(db: psycopg.Connection[Any], exposure: int, before: datetime | None = None) -> tuple[Said, ...]:
    """Every decision about an exposure's component and records, the newest first.

    With `before`, those that it had itself by that moment, as they stood then: a decision goes along with a component
    that is written anew, and what others are about it now says nothing of then.
    """
    if before is None:
        rows = db.execute(
            f"""{_SAID} from clearway.exposure e join clearway.package_version v on v.pv = e.pv
            join clearway.decision d on d.asset = e.asset and d.ecosystem = v.ecosystem and d.name = v.name
            left join clearway.answer a on e.via = 0 and a.pv = e.pv and a.flaw = e.flaw
            left join clearway.marked m on m.marked = e.via
            left join clearway.inventory i on i.inventory = d.document
            left join clearway.fleet_rule r on r.rule = d.rule
            where e.exposure = %s and (d.decision = e.decision or (d.records && coalesce(a.records, array[m.record])
                and (d.pv is null or d.pv = e.pv or clearway.fleet_alike(d.pv, e.pv))))
            order by d.decision desc limit 200""",
            (exposure,),
        ).fetchall()
    else:
        rows = db.execute(
            f"""{_SAID} from clearway.decision d left join clearway.inventory i on i.inventory = d.document
            left join clearway.fleet_rule r on r.rule = d.rule
            where d.at < %(end)s and d.decision in (
                select h.decision from clearway.exposure_history h where h.exposure = %(exposure)s and h.until < %(end)s
                union select e.decision from {past.EXPOSURES} e where e.exposure = %(exposure)s)
            order by d.decision desc limit 200""",  # noqa: S608 - constants
            {"exposure": exposure, "end": before},
        ).fetchall()
        rows = [
            (*r[:10], *((r[10], r[11]) if r[10] and r[10] < before else (None, "")), *r[12:]) for r in rows
        ]
    return tuple(
        Said(
            decision=r[0], status=STATUSES[r[1]], justification=r[2], detail=r[3], until=r[4], any_version=r[5],
            records=tuple(r[6]), person=r[7], rule=r[8], at=r[9], ended=r[10], ended_why=r[11],
            document=r[12], witness=r[13] or "", withheld=r[14],
        )
        for r in rows
    )  # fmt: skip


def words_of(db: psycopg.Connection[Any], said: Sequence[Said]) -> list[int]:
    """The audiences of the rules whose words these have."""
    rules = sorted({s.rule for s in said if s.rule and s.detail})
    if not rules:
        return []
    rows = db.execute(
        "select distinct aud from clearway.fleet_rule where rule = any(%s) order by 1", (rules,)
    )
    return [aud for (aud,) in rows]
