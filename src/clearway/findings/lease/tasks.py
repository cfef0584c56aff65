"""Beside requests: what has run out is let go, who shares is told so, owners' words end leases, proofs are looked for
again, and counts end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.records.errors import ClearwayError
from clearway.store import events
from clearway.store.jobs import Spec
from clearway.store.scalar import scalar

from . import control, hold, scope
from .at_desk import looker

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from clearway.store.jobs import Connect, Job

    from .proof import Looker

    Connection = psycopg.Connection[Any]

_KEPT = "2 days"
_PART, _PARTS = 1_000, 20  # targets that one sweep frees at most, and sweeps in a minute


def sweep(owner: Connection) -> int:
    """Lets go what has run out, and forgets old counts; how many targets became free.

    The answers don't wait for it: a lease that has run out is in nobody's way from that moment on. Nor does it wait for
    them: what is being decided at the moment is left to the next minute.
    """
    freed = scalar(owner, "select clearway.lease_sweep()")
    owner.execute("delete from clearway.lease_pace where hour < clock_timestamp() - %s::interval", (_KEPT,))
    owner.execute("delete from clearway.lease_told where at < clock_timestamp() - %s::interval", (_KEPT,))
    return freed


def tell_shared(owner: Connection) -> int:
    """Tells the holders of what a newer lease shares that somebody else looks at it too; how many were told.

    Who, how many and where exactly is not said.
    """
    told = 0
    newer = owner.execute(
        "select lease, org from clearway.lease where shared and not told order by lease limit 500 for update"
    ).fetchall()
    for number, org in newer:
        others = owner.execute(
            """select distinct l.reference, l.org, l.aud::int from clearway.lease_target t
            cross join lateral clearway.lease_met(t.net, t.path, clock_timestamp(), lower(t.during), upper(t.during)) m
            join clearway.lease l on l.lease = m.lease
            where t.lease = %s and l.lease < %s and l.org <> %s and not l.shared and l.activity <> 'passive'
            limit 100""",
            (number, number, org),
        ).fetchall()
        owner.execute("update clearway.lease set told = true where lease = %s", (number,))
        for reference, whose, aud in others:
            owner.execute(
                "update clearway.lease set shared = true, told = true, version = version + 1 where reference = %s",
                (reference,),
            )
            ledger.append(owner, "lease.overlap_told", hold.subject(reference), {}, aud=aud)
            body = {"reference": reference}
            events.emit(owner, "lease.overlap", hold.subject(reference), org=whose, aud=aud, body=body)
            told += 1
    return told


def withdraw(connect: Connect) -> int:
    """Ends the leases that owners' words of today would refuse, as far as that has not been done; how many.

    What an owner says or ends has ended them already, in the same transaction; this is for proofs that were shown or
    have run out since. Holders and owners are told (`lease_hear`). `connect` makes the owner's transactions: one for
    each control, since each holds the lock of its root.
    """
    with connect() as db:
        changed = db.execute(
            """select control from clearway.lease_control
            where spoken >= heard or (expires <= clock_timestamp() and expires > heard) order by control limit 500"""
        ).fetchall()
    ended = 0
    for (number,) in changed:
        with connect() as db:
            ended += scalar(db, "select clearway.lease_hear(%s)", (number,))
    return ended


def look_again(connect: Connect, looking: Looker, now: datetime) -> tuple[int, int]:
    """Looks again for the proofs that run out soon; how many were found, and how many not. Those run out.

    No transaction is open while the outside is asked. `connect` makes the owner's.
    """
    found = missing = 0
    with connect() as db:
        due = control.due(db, now)
    for one in due:
        try:
            holds = looking.holds(scope.parse(one.scope), one.method, one.token)
            if holds:
                with connect() as db:
                    control.prove(db, one, now)
        except ClearwayError:  # asked again tomorrow
            holds = False
        found, missing = found + holds, missing + (not holds)
    return found, missing


def _sweep(job: Job, args: Mapping[str, Any]) -> None:
    """Lets go, tells who shares, ends what owners refuse."""
    for _ in range(_PARTS):
        with job.owner() as db:
            if sweep(db) < _PART:
                break
    with job.owner() as db:
        tell_shared(db)
    withdraw(job.owner)


def _look_again(job: Job, args: Mapping[str, Any]) -> None:
    """Looks again for proofs."""
    with looker() as looking:
        look_again(job.owner, looking, datetime.now(UTC))


TASKS = {
    "findings.leases": Spec(_sweep, cron="* * * * *"),
    "findings.lease_proofs": Spec(_look_again, cron="17 4 * * *"),
}
