"""How long what is kept, and legal holds.

Every kind has a term in days, or is kept for ever. A nightly job deletes what is older, but nothing that a hold is on:
that of an organisation, or of one subject ("asset/17", "person/4"). Nothing on the log is ever deleted by age; to
erase a part of an entry is an act of its own (`clearway ledger erase`). To place or lift a hold, to change a term,
and what was deleted, are acts on the log.
"""

# ruff: noqa: S608 - queries are composed of constants
from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.access import audience
from clearway.access.marking import own
from clearway.http import tasks as http_tasks
from clearway.ledger.append import CLEAR
from clearway.records.errors import NotFoundError, UsageError
from clearway.store import answers, jobs_reap

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import psycopg

    Connection = psycopg.Connection[Any]

MAX_DAYS = 36_500
_BATCH = 2_000  # rows of one transaction
_SUBJECT = re.compile(r"[a-z][a-z_-]{0,39}/[!-~]{1,250}")
# What can be looked up before it is held, by the number after the slash.
_KNOWN = {
    "asset": "select from clearway.asset where org = %(org)s and asset::text = %(number)s",
    "inventory": "select from clearway.inventory where org = %(org)s and inventory::text = %(number)s",
    "person": "select from clearway.person p where p.person::text = %(number)s and (p.org = %(org)s or exists "
    "(select from clearway.membership m where m.person = p.person and m.org = %(org)s))",
}

# Anything else is kept by its name alone: on the log, and in what the organisation's events tell of.
_NAMED = (
    "select where exists (select from clearway.log_entry where subject = %(subject)s) "
    "or exists (select from clearway.event where org = %(org)s and subject = %(subject)s)"
)


class _Kind(Struct, frozen=True):
    """Rows that age: the table and its key, how old a row is, which are meant, and whether a hold is on one."""

    what: str
    table: str
    key: str
    age: str
    meant: str = "true"
    held: str = "false"
    emptied: str = ""  # instead of being deleted, a row has this set


# How a row is meant is said of the table's alias `t`. Ages count from when a row is of use no more.
KINDS: dict[str, _Kind] = {
    "sign-ins": _Kind("sign-ins that were not finished", "sign_in_attempt", "secret_hash", "t.expires"),
    "invitations": _Kind(
        "invitations and one-time codes, after their use or end",
        "invitation", "invitation", "least(t.used, t.expires)", held="clearway.held_person(t.person)",
    ),
    "sessions": _Kind(
        "sessions, after their end",
        "credential", "credential", "least(t.revoked, t.expires)", "t.kind in ('session', 'acting')",
        "clearway.held_person(t.person)",
    ),
    "tokens": _Kind(
        "service tokens, after their end",
        "credential", "credential", "least(t.revoked, t.expires)", "t.kind = 'token'",
        "clearway.held_person(t.person)",
    ),
    "intake-runs": _Kind("runs of intake", "intake_run", "id", "coalesce(t.ended, t.started)"),
    "set-aside": _Kind("records that could not be used, with the reason", "set_aside", "id", "t.received"),
    "inventories": _Kind(
        "the documents of inventories that a newer one has replaced; what they changed stays, and their hash",
        "inventory", "inventory", "t.received", "not t.current and t.raw <> ''",
        "clearway.held(t.org, 'asset/' || t.asset, 'inventory/' || t.inventory)", "raw = ''",
    ),
}  # fmt: skip
# Terms that other jobs keep, and that are part of what the API promises.
FIXED: tuple[tuple[str, float, str], ...] = (
    ("answers", answers.KEPT_HOURS / 24, "answers to requests with an idempotency key"),
    ("events", http_tasks.EVENT_DAYS, "events; a hold keeps those of its organisation or subject"),
    ("deliveries", http_tasks.DELIVERY_DAYS, "deliveries of webhooks"),
    ("jobs-done", jobs_reap.DONE_DAYS, "jobs that were done"),
    ("jobs-dead", jobs_reap.DEAD_DAYS, "jobs that were given up"),
)


class Term(Struct, frozen=True, kw_only=True):
    """One kind: its term in days (None: for ever), how many rows are over it, and how many of these are held."""

    kind: str
    what: str
    days: float | None
    due: int = 0
    held: int = 0
    fixed: bool = False


class Hold(Struct, frozen=True, kw_only=True):
    """One hold. `subject` "" is all that is the organisation's."""

    hold: int
    org: str
    subject: str
    reason: str
    placed: datetime
    lifted: datetime | None


def terms(db: Connection) -> tuple[Term, ...]:
    """Every kind with its term, and what would be deleted now."""
    found = []
    for name, days in db.execute("select kind, days from clearway.retention order by kind").fetchall():
        kind = KINDS.get(name)
        if kind is None:
            continue
        due = held = 0
        if days is not None:
            row = db.execute(
                f"select count(*) filter (where not {kind.held}), count(*) filter (where {kind.held}) "
                f"from clearway.{kind.table} t where {_old(kind)}".encode(),
                (days,),
            ).fetchone()
            assert row is not None
            due, held = row
        found.append(Term(kind=name, what=kind.what, days=days, due=due, held=held))
    return (*found, *(Term(kind=k, what=w, days=d, fixed=True) for k, d, w in FIXED))


def _old(kind: _Kind) -> str:
    # Not by a clock that is not believed: late is mended by the next run, too early by nothing.
    return f"{kind.meant} and {kind.age} < clearway.now_sure() - make_interval(days => %s)"


def carry_out(
    owner: Callable[[], AbstractContextManager[Connection]], stopping: Callable[[], bool] = lambda: False
) -> dict[str, int]:
    """Deletes what is over its term, in transactions of some thousand rows; how many of each kind.

    `owner` gives one transaction of the owner's. Stopped between two of them, the next run goes on.
    """
    with owner() as db:
        asked = db.execute(
            "select kind, days from clearway.retention where days is not null order by kind"
        ).fetchall()
    done: dict[str, int] = {}
    for name, days in asked:
        kind = KINDS.get(name)
        while kind is not None and not stopping():
            with owner() as db:
                gone = db.execute(_deletion(kind), (days, _BATCH)).rowcount
            done[name] = done.get(name, 0) + gone
            if gone < _BATCH:
                break
    told = {name: count for name, count in done.items() if count}
    if told:
        with owner() as db:
            ledger.append(db, "retention.deleted", "retention", told, aud=_house_aud(db))
    return told


def _deletion(kind: _Kind) -> bytes:
    table = f"clearway.{kind.table}"
    act = f"update {table} set {kind.emptied}" if kind.emptied else f"delete from {table}"
    # Rows that somebody works on are left for the next night.
    return (
        f"{act} where {kind.key} in (select t.{kind.key} from {table} t "
        f"where {_old(kind)} and not {kind.held} limit %s for update skip locked)"
    ).encode()


def set_term(db: Connection, kind: str, days: int | None) -> None:
    """Gives a kind another term; None keeps it for ever.

    Raises:
        UsageError: there is no such kind, or the term is none.
    """
    if kind not in KINDS:
        fixed = next((k for k, _, _ in FIXED if k == kind), "")
        raise UsageError(
            f"the term of {kind!r} is fixed" if fixed else f"no kind {kind!r}",
            mend="one of: " + ", ".join(KINDS),
        )
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise UsageError("a term has 1 to 36,500 days", where=kind, mend="give another, or `ever`")
    db.execute(
        "insert into clearway.retention (kind, days) values (%s, %s) "
        "on conflict (kind) do update set days = excluded.days, changed = clock_timestamp()",
        (kind, days),
    )
    ledger.append(db, "retention.term_set", f"retention/{kind}", {"days": days}, aud=_house_aud(db))


def place_hold(db: Connection, org: str, subject: str, reason: str) -> int:
    """Places a hold on all of an organisation's (slug), or on one subject of it; its number.

    Raises:
        NotFoundError: no such organisation, or it has no such asset, inventory or person, or neither the log nor an
            event of its names the subject.
        UsageError: there is no reason, or the subject can't be one.
    """
    if not 1 <= len(reason.strip()) <= 1000:
        raise UsageError("a hold has a reason of at most 1,000 characters", mend="say why with --reason")
    if subject and (len(subject) > 300 or not _SUBJECT.fullmatch(subject)):
        raise UsageError("that is no subject", where="--subject", mend="write it as `asset/17` or `person/4`")
    row = db.execute("select org from clearway.organisation where slug = %s", (org,)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=org, mend="give its short name")
    kind, _, number = subject.partition("/")
    known = _KNOWN.get(kind, _NAMED)
    if (
        subject
        and db.execute(known, {"org": row[0], "number": number, "subject": subject}).fetchone() is None
    ):
        # A hold on what is not there would look like one, and hold nothing.
        raise NotFoundError(f"{org} has no such {kind}", where=subject, mend="write it as the log names it")
    made = db.execute("select nextval(pg_get_serial_sequence('clearway.hold', 'hold'))").fetchone()
    assert made is not None
    entry = ledger.append(
        db, "retention.hold_placed", f"hold/{made[0]}",
        {"org": org, "subject": subject, "reason": reason}, aud=audience.of(db, own(row[0])),
    )  # fmt: skip
    db.execute(
        "insert into clearway.hold (hold, org, subject, reason, placed_by) overriding system value "
        "values (%s, %s, %s, %s, %s)",
        (made[0], row[0], subject, reason, entry),
    )
    return int(made[0])


def lift_hold(db: Connection, hold: int, reason: str) -> None:
    """Lifts a hold; what is over its term goes with the next run.

    Raises:
        NotFoundError: no such hold stands.
        UsageError: there is no reason.
    """
    if not 1 <= len(reason.strip()) <= 1000:
        raise UsageError(
            "lifting a hold has a reason of at most 1,000 characters", mend="say why with --reason"
        )
    row = db.execute(
        "select org from clearway.hold where hold = %s and lifted is null for update", (hold,)
    ).fetchone()
    if row is None:
        raise NotFoundError(
            "no such hold stands", where=f"hold/{hold}", mend="see `clearway retention holds`"
        )
    entry = ledger.append(
        db, "retention.hold_lifted", f"hold/{hold}", {"reason": reason}, aud=audience.of(db, own(row[0]))
    )
    db.execute(
        "update clearway.hold set lifted = clock_timestamp(), lifted_by = %s where hold = %s", (entry, hold)
    )


def holds(db: Connection, *, lifted: bool = False) -> tuple[Hold, ...]:
    """The holds that stand, oldest first; with `lifted`, all there ever were."""
    rows = db.execute(
        "select h.hold, o.slug, h.subject, h.reason, h.placed, h.lifted "
        "from clearway.hold h join clearway.organisation o using (org) where %s or h.lifted is null order by h.hold",
        (lifted,),
    )
    return tuple(Hold(hold=n, org=o, subject=s, reason=r, placed=p, lifted=e) for n, o, s, r, p, e in rows)


def _house_aud(db: Connection) -> int:
    row = db.execute("select org from clearway.organisation where house").fetchone()
    return CLEAR if row is None else audience.of(db, own(row[0]))
