"""A findings desk whose participants lease, for tests of who looks at what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from clearway.findings.lease import ask, control, hold, tasks, whose
from clearway.findings.lease.ask import Answer, Asking
from clearway.findings.lease.at_desk import home_of
from clearway.findings.lease.blind import BlindKey
from clearway.findings.lease.hold import Lease
from clearway.records.clock import SystemClock
from clearway.records.principal import Membership, Principal
from findings_world import Desk
from intake_world import drop_database, new_database
from people import People, Somebody

NET = "192.0.2.0/24"


class House(Desk):
    """`finder` of Lab, `rival` of Rival, `operator` of Water, and the clearinghouse's `coordinator`."""

    def __init__(self, people: People, home: Path) -> None:
        super().__init__(people, home)
        self.blind = BlindKey.of_home(home)

    def ask(self, who: Somebody, *scope: str, activity: str = "port", **facts: Any) -> Answer:
        with self.acting(who) as db:
            return ask_in(db, self.blind, *scope, activity=activity, **facts)

    def lease(self, who: Somebody, *scope: str, **facts: Any) -> Lease:
        """A lease that is given."""
        found = self.ask(who, *scope, **facts)
        assert found.lease is not None, found
        return found.lease

    def prove(self, who: Somebody, scope: str = NET, stance: Any = "own", **said: Any) -> control.Control:
        """`who`'s organisation controls `scope`, and says so."""
        with self.acting(who) as db:
            found = control.begin(db, self.blind, member(db), scope, "dns-txt")
            if stance != "own" or said:
                control.say(db, found.id, stance, **said)
        with self.owner() as db:
            return control.prove(db, found, datetime.now(UTC))

    def renew(self, who: Somebody, lease: Lease, ttl_s: int | None = None) -> Lease:
        with self.acting(who) as db:
            return hold.renew(db, lease.reference, lease.fence, ttl_s)

    def release(self, who: Somebody, lease: Lease) -> Lease:
        with self.acting(who) as db:
            return hold.release(db, lease.reference)

    def whose(self, who: Somebody, source: str, target: str, at: datetime | None = None) -> whose.Whose:
        with self.acting(who) as db:
            return whose.whose(db, self.blind, member(db), source, at, target, clock=SystemClock())

    def limit(self, **of: int) -> None:
        """Other bounds on asking: `questions`, `tellings`, `held`; `clear` puts back what is usual."""
        with self.owner() as db:
            for name, most in of.items():
                db.execute(f"update clearway.lease_limit set {name} = %s".encode(), (most,))

    def clear(self) -> None:
        super().clear()
        self.limit(questions=5_000, tellings=200, held=2_000)

    def withdrawn(self) -> int:
        """What the minute's job ends for owners' words."""
        return tasks.withdraw(self.owner)

    def passes(self, lease: Lease, hours: float) -> None:
        """So much time goes by for that lease."""
        with self.owner() as db:
            db.execute(
                """update clearway.lease set starts = starts - %(by)s::interval, until = until - %(by)s::interval,
                    ends = ends - %(by)s::interval, released = released - %(by)s::interval
                where reference = %(which)s""",
                {"by": f"{hours} hours", "which": lease.reference},
            )
            db.execute(
                """update clearway.lease_target t set during = tstzrange(l.starts, l.until) from clearway.lease l
                where l.lease = t.lease and l.reference = %s""",
                (lease.reference,),
            )


def member(db: psycopg.Connection[Any]) -> Membership:
    """The caller's only organisation."""
    row = db.execute("select clearway.whoami()::text").fetchone()
    assert row is not None
    return home_of(msgspec.json.decode(row[0], type=Principal), "", ("read",))


def ask_in(db: psycopg.Connection[Any], key: BlindKey, *scope: str, **facts: Any) -> Answer:
    table = facts.pop("table", None)
    asked = Asking(scope=scope, **facts)
    return ask.ask(db, key, member(db), asked, table=table, clock=SystemClock())


def house_of(server: str, home: Path) -> Iterator[House]:
    """For the fixture of a module: `yield from house_of(server, home)`; each test begins with `clear`."""
    url = new_database(server, "made")
    people = People(url)
    try:
        yield House(people, home)
    finally:
        people.close()
        drop_database(server, url)
