"""What the days change by themselves: a report that waited has its turn, a trial is over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ClearwayError
from clearway.store.connect import translated

from .. import kept
from . import limit

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault

    Connection = psycopg.Connection[Any]

TRIAL_DAYS = 7
_MOST = 5_000  # at one look; what is left has the next one
_OF_FINDING = (
    "overlap_answer",
    "mark_appeal",
    "finding_mark",
    "finding_gate",
    "finding_receipt",
    "artefact",
    "finding",
)


def turns(owner: Connection) -> int:
    """Queues the reports that lacked nothing but their turn and have it now, oldest first; how many."""
    waiting = owner.execute(
        """select f.finding, f.org, f.ecosystem, f.package
        from clearway.finding f join clearway.finding_gate g on g.finding = f.finding
        where g.gate = 'turn' and g.state = 'waits' and f.state in ('received', 'incomplete')
            and not exists (select from clearway.finding_gate m where m.finding = f.finding and m.state = 'missing')
        order by f.received, f.finding limit %s for update of f skip locked""",
        (_MOST,),
    ).fetchall()
    moved = 0
    for org in sorted({row[1] for row in waiting}):
        products = {(row[2], row[3]) for row in waiting if row[1] == org}
        limit.alone(owner, org, (held for product in products for held in limit.shared(owner, *product)))
    for number, *_ in waiting:
        finding = kept.by_id(owner, number)
        if limit.turn(owner, finding.org, finding.ecosystem, finding.package, of=number).met:
            owner.execute(
                "update clearway.finding_gate set state = 'met', what = '' where finding = %s and gate = 'turn'",
                (number,),
            )
            kept.move(owner, finding, "queued", "its turn has come")
            moved += 1
    return moved


def trials(owner: Connection, vault: Vault) -> int:
    """Deletes the trials that are over `TRIAL_DAYS` days old and destroys their keys; how many.

    One that something else hangs on is left for another day.
    """
    old = owner.execute(
        """select finding, handling from clearway.finding
        where not live and received < clock_timestamp() - make_interval(days => %s) limit %s""",
        (TRIAL_DAYS, _MOST),
    ).fetchall()
    gone = 0
    for number, handling in old:
        with suppress(ClearwayError), translated(), owner.transaction():
            for table in _OF_FINDING:
                owner.execute(f"delete from clearway.{table} where finding = %s", (number,))  # noqa: S608
            gone += 1
            # A key destroyed for a deletion that is then rolled back would leave what nobody can open; here what is
            # lost by that is a trial.
            vault.destroy(kept.subject(handling))
    seals = owner.execute(
        """delete from clearway.submission s where not live
            and received < clock_timestamp() - make_interval(days => %s)
            and not exists (select from clearway.finding_receipt r where r.submission = s.submission) returning seal""",
        (TRIAL_DAYS,),
    ).fetchall()
    for (seal,) in seals:
        if seal:
            vault.destroy(seal)
    return gone
