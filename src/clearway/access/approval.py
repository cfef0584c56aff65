"""Two people for one act: one asks, another decides, and the act names the decision."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, convert, json, structs

from clearway import ledger
from clearway.records.errors import ClearwayError, ForbiddenError, InputError, NotFoundError
from clearway.store.scalar import scalar

from . import audience, credential
from .marking import own

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

Verdict = Literal["approved", "refused", "withdrawn"]
MARKING = "marking"  # the kind of an approval that is carried out by approving it
REMARK = "remark"  # of one that a caller carries out by `remark`
_MOST_AUD = 65_535


class Approval(Struct, frozen=True, kw_only=True):
    """What was asked and what was decided. `used` once the act was carried out: an approval serves once."""

    approval: int
    uid: str
    org: int
    kind: str
    subject: str
    proposal: dict[str, Any]
    why: str
    asked_by: int
    asked_at: datetime
    decided_by: int | None = None
    decided_at: datetime | None = None
    verdict: Verdict | None = None
    used: datetime | None = None


_SELECT = "select to_jsonb(a) from clearway.approval a"


def ask(
    db: psycopg.Connection[Any], org: int, kind: str, subject: str, proposal: Mapping[str, object], why: str
) -> Approval:
    """Asks for a second person's word on exactly `proposal`.

    Raises:
        InputError: another audience is asked for, and the proposal does not name the old and the new one.
        NotFoundError: the caller may not act in that organisation.
    """
    if kind in (MARKING, REMARK):
        for part in ("was", "aud"):
            value = proposal.get(part)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_AUD:
                raise InputError(
                    "a proposal of another marking names two audiences",
                    where=f"proposal.{part}",
                    mend=f"give the number of an audience, 0 to {_MOST_AUD:,}",
                )
    made = scalar(
        db,
        "select clearway.ask_approval(%s, %s, %s, %s::jsonb, %s)",
        (org, kind, subject, json.encode(proposal).decode(), why[:500]),
    )
    asked = one(db, made)
    _log(db, "approval.asked", asked, {"kind": kind, "subject": subject, "proposal": proposal})
    return asked


def decide(db: psycopg.Connection[Any], approval: int, verdict: Verdict) -> Approval:
    """Approves or refuses as a second person, or withdraws as the one who asked.

    Approving a change of a marking that was asked for by `lowering` carries it out, in this transaction.

    Raises:
        ForbiddenError: the caller asked for it, is no second person beside who did, or has no right to decide there;
            or what is to be approved was asked for by somebody who has been barred or has not the right any more.
        ConflictError: it has been decided.
        NotFoundError: there is none of that number for the caller.
    """
    db.execute("select clearway.decide_approval(%s, %s)", (approval, verdict))
    decided = one(db, approval)
    _log(db, f"approval.{verdict}", decided, {"kind": decided.kind, "subject": decided.subject})
    if verdict == "approved" and decided.kind == MARKING:
        from . import lowering  # which asks here

        lowering.carry_out(db, decided)
        return one(db, approval)
    return decided


def withdraw_all(owner: psycopg.Connection[Any], why: str) -> int:
    """Ends what is asked for and not decided, and another marking that was approved and not carried out; how many."""
    rows = owner.execute(
        """update clearway.approval a set verdict = 'withdrawn', decided_at = clock_timestamp()
        where verdict is null or (verdict = 'approved' and used is null and kind = any(%s)) returning to_jsonb(a)""",
        ([MARKING, REMARK],),
    ).fetchall()
    for (row,) in rows:
        asked = convert(row, Approval)
        _log(owner, "approval.withdrawn", asked, {"kind": asked.kind, "subject": asked.subject, "why": why})
    return len(rows)


def one(db: psycopg.Connection[Any], approval: int) -> Approval:
    """The approval of that number.

    Raises:
        NotFoundError: there is none for the caller.
    """
    row = db.execute(f"{_SELECT} where approval = %s", (approval,)).fetchone()
    if row is None:
        raise NotFoundError("no such approval", where=f"approval/{approval}")
    return convert(row[0], Approval)


def listed(db: psycopg.Connection[Any], *, open_only: bool = False) -> tuple[Approval, ...]:
    """The approvals of the caller's organisations, the newest first."""
    rows = db.execute(
        f"{_SELECT} where not %s or a.verdict is null order by a.approval desc limit 500", (open_only,)
    )
    return tuple(convert(row[0], Approval) for row in rows)


def waiting(db: psycopg.Connection[Any], kind: str, subject: str, org: int) -> tuple[Approval, ...]:
    """What of that kind is asked of `org` about one subject, and not decided: the oldest first, 20 at most."""
    rows = db.execute(
        f"{_SELECT} where a.kind = %s and a.subject = %s and a.org = %s and a.verdict is null "
        "order by a.approval limit 20",
        (kind, subject, org),
    )
    return tuple(convert(row[0], Approval) for row in rows)


class Stop(Struct, frozen=True):
    """Why the caller does not decide something that waits, and why nobody approves it any more; "" where it is taken.

    Both in the words that `decide` refuses with.
    """

    decide: str = ""
    approve: str = ""


def stops(db: psycopg.Connection[Any], asked: Iterable[Approval]) -> dict[int, Stop]:
    """What stands in the way of the caller, of each that waits, by its number: known before they try."""
    waiting = [a.approval for a in asked if a.verdict is None]
    rows = db.execute("select approval, decide, approve from clearway.approval_stops(%s)", (waiting,))
    found = dict.fromkeys(waiting, Stop())
    return found | {which: Stop(decide or "", approve or "") for which, decide, approve in rows}


def deciders(db: psycopg.Connection[Any], org: int) -> dict[int, str]:
    """Who coordinates or administers in `org`, of those whom the caller may know: the name by the number, by name."""
    rows = db.execute(
        """select p.person, p.name from clearway.person p
        where p.active and p.kind = 'person' and exists (
            select from clearway.membership m join clearway.role_right r on r.role = m.role
            where m.person = p.person and m.org = %s and r."right" in ('coordinate', 'administer'))
        order by lower(p.name), p.person""",
        (org,),
    )
    return dict(rows.fetchall())


def remark(
    db: psycopg.Connection[Any], table: str, row_id: int, org: int, aud: int, *, approved: int | None = None
) -> None:
    """Gives one row of `org` another audience; anything but a narrower one needs an approval of just that change.

    The database logs it ("marking.changed") for the members of the row's organisation.

    Raises:
        ForbiddenError: the right or the approval is missing, or the row is under an embargo that others keep.
        ConflictError: somebody to whom it was said would no longer see it.
        NotFoundError: no such row for the caller.
    """
    if approved is not None and one(db, approved).org != org:
        raise ForbiddenError("that was approved for another organisation", where=f"approval/{approved}")
    db.execute("select clearway.remark(%s::regclass, %s, %s, %s)", (table, row_id, aud, approved))


def ask_remark(
    db: psycopg.Connection[Any], table: str, row_id: int, org: int, was: int, aud: int, why: str
) -> Approval:
    """Asks for a wider audience of one row: from `was` to `aud`."""
    return ask(db, org, REMARK, _subject(table, row_id), {"was": was, "aud": aud}, why)


class Wording(Struct, frozen=True, kw_only=True):
    """What a second person agrees to: who sees it now, and who would. None: an audience that the reader is not of."""

    now: audience.Meaning | None
    then: audience.Meaning | None


class Worded(Approval, frozen=True, kw_only=True):
    """An approval with what it means for its reader; None where it is not of another marking."""

    wording: Wording | None = None


def with_words(db: psycopg.Connection[Any], about: Approval) -> Worded:
    """`about` with the old and the new audience in words: the labels alone say "RED" of an embargo and of one's own."""
    return Worded(**structs.asdict(about), wording=worded(db, about))


def worded(db: psycopg.Connection[Any], about: Approval) -> Wording | None:
    """The old and the new audience of what was asked, as the database says them of their numbers; else None.

    Nothing of it is from the words beside the numbers, which are whoever's who asked.
    """
    if about.kind not in (MARKING, REMARK):
        return None
    return Wording(now=_meaning(db, about.proposal.get("was")), then=_meaning(db, about.proposal.get("aud")))


def _meaning(db: psycopg.Connection[Any], aud: object) -> audience.Meaning | None:
    if isinstance(aud, bool) or not isinstance(aud, int) or not 0 <= aud <= _MOST_AUD:
        return None
    try:
        return audience.meaning(db, aud)
    except ClearwayError:
        return None


def _subject(table: str, row_id: int) -> str:
    return f"{table.removeprefix('clearway.')}/{row_id}"


def _log(db: psycopg.Connection[Any], act: str, about: Approval, content: Mapping[str, object]) -> None:
    row = db.execute(
        "select case when verdict is null then asked_hands else decided_hands end from clearway.approval "
        "where approval = %s",
        (about.approval,),
    ).fetchone()
    # Who let the caller in again may be the one who acts.
    hands = credential.told(row[0]) if row is not None and row[0] else {}
    ledger.append(db, act, f"approval/{about.uid}", {**content, **hands}, aud=audience.of(db, own(about.org)))
