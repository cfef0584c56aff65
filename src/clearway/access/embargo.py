"""Embargoes: for their parties alone until a logged act ends them.

A coordinator arms an embargo in advance; a job carries it out. Where the clock can't be believed the job
freezes it instead and says why, and a coordinator decides. Ending one changes what its audiences mean and
touches no row.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct, convert

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.store.scalar import scalar

from . import audience, clockwatch
from .clockwatch import Database, Reading
from .marking import Marking
from .organisation import named

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg


class Embargo(Struct, frozen=True, kw_only=True):
    """One embargo. `until` once it is armed, `frozen` why it can't end by itself, `ended_by` the log's entry.

    `flaws` are the ids of what it is about, as far as the reader may know them: its parties, the desk, and those who
    coordinate where it is kept. `listed` are those of them that a catalogue of exploited vulnerabilities listed before
    they were named, or the embargo armed: that ended nothing.
    """

    embargo: int
    uid: str
    name: str
    org: int
    recipients: int  # the list of its parties
    until: datetime | None = None
    on_exploitation: bool = False
    flaws: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    frozen: str = ""
    ended_by: int | None = None
    ended_at: datetime | None = None
    version: int = 1


RESTORED = "restored"  # how the reason of those begins that a restore froze
MOST_DAYS = 366  # an embargo of over a year is none that anybody keeps, and most likely a slip of the hand
FLAWS = "array(select f.id from clearway.embargo_flaw f where f.embargo = e.embargo order by f.id)"
LISTED = FLAWS.replace(" order by", " and f.listed is not null order by")
_SELECT = f"""select jsonb_build_object('flaws', {FLAWS}, 'listed', {LISTED}, 'embargo', embargo, 'uid', uid,
    'name', name, 'org', org, 'recipients', list, 'until', until, 'on_exploitation', on_exploitation,
    'frozen', frozen, 'ended_by', ended_by, 'ended_at', ended_at, 'version', version)
    from clearway.embargo e"""  # noqa: S608  constants


def add(db: psycopg.Connection[Any], org: int, name: str) -> Embargo:
    """A new embargo without parties, kept by `org`'s coordinators.

    Raises:
        ForbiddenError: the caller does not coordinate there.
    """
    made = one(db, scalar(db, "select clearway.add_embargo(%s, %s)", (org, named(name))))
    _log(db, "embargo.added", made, {"name": made.name})
    return made


def one(db: psycopg.Connection[Any], embargo: int) -> Embargo:
    """The embargo of that number; only its keeper, its parties and the coordinators know of it.

    Raises:
        NotFoundError: there is none that the caller may know of.
    """
    row = db.execute(f"{_SELECT} where embargo = %s", (embargo,)).fetchone()
    if row is None:
        raise NotFoundError("no such embargo", where=f"embargo/{embargo}")
    return convert(row[0], Embargo)


def audiences(db: psycopg.Connection[Any], found: Iterable[Embargo]) -> list[int]:
    """For each, who may know on the log that the caller read of it: its keeper and the coordinators, as of its acts.

    A party of another organisation is told of to itself and the installation's auditors: of the parties none learns
    from the log who the others are.
    """
    known: dict[int, int] = {}
    keepers = [one.org for one in found]
    for org in keepers:
        if org not in known:
            aud = audience.of(db, Marking(tlp="AMBER+STRICT", org=org))
            sees = scalar(db, "select get_bit(clearway.my_bits(), %s) = 1", (aud,))
            known[org] = aud if sees else scalar(db, "select clearway.my_own_audience()")
    return [known[org] for org in keepers]


def listed(db: psycopg.Connection[Any]) -> tuple[Embargo, ...]:
    """The embargoes that the caller may know of: those that end next first, the ended last."""
    rows = db.execute(f"{_SELECT} order by ended_by is not null, until nulls last, embargo")
    return tuple(convert(row[0], Embargo) for row in rows)


def set_party(
    db: psycopg.Connection[Any],
    embargo: int,
    *,
    person: int | None = None,
    org: int | None = None,
    party: bool = True,
) -> None:
    """Makes a person or a whole organisation a party, or no longer one; it bites at their next statement."""
    if (person is None) == (org is None):
        raise InputError("a party is a person or an organisation", where="party")
    kept = one(db, embargo)
    db.execute("select clearway.set_recipient(%s, %s, %s, %s)", (kept.recipients, person, org, party))
    note_party(db, embargo, person=person, org=org, party=party)


def note_party(
    db: psycopg.Connection[Any],
    embargo: int,
    *,
    person: int | None = None,
    org: int | None = None,
    party: bool = True,
) -> None:
    """Puts on the log that somebody was made a party, or is no longer one."""
    act = "embargo.party_added" if party else "embargo.party_removed"
    _log(db, act, one(db, embargo), {"person": person, "org": org})


def name_flaw(db: psycopg.Connection[Any], embargo: int, flaw: str, *, about: bool = True) -> Embargo:
    """Says that it is about that flaw, or no longer: by its id, the CVE's where there is one.

    The log says how many they are and not which: it is read by more people than may know that.

    Raises:
        InputError: that is no id of a flaw.
        ConflictError: it is about 100 flaws already.
        NotFoundError: the caller does not coordinate it, or it has ended.
    """
    if db.execute("select clearway.name_flaw(%s, %s, %s)", (embargo, flaw, about)).fetchone() == (True,):
        kept = one(db, embargo)
        _log(
            db,
            "embargo.flaw_named" if about else "embargo.flaw_dropped",
            kept,
            {
                "flaws": scalar(
                    db, "select count(*) from clearway.embargo_flaw where embargo = %s", (embargo,)
                )
            },
        )
    return one(db, embargo)


def arm(
    db: psycopg.Connection[Any],
    embargo: int,
    until: datetime | None,
    *,
    now: datetime,
    on_exploitation: bool = False,
) -> Embargo:
    """Says in advance when it ends, and whether public exploitation ends it before. Arming anew thaws a frozen one.

    Without `until` no clock ends it; without `on_exploitation` besides it is disarmed, and a coordinator's act alone
    ends it.

    Raises:
        InputError: `until` has no zone, has passed, or is over `MOST_DAYS` away.
        NotFoundError: the caller does not coordinate it, or it has ended.
    """
    until = None if until is None else _checked(until, now)
    kept = one(db, embargo)
    db.execute("select clearway.arm_embargo(%s, %s, %s)", (embargo, until, on_exploitation))
    if until is None and not on_exploitation:
        _log(db, "embargo.disarmed", kept, {"was": None if kept.until is None else kept.until.isoformat()})
    else:
        said = None if until is None else until.isoformat()
        _log(db, "embargo.armed", kept, {"until": said, "on_exploitation": on_exploitation})
    return one(db, embargo)


def _checked(until: datetime, now: datetime) -> datetime:
    if until.tzinfo is None:
        raise InputError("say the zone of the hour", where="until", mend="write 2026-12-04T00:00:00Z")
    try:
        until = until.astimezone(UTC)
    except OverflowError:
        raise InputError("that hour is beyond the calendar", where="until") from None
    if until <= now:
        raise InputError("that hour has passed", where="until", mend="release it, or give a later one")
    if until > now + timedelta(days=MOST_DAYS):
        raise InputError(
            f"that hour is over {MOST_DAYS} days away",
            where="until",
            mend="give an earlier one; arm it again when it is near, or leave the hour out",
        )
    return until


def release(db: psycopg.Connection[Any], embargo: int, why: str) -> Embargo:
    """Ends it now, by a coordinator's own act.

    Raises:
        ConflictError: it has ended.
        ForbiddenError: the caller does not coordinate it.
    """
    kept = one(db, embargo)
    if kept.ended_by is not None:
        raise ConflictError("the embargo has ended", where=f"embargo/{embargo}")
    entry = _log(db, "embargo.released", kept, {"why": why[:500]})
    if kept.frozen:  # a person decides where the clock could not
        db.execute("select clearway.thaw_embargo(%s)", (embargo,))
    db.execute("select clearway.release_embargo(%s, %s)", (embargo, entry))
    return one(db, embargo)


def exploited(owner: psycopg.Connection[Any], embargo: int, evidence: str) -> bool:
    """Ends it early where it was armed so, since its flaw is exploited in public; whether it did."""
    kept = _kept(owner, "embargo = %s and on_exploitation", (embargo,))
    if not kept:
        return False
    entry = _log(
        owner, "embargo.released", kept[0], {"why": "public exploitation", "evidence": evidence[:500]}
    )
    owner.execute("select clearway.release_embargo(%s, %s)", (embargo, entry))
    return True


def listed_before(owner: psycopg.Connection[Any], embargo: int, flaw: str, day: date, evidence: str) -> None:
    """Notes, once, that a flaw was listed as exploited before it was named or the embargo armed, which ends nothing."""
    noted = owner.execute(
        "update clearway.embargo_flaw set listed = %s where embargo = %s and id = %s and listed is null",
        (day, embargo, flaw),
    )
    if noted.rowcount:
        said: dict[str, object] = {"evidence": evidence[:500], "listed": day.isoformat()}
        _log(owner, "embargo.listed_before", one(owner, embargo), said)


def carry_out(
    owner: psycopg.Connection[Any],
    now: Reading,
    latest: datetime | None = None,
    database: Database | None = None,
) -> tuple[Embargo, ...]:
    """Ends what is due, or freezes it where the clock can't be believed; what was ended or frozen. The job's step.

    One transaction of the owner. The reading is kept when it was believed, so that the next is held against it. After a
    restart of the machine, or where another one took over, nothing but a person can say what the time is: a doubt then
    freezes every embargo that is armed, for its hour is as unsure as the next one's, and the clock is believed for
    those that are armed from then on. A machine whose clock is not the database's leaves no mark.
    """
    before, anchor = _mark(owner)
    astray = clockwatch.disagrees(now, database)
    why = clockwatch.doubt(before, now, latest, anchor=anchor, database=database)
    restarted = before is not None and before.boot != now.boot
    due = ("until is not null", ()) if why and restarted and not astray else ("until <= %s", (now.wall,))
    acted: list[Embargo] = []
    for kept in _kept(owner, *due):
        if why:
            freeze(owner, kept, why)
        else:
            entry = _log(owner, "embargo.released", kept, {"why": "armed to end now"})
            owner.execute("select clearway.release_embargo(%s, %s)", (kept.embargo, entry))
        acted.append(one(owner, kept.embargo))
    if astray:
        return tuple(acted)
    if before is None or restarted:
        # What nobody can vouch for is added up: what is deleted for its age waits as much longer (`now_sure`).
        unsure = max(0.0, (now.wall - before.wall).total_seconds()) if why and before is not None else 0.0
        owner.execute(
            """update clearway.clock_mark set high = greatest(high, %(wall)s), boot = %(boot)s, up_s = %(up)s,
                anchor = %(wall)s, anchor_up_s = %(up)s, unsure_s = unsure_s + %(unsure)s""",
            {"wall": now.wall, "boot": now.boot, "up": now.up_s, "unsure": unsure},
        )
    elif not why:
        owner.execute(
            "update clearway.clock_mark set high = greatest(high, %s), up_s = %s", (now.wall, now.up_s)
        )
    else:
        # Time goes on by the machine's own count: a clock that is put back lengthens no credential's life.
        passed = max(0.0, now.up_s - before.up_s)
        owner.execute(
            "update clearway.clock_mark set high = high + make_interval(secs => %s), up_s = %s",
            (passed, now.up_s),
        )
    return tuple(acted)


def freeze(owner: psycopg.Connection[Any], kept: Embargo, why: str) -> None:
    """Keeps it from ending by itself until a coordinator arms it again, or ends it; the log says why."""
    owner.execute(
        "update clearway.embargo set frozen = %s, version = version + 1 where embargo = %s",
        (why, kept.embargo),
    )
    _log(owner, "embargo.frozen", kept, {"why": why})


def freeze_armed(owner: psycopg.Connection[Any], why: str) -> int:
    """Freezes every embargo that would end by itself, at an hour or by exploitation; how many.

    For a database that went back to what it was: what was said of them since is gone, that they were put off too.
    """
    armed = _kept(owner, "(until is not null or on_exploitation)", ())
    for kept in armed:
        freeze(owner, kept, why)
    # Those that were restored frozen have no entry yet.
    rows = owner.execute(
        f"""{_SELECT} where ended_by is null and frozen = %(why)s and not exists (
            select from clearway.log_entry l where l.act = 'embargo.frozen' and l.subject = 'embargo/' || e.uid
                and case when l.content <> '' then l.content::jsonb ->> 'why' end = %(why)s)
        order by embargo for update""",
        {"why": why},
    ).fetchall()
    untold = [convert(row[0], Embargo) for row in rows]
    for kept in untold:
        _log(owner, "embargo.frozen", kept, {"why": why})
    return len(armed) + len(untold)


def _mark(owner: psycopg.Connection[Any]) -> tuple[Reading | None, Reading | None]:
    """The last reading that was believed, and the first of its boot."""
    row = owner.execute(
        "select case when isfinite(high) then high end, boot, up_s, anchor, anchor_up_s "
        "from clearway.clock_mark for update"
    ).fetchone()
    if row is None or row[0] is None:
        return None, None
    high, boot, up_s, first, first_up_s = row
    return Reading(wall=high, boot=boot, up_s=up_s), (
        None if first is None else Reading(wall=first, boot=boot, up_s=first_up_s)
    )


def _kept(owner: psycopg.Connection[Any], condition: str, parameters: tuple[object, ...]) -> list[Embargo]:
    rows = owner.execute(
        f"{_SELECT} where ended_by is null and frozen = '' and {condition} order by embargo for update",
        parameters,
    )
    return [convert(row[0], Embargo) for row in rows]


def _log(db: psycopg.Connection[Any], act: str, kept: Embargo, content: dict[str, object]) -> int:
    # For its keeper and the coordinators, then as now: who the parties were, and why it ended, is not what it held.
    aud = audience.of(db, Marking(tlp="AMBER+STRICT", org=kept.org))
    return ledger.append(db, act, f"embargo/{kept.uid}", content, aud=aud)
