"""Flaws that get another name, scanners' words that advisories explain, and who may see what only scanners know."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from clearway.directives import load
from clearway.exposure.fleet import asset, flawview, follow, inventory, observe, page_flaw, status
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.records.errors import NotFoundError
from clearway.records.fleet_input import AssetIds, Detection, Observed, Witness
from fleet_world import DAY, Fleet, osv, package
from steps import Steps, since

OLD = date(2026, 11, 10)
RANGE = package("PyPI", "rg1", "2.0")
ACCEPTED = status.Decision(status="accepted", detail="behind a wall", until=date(2027, 5, 5))


def _scan(fleet: Fleet, flaw: str, name: str, first: date | None = None, key: str = "") -> observe.Seen:
    found = Detection(asset="host", flaw=flaw, package=name, version="1.0", first_detected=first)
    seen = Observed(name="host", format="scanner-csv", ids=AssetIds(serial="SERIAL-1"), detections=(found,),
                    witness=Witness(tool="qualys"))  # fmt: skip
    pool, raw = fleet.people.pool, f"{flaw} {name}".encode()
    return observe.observe(pool, key or fleet.operator.key, fleet.table, fleet.org, [seen], raw, DAY)[0]


def test_a_flaw_that_gets_its_cve_is_dated_by_it(fleet: Fleet) -> None:
    fleet.ingest(osv("GHSA-2222-3333-4444", RANGE))
    web = fleet.asset("web", day=OLD)
    fleet.upload(web, "pkg:pypi/rg1@1.0", day=OLD, owned=True)
    (line,) = fleet.lines()
    fleet.ingest(
        osv("GHSA-2222-3333-4444", RANGE, aliases=["CVE-2026-70001"], modified="2026-11-10T00:00:00Z")
    )
    fleet.follow()
    (now,) = fleet.lines()
    other = fleet.asset("other", day=OLD)
    fleet.upload(other, "pkg:pypi/rg1@1.0", detected=OLD)
    fresh = next(x for x in fleet.lines() if x.asset == other)
    assert (now.exposure, now.flaw) == (line.exposure, "CVE-2026-70001")
    assert (now.due, now.tier) == (fresh.due, fresh.tier)
    assert now.due is not None


def test_what_was_accepted_of_one_record_says_nothing_of_another(fleet: Fleet) -> None:
    fleet.ingest(osv("GHSA-2222-3333-4444", RANGE, aliases=["CVE-2026-70001"]))
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/rg1@1.0")
    with fleet.acting() as db:
        status.decide(db, [fleet.lines()[0].exposure], ACCEPTED)
    fleet.ingest(osv("PYSEC-2026-7001", RANGE, aliases=["CVE-2026-70001"]))
    fleet.follow()
    gone = "2026-11-20T00:00:00Z"
    fleet.ingest(osv("GHSA-2222-3333-4444", RANGE, aliases=["CVE-2026-70001"], modified=gone, withdrawn=gone))
    fleet.follow()
    fleet.ingest(osv("PYSEC-2026-7001", RANGE, aliases=["CVE-2026-70002"], modified="2026-11-21T00:00:00Z"))
    fleet.follow()
    (line,) = fleet.lines()
    assert (line.flaw, line.records, line.status) == ("CVE-2026-70002", ("PYSEC-2026-7001",), "open")


def test_an_advisory_takes_a_scanners_word_over_and_gives_it_back(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    host = _scan(fleet, "CVE-2026-0001", "django", first=OLD).asset
    fleet.upload(host, "pkg:pypi/django@4.1")
    with fleet.acting() as db:
        assert [h.name for h in inventory.held(db, host)] == ["django"]
        assert inventory.disputed(db, host) == () or [h.ecosystem for h in inventory.disputed(db, host)] == [
            "PyPI"
        ]
    assert [(x.ecosystem, x.detected) for x in fleet.lines()] == [("reported", OLD)]
    record = package("PyPI", "django", "4.2")
    fleet.ingest(osv("PYSEC-1", record, aliases=["CVE-2026-0001"]))
    fleet.follow()
    (line,) = fleet.lines()
    assert (line.ecosystem, line.records, line.detected) == ("PyPI", ("PYSEC-1",), OLD)
    with fleet.acting() as db:
        rows = list(PROVIDER.rows(db, fleet.org, load("bod-26-04"), date(2026, 12, 31), since=OLD))
        assert [(r.component, r.status) for r in rows] == [("pkg:pypi/django@4.1", "open")]
    gone = "2026-11-21T00:00:00Z"
    fleet.ingest(osv("PYSEC-1", record, aliases=["CVE-2026-0001"], modified=gone, withdrawn=gone))
    fleet.follow()
    (line,) = fleet.lines()
    assert (line.ecosystem, line.flaw, line.detected) == ("reported", "CVE-2026-0001", OLD)


def test_what_only_a_scanner_knows_is_known_to_nobody_else(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1"), aliases=["CVE-2026-0009"]))
    fleet.follow()
    _scan(fleet, "CVE-2027-4242", "secretpkg")
    other = fleet.people.somebody(fleet.people.org("bank"), "operator")

    def told(who: Any, identifier: str) -> bool:
        with fleet.acting(who) as db:
            row = db.execute("select count(*) from clearway.flaw where id = %s", (identifier,)).fetchone()
            try:
                page_flaw.read(db, fleet.table, identifier, DAY)
            except NotFoundError:
                assert row == (0,)
                return False
            assert row == (1,)
            return True

    assert [told(fleet.operator, i) for i in ("CVE-2027-4242", "CVE-2027-4243")] == [True, False]
    assert [told(other, i) for i in ("CVE-2027-4242", "CVE-2026-0009")] == [False, True]
    theirs = fleet.another()
    _scan(theirs, "CVE-2027-4242", "secretpkg")
    assert told(theirs.operator, "CVE-2027-4242")
    fleet.ingest(osv("PYSEC-8", package("PyPI", "another", "1"), aliases=["CVE-2027-4242"]))
    fleet.follow()
    assert told(other, "CVE-2027-4242")


def test_a_list_finds_a_flaw_by_any_of_its_names(mine: Fleet) -> None:
    mine.upload(mine.asset("web"), "pkg:pypi/django@4.1")
    for name in ("CVE-2026-0001", "cve-2026-0001", "PYSEC-1", "pysec-1"):
        found = mine.lines(flaw=name, flaws=flawview.led(mine.table)(name))
        assert [x.flaw for x in found] == ["CVE-2026-0001"], name
    assert mine.lines(flaw="CVE-2026-9999", flaws=flawview.led(None)("CVE-2026-9999")) == ()


def test_a_report_says_when_an_asset_was_decommissioned(mine: Fleet) -> None:
    web = mine.asset("web", day=OLD)
    mine.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    with mine.owner(DAY) as db:
        kept = asset.one(db, web)
        asset.change(db, web, kept.version, asset.Details(decommissioned=date(2026, 11, 20)))
        (row,) = PROVIDER.rows(db, mine.org, load("bod-26-04"), DAY, since=OLD)
    assert (row.status, row.remediated_at, row.status_reason) == (
        "fixed", date(2026, 11, 20), "the asset was decommissioned",
    )  # fmt: skip


def test_an_asset_is_over_on_its_day(mine: Fleet) -> None:
    web = mine.asset("web", day=OLD)
    mine.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    last = date(2026, 11, 24)
    with mine.owner(OLD) as db:
        kept = asset.one(db, web)
        asset.change(db, web, kept.version, asset.Details(decommissioned=last))
    assert len(mine.lines()) == 1
    with mine.owner(last) as db:
        follow.tick(db, last)
    assert mine.lines() == ()


@pytest.mark.parametrize("step", ["0021"])
def test_the_step_can_be_taken_down_and_put_up_again(fleet: Fleet, step: str) -> None:
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    fleet.upload(_scan(fleet, "CVE-2027-4242", "secretpkg").asset, "pkg:pypi/django@4.1")
    steps = Steps(fleet.world.url, *since(step))

    def shape() -> list[list[tuple[Any, ...]]]:
        return [
            fleet.world.sql(query)
            for query in (
                """select oid::regprocedure::text, md5(prosrc), proacl::text from pg_proc
                where pronamespace = 'clearway'::regnamespace order by 1""",
                "select tablename, policyname, qual from pg_policies where schemaname = 'clearway' order by 1, 2",
                """select table_name, column_name, data_type from information_schema.columns
                where table_schema = 'clearway' order by 1, 2""",
                "select known, id from clearway.flaw order by id",
                "select inventory, witness, reports from clearway.inventory order by 1",
            )
        ]

    before, shown = shape(), fleet.lines()
    steps.down()
    assert "fleet_missing(integer)" in str(
        fleet.world.sql("select oid::regprocedure::text from pg_proc where proname = 'fleet_missing'")
    )
    steps.up()
    assert shape() == before
    assert fleet.lines() == shown
