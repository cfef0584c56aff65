"""The latest time that was seen, and accepting the clock again where that is wrongly ahead.

A time that was seen makes nothing valid again that had ended by it (`clock_mark.high`). A machine whose clock jumped
forward leaves it ahead: sessions and tokens end too early, no clock is believed, and embargoes freeze. Nothing but a
person can say that it was wrong. That is for the owner of the database alone: whoever has the home, or its login.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, InputError

from . import audience, clockwatch
from .clockwatch import TOLERANCE, Database, Reading
from .marking import CLEAR_AUD, own

if TYPE_CHECKING:
    import psycopg


class Standing(Struct, frozen=True, kw_only=True):
    """How the clocks stand. `seen` is the latest time that was seen, `ahead_s` how far it is ahead of `clock`.

    `doubt` is why the clock is not believed, "" when it is; `witnessed` the newest time that a witness wrote.
    `unsure_s` is how much of what seems to have passed nobody can vouch for: what is kept is kept as much longer.
    """

    clock: datetime
    database: datetime
    seen: datetime | None
    ahead_s: float
    doubt: str
    frozen: int  # embargoes that wait for a coordinator
    witnessed: datetime | None = None
    unsure_s: float = 0.0


class Accepted(Struct, frozen=True, kw_only=True):
    """What was accepted: from `was` back to `now`; `ended` sessions and tokens bore times that never were."""

    was: datetime
    now: datetime
    ended: int
    entry: int


def standing(owner: psycopg.Connection[Any], now: Reading) -> Standing:
    """How the clocks stand at this reading."""
    row = owner.execute(
        """select clock_timestamp(), case when isfinite(m.high) then m.high end, m.boot, m.up_s,
            (select count(*)::int from clearway.embargo where frozen <> '' and ended_by is null),
            (select max(at) from clearway.log_cosignature),
            (select at from clearway.log_entry where at is not null order by entry desc limit 1),
            m.anchor, m.anchor_up_s, m.unsure_s, pg_postmaster_start_time()
        from clearway.clock_mark m"""
    ).fetchone()
    assert row is not None
    database, seen, boot, up_s, frozen, witnessed, latest, anchor, anchor_up_s, unsure_s, since = row
    before = None if seen is None else Reading(wall=seen, boot=boot, up_s=up_s)
    first = None if anchor is None else Reading(wall=anchor, boot=boot, up_s=anchor_up_s)
    return Standing(
        clock=now.wall,
        database=database,
        seen=seen,
        ahead_s=0.0 if seen is None else max(0.0, (seen - now.wall).total_seconds()),
        doubt=clockwatch.doubt(
            before, now, latest, anchor=first, database=Database(wall=database, since=since)
        ),
        frozen=frozen,
        witnessed=witnessed,
        unsure_s=unsure_s,
    )


def accept(owner: psycopg.Connection[Any], why: str, now: Reading) -> Accepted:
    """Says that the clock is right, and what speaks against it was wrong; one transaction of the owner.

    Sessions and tokens that were made later than now end: they bear times that never were. What had only seemed to
    have ended is valid again. No embargo ends by this, and a frozen one waits for its coordinator as before.

    Raises:
        InputError: no reason is given.
        ConflictError: nothing speaks against the clock, or the database's own says another time.
    """
    if not why.strip():
        raise InputError("say why the time that was seen is wrong", where="why")
    owner.execute("select from clearway.clock_mark for update")
    found = standing(owner, now)
    ahead = found.ahead_s > TOLERANCE.total_seconds()
    if found.seen is None or not (ahead or found.doubt or found.unsure_s):
        raise ConflictError(
            "the latest time seen is not ahead of the clock, and nothing else speaks against it",
            where="clock",
        )
    if abs(found.database - now.wall) > TOLERANCE:
        raise ConflictError(
            f"the database's clock is {said((found.database - now.wall).total_seconds())} off this machine's",
            where="clock",
            mend="set both right first",
        )
    owner.execute(
        """update clearway.clock_mark set high = %(wall)s, boot = %(boot)s, up_s = %(up)s, anchor = %(wall)s,
            anchor_up_s = %(up)s, unsure_s = 0""",
        {"wall": now.wall, "boot": now.boot, "up": now.up_s},
    )
    ended = owner.execute(
        """update clearway.credential set revoked = clock_timestamp()
        where created > %s and revoked is null and kind <> 'public'""",
        (now.wall + TOLERANCE,),
    ).rowcount
    house = owner.execute("select clearway.house()").fetchone()
    assert house is not None
    told = {
        "was": found.seen.isoformat(),
        "now": now.wall.isoformat(),
        "why": why.strip()[:500],
        "sessions_ended": ended,
    }
    aud = CLEAR_AUD if house[0] is None else audience.of(owner, own(house[0]))
    entry = ledger.append(owner, "clock.accepted", "clock", told, aud=aud)
    return Accepted(was=found.seen, now=now.wall, ended=ended, entry=entry)


def said(span: float) -> str:
    """How long that is, whichever way: "3 days, 2:10:00"."""
    return str(timedelta(seconds=abs(round(span))))
