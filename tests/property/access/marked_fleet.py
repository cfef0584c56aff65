"""A fleet of two assets whose markings change in every way, and the same in the oracle's facts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, time
from typing import Any

from oracle import Facts, Mark, sees

from clearway import ledger
from clearway.access import audience, embargo, lowering
from clearway.access.marking import Marking
from clearway.directives.kept import triages
from clearway.exposure.fleet import asset, unused
from clearway.exposure.fleet.status import Decision, decide
from clearway.http.acting import Doorkeeper
from clearway.records.errors import ConflictError
from clearway.records.principal import Principal
from fleet_world import DAY, Fleet, osv, package
from intake_world import World
from people import People, Somebody

NOW = datetime.combine(DAY, time(12), UTC)
FLAW = "CVE-2026-1"
TABLES = """select a.attrelid::regclass::text from pg_attribute a join pg_attribute b using (attrelid)
    join pg_class c on c.oid = a.attrelid where c.relkind = 'r' and a.attname = 'asset' and b.attname = 'aud'
    and b.atttypid = 'clearway.audience_id'::regtype and not a.attisdropped order by 1"""


class MarkedFleet:
    """`water` keeps assets 0 and 1; every free text of asset n holds "canary<n>".

    `operator` acts and asks, `chief` approves: both are on every list and party to every embargo, so that all changes
    are theirs to make. What everybody else sees is the question.
    """

    def __init__(self, world: World, people: People) -> None:
        self.people = people
        self.fleet = Fleet(world, people)
        self.org = self.fleet.org
        other, client = people.org("other"), people.org("client")
        self.facts = Facts(kinds={people.house: "clearinghouse", self.org: "operator"})
        self.facts.kinds |= {other: "operator", client: "operator"}
        self.operator, self.chief = self.fleet.operator, people.somebody(self.org, "administrator")
        self.auditor = people.somebody(self.org, "auditor")
        self.everybody: list[Somebody] = [
            self.operator, self.chief, self.auditor, people.somebody(self.org, "finder"),
            people.somebody(other, "auditor"), people.somebody(client, "operator"),
            people.somebody(people.house, "coordinator"),
        ]  # fmt: skip
        for who in self.everybody:
            self.facts.roles |= {(who.person, who.org, role) for role in who.roles}
        with people.owner() as db:
            db.execute("select clearway.set_client(%s, %s, true)", (client, self.org))
        self.facts.clients.add((client, self.org))
        self.lists = [self._list() for _ in range(2)]
        for _ in range(2):
            with people.owner() as db:
                made = embargo.add(db, people.house, "embargo")
            self.facts.embargoes[made.embargo] = made.recipients
            self.facts.lists[made.recipients] = set()
        for which in (*self.lists, *self.facts.embargoes.values()):
            for who in (self.operator, self.chief):
                self._member(which, who.person, True)
        self.doors = Doorkeeper(people.pool)
        self.fleet.ingest(
            osv("GHSA-1", package("PyPI", "canary0"), package("PyPI", "canary1"), aliases=[FLAW]),
            osv("GHSA-2", package("PyPI", "canary0"), package("PyPI", "canary1"), aliases=["CVE-2026-2"]),
        )
        self.assets = [self.fleet.asset(f"canary{n}") for n in range(2)]
        self.marks = {which: Mark("RED", org=self.org) for which in self.assets}
        self.triages: dict[int, int] = {}
        for n in range(2):
            self.inventory(n)
        self.heard: set[int] = set()

    def _list(self) -> int:
        with self.people.owner() as db:
            row = db.execute("select clearway.add_list(%s, 'list')", (self.org,)).fetchone()
        assert row is not None
        self.facts.lists[int(row[0])] = set()
        return int(row[0])

    def _member(self, which: int, who: int, on: bool) -> None:
        with self.people.owner() as db:
            db.execute("select clearway.set_recipient(%s, %s, null, %s)", (which, who, on))
        (self.facts.lists[which].add if on else self.facts.lists[which].discard)(("person", who))

    def me(self, who: Somebody) -> Principal:
        found = self.doors.principal(who.key)
        assert found is not None
        return found

    # The acts

    def inventory(self, n: int) -> None:
        """A document of one asset, which finds two flaws in what only this asset has."""
        n %= 2
        self.fleet.upload(self.assets[n], f"pkg:pypi/canary{n}@1.0", witness=f"canary{n}")

    def expose(self, n: int) -> None:
        n %= 2
        with self.people.acting(self.operator) as db:
            kept = asset.one(db, self.assets[n])
            asset.say_exposure(
                db, kept.asset, "internal" if kept.exposure == "public" else "public", DAY, f"canary{n}", day=DAY
            )  # fmt: skip

    def decide(self, n: int, several: bool) -> None:
        """About one exposure of one asset, about several of it, or about one of each."""
        n %= 3
        mine = [[x.exposure for x in self.fleet.lines() if x.asset == which] for which in self.assets]
        those = [mine[0][0], mine[1][0]] if n == 2 else mine[n][: 2 if several else 1]
        said = "both" if n == 2 else f"canary{n}"  # whose words are told of each
        with self.people.acting(self.operator) as db:
            decide(db, those, Decision(status="mitigated", detail=f"{said} at {datetime.now(UTC)}"))

    def read(self, n: int) -> None:
        """Who may read it does, and the log says so."""
        which = self.assets[n % 2]
        for who in self.everybody:
            if sees(self.facts, who.person, (self.marks[which],)):
                with self.people.acting(who) as db:
                    ledger.append_read(db, [f"asset/{which}"], asset.one(db, which).aud)

    def triage(self, n: int) -> None:
        n %= 2
        if self.assets[n] in self.triages.values():
            return
        with self.people.acting(self.operator) as db:
            made = triages.open_triage(
                db, self.me(self.operator), "water", directive="bod-26-04", asset=f"asset/{self.assets[n]}",
                asset_name=f"canary{n}", flaw=FLAW, component=f"pkg:pypi/canary{n}@1.0", kev_added=NOW, now=NOW,
            )  # fmt: skip
            said = {
                "event": "step_done",
                "at": NOW.isoformat(),
                "by": f"canary{n}",
                "step": "scope",
                "note": "",
            }
            triages.record(db, self.me(self.operator), made.id, json.dumps(said).encode(), after=0, now=NOW)
        self.triages[made.id] = self.assets[n]

    def remark(self, n: int, tlp: str, recipients: int, embargoed: int) -> None:
        """Narrower, wider or sideways; into an embargo and out of one."""
        which = self.assets[n % 2]
        under = [0, *self.facts.embargoes][embargoed % (1 + len(self.facts.embargoes))]
        if under in self.facts.released:
            under = 0
        listed = self.lists[recipients % 2] if tlp == "RED" and recipients % 3 else 0
        named = self.org if tlp in ("AMBER", "AMBER+STRICT") or (tlp == "RED" and not listed) else 0
        wanted = Marking(tlp=tlp, org=named, recipients=listed, embargo=under)  # type: ignore[arg-type]
        with self.people.acting(self.operator) as db:
            me = self.me(self.operator)
            try:
                asked = lowering.change(db, me, lowering.one(db, me, "asset", which), wanted, "test")
            except ConflictError:  # it is marked so
                return
        if asked.approval is not None:
            # Only a coordinator of the house takes out of an embargo: the owner does it here in their name.
            with self.people.owner() as db:
                db.execute(
                    "update clearway.approval set decided_by = %s, verdict = 'approved' where approval = %s",
                    (self.chief.person, asked.approval.approval),
                )
                db.execute(
                    "select clearway.remark('clearway.asset', %s, %s, %s)",
                    (which, audience.of(db, wanted), asked.approval.approval),
                )
        self.marks[which] = Mark(tlp, org=named, recipients=listed, embargo=under)

    def recipient(self, which: int, who: int, on: bool) -> None:
        every = [*self.lists, *self.facts.embargoes.values()]
        somebody = self.everybody[2 + who % 5]
        if somebody is not self.auditor:  # of whom it is asked that they lose nothing
            self._member(every[which % len(every)], somebody.person, on)

    def release(self, n: int) -> None:
        open_ = [e for e in self.facts.embargoes if e not in self.facts.released]
        if open_:
            with self.people.owner() as db:
                embargo.release(db, open_[n % len(open_)], "test")
            self.facts.released.add(open_[n % len(open_)])

    def newcomer(self, n: int) -> None:
        """Somebody who was not there when it was told."""
        org = [*self.facts.kinds][1 + n % 3]
        if len(self.everybody) < 10:
            self.everybody.append(self.people.somebody(org, "auditor"))
            self.facts.roles.add((self.everybody[-1].person, org, "auditor"))

    # What must hold

    def check(self) -> None:
        with self.people.owner() as db:
            while unused.forget(db):
                pass
            tables = [t for (t,) in db.execute(TABLES)]
            of_subject = self._subjects(db)
            there = {
                t: {a for (a,) in db.execute(f"select distinct asset from {t}")}
                for t in tables
                if t.rpartition(".")[2] != "triage"
            }
        assert {"asset_said", "held", "exposure", "decision", "triage"} <= {
            t.rpartition(".")[2] for t in tables
        }
        for who in (None, *self.everybody):
            may = {
                which
                for which in self.assets
                if sees(self.facts, None if who is None else who.person, (self.marks[which],))
            }
            with self.people.acting(who) as db:
                self._rows(db, who, may, there)
                self._told(db, who, may, of_subject)

    def _subjects(self, db: Any) -> dict[str, int]:
        found = {f"asset/{a}": a for a in self.assets} | {f"asset/{a}/exposures": a for a in self.assets}
        for kind in ("inventory", "exposure"):
            rows = db.execute(f"select {kind}, asset from clearway.{kind}")
            found |= {f"{kind}/{n}": a for n, a in rows}
        return found | {f"triage/{t}": a for t, a in self.triages.items()}

    def _rows(self, db: Any, who: Somebody | None, may: set[int], there: dict[str, set[int]]) -> None:
        for table, kept in there.items():
            found = {a for (a,) in db.execute(f"select distinct asset from {table}")}
            assert found == may & kept, (table, who, may)
        home = who is not None and who.org == self.org
        wanted = {t for t, which in self.triages.items() if which in may and home}
        assert {t for (t,) in db.execute("select triage from clearway.triage")} == wanted, (who, may)
        assert {t for (t,) in db.execute("select triage from clearway.triage_event")} == wanted
        names = {n for (n,) in db.execute("select name from clearway.package_version where name ~ '^canary'")}
        assert names == {f"canary{n}" for n, a in enumerate(self.assets) if a in may}, (who, may)
        gone = db.execute(
            "select count(*) from clearway.exposure_history h join clearway.exposure using (exposure)"
        )
        assert gone.fetchone() == db.execute("select count(*) from clearway.exposure_history").fetchone()

    def _about(self, subject: str, text: str, of_subject: dict[str, int]) -> set[int]:
        found = {self.assets[int(n)] for n in re.findall("canary([01])", text)}
        named = {subject, *(f"exposure/{n}" for n in (json.loads(text or "{}").get("exposures") or ()))}
        return found | {of_subject[s] for s in named if s in of_subject}

    def _told(self, db: Any, who: Somebody | None, may: set[int], of_subject: dict[str, int]) -> None:
        for kind, subject, body in db.execute("select kind, subject, body::text from clearway.event"):
            assert self._about(subject, body, of_subject) <= may, (who, kind, subject, body)
        if who is not None and who.org == self.org:
            if who is self.auditor:
                heard = {n for (n,) in db.execute("select entry from clearway.log_entry")}
                assert self.heard <= heard, "of its log the organisation's own people lose nothing"
                self.heard = heard
            return
        for act, subject, content in db.execute("select act, subject, content from clearway.log_entry"):
            assert self._about(subject, content, of_subject) <= may, (who, act, subject, content)
