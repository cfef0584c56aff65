"""An embargoed case tells operators who take part which of their own assets it touches, and nobody else anything."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from clearway.exposure.fleet import marked, status
from clearway.findings import kept as findings
from clearway.findings.case import assets, cve_id, kept, party, release
from clearway.findings.case.at_desk import seen
from clearway.findings.case.view import speaks_as
from clearway.formats.report_advisory import Product
from clearway.records.clock import SystemClock
from clearway.records.errors import ConflictError, NotFoundError
from clearway.records.principal import Membership, Principal
from clearway.store.connect import translated
from findings_case_world import Cases
from fleet_world import Fleet, osv, package
from people import Somebody

TODAY = datetime.now(UTC).date()


class House:
    """Two operators with the same product: one takes part in the case, the other does not."""

    def __init__(self, cases: Cases, name: str) -> None:
        self.cases, self.name = cases, name
        self.told = Fleet(cases.world, cases.desk.people, f"told-{name}")
        self.other = Fleet(cases.world, cases.desk.people, f"other-{name}")
        self.told.ingest(osv(f"PYSEC-{name}", package("PyPI", f"beside-{name}", "2.0")), at=TODAY)
        for fleet in (self.told, self.other):
            for host, version in (("web", "1.2.3"), ("old", "1.0.0"), ("new", "1.9.0")):
                fleet.upload(
                    fleet.asset(f"{host}-{fleet.org}", day=TODAY), f"pkg:pypi/{name}@{version}", day=TODAY
                )
        self.case = cases.opened(package=name, purl=f"pkg:pypi/{name}@1.2.3", release="1.2.3")
        with cases.acting() as db:
            party.add(db, self.case, role="operator", member=self.told.org)

    def follow(self) -> int:
        with self.cases.desk.owner() as db:
            return assets.follow(db, self.cases.desk.vault, TODAY)

    def fired(self) -> None:
        with self.cases.desk.owner() as db:
            (number,) = db.execute(
                "select finding from clearway.finding where case_id = %s", (self.case.id,)
            ).fetchone() or (0,)
            findings.set_level(db, findings.by_id(db, number), 1, "fires 3 of 3")

    def lines(self, fleet: Fleet, who: Somebody | None = None) -> list[tuple[str, str, str]]:
        return sorted((x.version, x.verdict, x.flaw) for x in fleet.lines(who) if x.name == self.name)

    def shown(self, who: Somebody) -> list[tuple[str, str]]:
        """What the case's page has of the reader's assets."""
        with self.cases.acting(who) as db:
            (me,) = db.execute("select clearway.whoami()::text").fetchone() or ("",)
            found = seen(
                db,
                self.cases.desk.vault,
                kept.one(db, self.case.handling),
                msgspec.json.decode(me, type=Principal),
            )
        return sorted((x.version, x.verdict) for x in found.assets)


@pytest.fixture
def house(cases: Cases, request: pytest.FixtureRequest) -> House:
    return House(cases, f"product{abs(hash(request.node.name)) % 10**8}")


def _drafted(house: House, **range_: str) -> None:
    house.cases.drafted(
        house.case,
        products=(Product(purl=f"pkg:pypi/{house.name}", **{"introduced": "1.1", "fixed": "1.5", **range_}),),
    )


def test_the_release_on_which_it_fired_is_affected_and_the_others_are_not_known(house: House) -> None:
    assert house.follow() >= 1
    assert house.lines(house.told) == [], "a claim that nothing has shown touches nobody"
    house.fired()
    assert house.follow() >= 1
    name = house.case.handling
    expected = [("1.0.0", "unknown", name), ("1.2.3", "affected", name), ("1.9.0", "unknown", name)]
    assert house.lines(house.told) == expected
    assert house.shown(house.told.operator) == [(v, said) for v, said, _ in expected]
    assert house.follow() == 0, "nothing new is said"


def test_nobody_else_learns_of_any_asset(house: House) -> None:
    house.fired()
    _drafted(house)
    house.follow()
    assert [x[:2] for x in house.lines(house.told)] == [("1.2.3", "affected")]
    assert house.lines(house.other) == []
    desk = house.cases.desk
    for who in (desk.coordinator, desk.maintainer, desk.finder, house.other.operator):
        assert house.lines(house.told, who) == []
        with house.cases.acting(who) as db:
            for query in (
                "select count(*) from clearway.exposure e join clearway.marked m on m.marked = e.via",
                "select count(*) from clearway.asset where name like 'web-%%'" if who is not house.other.operator
                else "select 0",
            ):  # fmt: skip
                assert db.execute(query).fetchone() == (0,), query
    assert house.shown(desk.coordinator) == []
    with pytest.raises(NotFoundError):
        house.shown(house.other.operator)
    with house.cases.acting(house.other.operator) as db:
        assert db.execute(
            "select count(*) from clearway.flaw where id = %s", (house.case.handling,)
        ).fetchone() == (0,)
        assert db.execute("select count(*) from clearway.marked").fetchone() == (0,)
    with desk.owner() as db:
        said = db.execute(
            "select content::text from clearway.log_entry where act = 'record.marked'"
        ).fetchall()
    assert all("appeared" not in text for (text,) in said), "how many, in whosever fleets, is for nobody"
    assert house.case.handling.encode() not in house.cases.world.path.read_bytes()


def test_who_stops_taking_part_sees_it_no_more(house: House) -> None:
    house.fired()
    house.follow()
    with house.cases.acting() as db:
        mine = next(p for p in party.listed(db, house.case) if p.role == "operator")
        party.leave(db, house.cases.again(house.case), mine, "told by mistake")
    assert house.lines(house.told) == []


def test_an_operator_reads_and_negotiates_nothing(house: House) -> None:
    with house.cases.acting(house.told.operator) as db:
        parties = party.listed(db, house.case)
        assert db.execute(
            "select clearway.case_part(p) from clearway.case_party p where p.role = 'operator'"
        ).fetchall() == [("",)]
    me = Principal(
        person=1, name="x", kind="person", credential=1, scopes=None,
        memberships=(Membership(org=house.told.org, slug="x", name="x", kind="operator", rights=("submit",)),),
    )  # fmt: skip
    assert speaks_as(me, parties) is None


def test_a_newer_draft_takes_the_place_of_the_older_and_keeps_the_day_of_detection(house: House) -> None:
    _drafted(house)
    house.follow()
    with house.cases.desk.owner() as db:
        db.execute(
            "update clearway.exposure e set detected = detected - 5 from clearway.marked m "
            "where m.marked = e.via and m.record = %s", (f"x_{house.case.handling}",)
        )  # fmt: skip
    (before,) = house.told.lines()
    with house.told.acting() as db:
        status.decide(db, [before.exposure], status.Decision(status="mitigated", detail="the port is closed"))
    _drafted(house, introduced="1.0", fixed="1.5")
    house.follow()
    assert [x[:2] for x in house.lines(house.told)] == [("1.0.0", "affected"), ("1.2.3", "affected")]
    after = next(x for x in house.told.lines() if x.version == "1.2.3")
    assert (after.detected, after.status) == (before.detected, "mitigated")
    assert next(x for x in house.told.lines() if x.version == "1.0.0").detected == TODAY


def test_published_it_is_everybodys_once_and_the_operators_decision_holds(house: House) -> None:
    _drafted(house)
    house.follow()
    (before,) = house.told.lines()
    with house.told.acting() as db:
        status.decide(db, [before.exposure], status.Decision(status="mitigated", detail="the port is closed"))
    with house.cases.acting() as db:
        cve_id.assign(db, house.cases.again(house.case), f"CVE-2026-{house.case.id:05d}")
    house.follow()
    flaw = f"CVE-2026-{house.case.id:05d}"
    assert house.lines(house.told) == [("1.2.3", "affected", flaw)]
    desk = house.cases.desk
    with house.cases.acting() as db:
        release.release(
            db, desk.vault, house.cases.again(house.case), desk.home, "a fix is out", now=datetime.now(UTC)
        )
    assert release.publish(
        desk.owner, house.cases.world.url, house.cases.world.home, house.case.id, SystemClock()
    )
    house.told.follow(TODAY)
    assert house.lines(house.told) == [("1.2.3", "affected", flaw)], "the marked double is hidden"
    assert house.follow() >= 1
    for fleet in (house.told, house.other):
        (line,) = fleet.lines()
        assert (line.flaw, line.marked, line.version) == (flaw, False, "1.2.3")
    (line,) = house.told.lines()
    assert line.status == "mitigated"
    assert house.cases.world.sql(
        "select count(*) from clearway.exposure e join clearway.marked m on m.marked = e.via "
        "where m.record = %s and e.gone is null", f"x_{house.case.handling}",
    ) == [(0,)]  # fmt: skip


def test_closed_it_takes_back_what_it_said_and_opened_again_says_it_anew(house: House) -> None:
    house.fired()
    house.follow()
    assert len(house.lines(house.told)) == 3
    with house.cases.acting() as db:
        kept.close(db, house.cases.again(house.case), "no flaw after all")
    house.follow()
    assert house.lines(house.told) == []
    with house.cases.acting() as db:
        kept.reopen(db, house.cases.again(house.case), "it is one after all")
    house.follow()
    assert len(house.lines(house.told)) == 3


def test_its_marking_is_not_changed_by_hand(house: House) -> None:
    house.fired()
    house.follow()
    with pytest.raises(ConflictError, match="parties"), translated(), house.cases.desk.owner() as db:
        db.execute("update clearway.marked set aud = 1 where record = %s", (f"x_{house.case.handling}",))


def test_a_new_inventory_meets_the_case_at_once(house: House) -> None:
    _drafted(house)
    house.follow()
    late = house.told.asset("late", day=TODAY)
    house.told.upload(late, f"pkg:pypi/{house.name}@1.4", day=TODAY)
    with house.cases.desk.owner() as db:
        marked.pending(db, TODAY)
    assert ("1.4", "affected", house.case.handling) in house.lines(house.told)
