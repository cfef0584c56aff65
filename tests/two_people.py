"""Those whom it takes to change a marking, and a record that is marked."""

from __future__ import annotations

from typing import Any

import psycopg

from clearway.access import approval, audience, lowering
from clearway.access.lowering import Change, Marked
from clearway.access.marking import Marking
from clearway.exposure.fleet import marked
from clearway.http.acting import Doorkeeper
from clearway.records.principal import Principal
from fleet_world import DAY, Fleet, osv, package
from people import Somebody


class Two:
    """Those whom it takes: `operator` asks, `chief` and `desk` decide; `stranger` is of another organisation."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.people, self.org = fleet, fleet.people, fleet.org
        self.operator = fleet.operator
        self.chief = self.people.somebody(self.org, "administrator")
        self.desk = self.people.somebody(self.org, "coordinator")
        self.auditor = self.people.somebody(self.org, "auditor")
        self.stranger = self.people.somebody(self.people.org("elsewhere"), "operator", "coordinator")
        self.doors = Doorkeeper(self.people.pool)

    def me(self, who: Somebody) -> Principal:
        found = self.doors.principal(who.key)
        assert found is not None
        return found

    def read(self, who: Somebody, kind: str, number: int) -> Marked:
        with self.people.acting(who) as db:
            return lowering.one(db, self.me(who), kind, number)

    def change(
        self, who: Somebody, kind: str, number: int, to: Marking, why: str = "the fix is out"
    ) -> Change:
        with self.people.acting(who) as db:
            me = self.me(who)
            return lowering.change(db, me, lowering.one(db, me, kind, number), to, why)

    def decide(self, who: Somebody, change: Change, verdict: Any = "approved") -> approval.Approval:
        assert change.approval is not None
        with self.people.acting(who) as db:
            return approval.decide(db, change.approval.approval, verdict)

    def asset(self, name: str = "gateway") -> int:
        return self.fleet.asset(name)


def ingest_secret(fleet: Fleet) -> None:
    """A public record of django 4.1 (CVE-2026-0001), and a marked one (CVE-2026-7777) that nobody sees yet."""
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]),
        osv("SECRET-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-7777"]),
    )
    with fleet.owner() as owner:
        owner.execute("update clearway.record set tlp = 'RED' where id = 'SECRET-1'")
        owner.execute(
            """update clearway.claim set clear = false
            where rec = (select rec from clearway.record where id = 'SECRET-1')"""
        )
    fleet.world.take(rebuild=True)
    fleet.follow(DAY)


def take_secret(owner: psycopg.Connection[Any], org: int, to: Marking) -> None:
    """Lets the marked record take part, or a new version of it, for whom `to` says."""
    row = owner.execute("select source, id from clearway.record where tlp = 'RED' and current").fetchone()
    assert row is not None
    assert marked.take(owner, *row, audience.of(owner, to), org, DAY) == 1
