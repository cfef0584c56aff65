"""A lease as it is kept: renewed while the work goes on, given back when it is done, over when nobody renews it.

    starts ───── ends ─────────────── until
             renewed by then: `ends` moves on, at most to `until`; not renewed: the lease is over, and its scope free

`fence` is the lease's fencing token: of all leases that were ever given below a scope's root, a later one has the
greater token. What guards the thing itself (a proxy, a build farm) refuses a token that is less than one it has seen,
so that a scanner which slept past its end does no harm when it wakes.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import InputError, NotFoundError
from clearway.records.text import plain
from clearway.store import events

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

MAX_TTL_S = 86_400
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U


class Lease(Struct, frozen=True, kw_only=True):
    """One lease as its holder and the desk see it. A sealed one says nothing of its scope: `label` is the holder's."""

    reference: str
    organisation: str
    activity: str
    exclusive: bool
    shared: bool
    sealed: bool
    scope: tuple[str, ...]
    label: str
    sources: tuple[str, ...]
    rate: float | None
    authorisation: str
    asked: datetime
    starts: datetime
    until: datetime
    ends: datetime
    ttl_s: int
    fence: int
    released: datetime | None
    withdrawn: str  # why its owner's word ended it: opt-out, no-proof, rate; else ""
    state: str  # planned, held, released, withdrawn, over
    version: int


STATE = """case when l.withdrawn <> '' then 'withdrawn' when l.released is not null then 'released'
    when l.lapsed or l.ends <= clock_timestamp() then 'over'
    when l.starts > clock_timestamp() then 'planned' else 'held' end"""
COLUMNS = f"""l.reference, o.slug as organisation, l.activity, l.exclusive, l.shared, l.sealed, l.scope, l.label,
    l.sources, l.rate, l.authorisation, l.asked, l.starts, l.until, l.ends, l.ttl_s, l.fence, l.released,
    l.withdrawn, {STATE} as state, l.version"""
TABLES = "clearway.lease l join clearway.organisation o on o.org = l.org"
_SELECT = f"select {COLUMNS} from {TABLES}"  # noqa: S608  texts of ours


def new_reference() -> str:
    """A random reference, "CWL-7Q4K-9M2X": 40 bits. It is no secret and opens nothing."""
    drawn = [secrets.choice(_BASE32) for _ in range(8)]
    return f"CWL-{''.join(drawn[:4])}-{''.join(drawn[4:])}"


def subject(reference: str) -> str:
    """What the log and the events call a lease."""
    return f"lease/{reference}"


def one(db: Connection, reference: str) -> Lease:
    """The lease of that reference. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where l.reference = %s", (_read(reference),)).fetchone()
    if row is None:
        raise NotFoundError("no such lease", where=plain(reference, 40))
    return of_row(row)


def in_window(db: Connection, since: datetime, until: datetime, *, most: int = 500) -> list[Lease]:
    """Leases that the caller may see and whose window meets this one, by their start; given back ones left out."""
    rows = db.execute(
        f"""{_SELECT} where l.starts < %s and l.until > %s and l.released is null
            and (l.ends > clock_timestamp() or l.ends > %s)
        order by l.starts, l.lease limit %s""",
        (until, since, since, most),
    )
    return [of_row(row) for row in rows]


def newest(db: Connection, *, most: int = 50) -> list[Lease]:
    """The newest that the caller may see."""
    return [of_row(row) for row in db.execute(f"{_SELECT} order by l.lease desc limit %s", (most,))]


class May(Struct, frozen=True, kw_only=True):
    """What the caller may do with a lease that it sees: its holder keeps it going, and the desk gives it back too."""

    renew: bool
    release: bool


def may(db: Connection, reference: str) -> May:
    """What the caller may do with the lease, as `renew` and `release` hold to it; nothing where there is none."""
    row = db.execute(
        """select holds, holds or clearway.is_desk() from (select clearway.may('submit', org)
            or clearway.may('operate', org) as holds from clearway.lease where reference = %s) s""",
        (_read(reference),),
    ).fetchone()
    return May(renew=row[0], release=row[1]) if row else May(renew=False, release=False)


def renew(db: Connection, reference: str, fence: int, ttl_s: int | None = None) -> Lease:
    """The lease with its new end; on the log.

    Raises:
        ConflictError: it is over (what it covered may be another's: ask again), its owner would refuse it today, or
            that is not its fencing token.
        NotFoundError: there is no such lease for the caller.
        ForbiddenError: it is not the caller's to renew.
        InputError: no such time to live.
    """
    ttl = None if ttl_s is None else checked_ttl(ttl_s)
    if not 0 <= fence < 1 << 63:
        raise InputError("that is no fencing token", where="fence")
    value(db, "select clearway.lease_renew(%s, %s, %s)", (_read(reference), fence, ttl))
    found = one(db, reference)
    _tell(db, "lease.renewed", found, {"ends": found.ends.isoformat()})
    return found


def release(db: Connection, reference: str) -> Lease:
    """The lease, given back; the same again for one that is over already. The desk may give back anybody's.

    Raises:
        NotFoundError: there is no such lease for the caller.
        ForbiddenError: it is not the caller's to give back.
    """
    if value(db, "select clearway.lease_release(%s)", (_read(reference),)):
        found = one(db, reference)
        _tell(db, "lease.released", found, {})
        return found
    return one(db, reference)


def checked_ttl(ttl_s: int) -> int:
    """`ttl_s` when it is 1 s to a day. Raises InputError."""
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise InputError(f"a lease lives 1 to {MAX_TTL_S:,} s between renewals", where="ttl_s")
    return ttl_s


def value(db: Connection, query: LiteralString, parameters: tuple[object, ...]) -> Any:
    """What a function of the database answers."""
    row = db.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def _read(reference: str) -> str:
    return reference.strip().upper().replace("\0", "")


def _tell(db: Connection, act: str, lease: Lease, content: dict[str, object]) -> None:
    row = db.execute(
        "select org, aud::int from clearway.lease where reference = %s", (lease.reference,)
    ).fetchone()
    assert row is not None
    ledger.append(db, act, subject(lease.reference), content, aud=row[1])
    events.emit(
        db, act, subject(lease.reference), org=row[0], aud=row[1],
        body={"reference": lease.reference, "state": lease.state},
    )  # fmt: skip


def of_row(row: tuple[Any, ...]) -> Lease:
    """The record of a row of `COLUMNS`."""
    values = dict(zip(Lease.__struct_fields__, row, strict=True))
    values["scope"], values["sources"] = tuple(values["scope"]), tuple(values["sources"])
    return Lease(**values)
