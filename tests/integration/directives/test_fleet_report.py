"""Reports of a fleet that takes inventories: the dates that it shows, and what a new inventory remediates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from clearway.directives import load
from clearway.directives.reports.row import ReportRow
from clearway.exposure.fleet import due, listing
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.exposure.fleet.wanted import Filter
from database import new_world, world  # noqa: F401
from fleet_world import DAY, Fleet, fleet_of, kev, osv, package
from intake_world import World

BOD = load("bod-26-04")
ALPHA, BETA = "pkg:pypi/alpha@1.0", "pkg:pypi/beta@2.0"


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:  # noqa: F811
    yield from fleet_of(world)


def rows(fleet: Fleet, day: date, since: date | None = None) -> dict[str, ReportRow]:
    with fleet.acting() as db:
        found = PROVIDER.rows(db, fleet.org, BOD, day, since=since or day - timedelta(days=6))
        return {row.flaw: row for row in found}


def test_the_rows_have_the_dates_that_the_fleet_shows_and_end_with_the_component(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "alpha", "2.0"), aliases=["CVE-2026-1001"]),
        osv("PYSEC-2", package("PyPI", "beta", "3.0"), aliases=["CVE-2026-1002"]),
        kev("2026.11.21", "CVE-2026-1001", added="2026-11-20"),
    )
    fleet.follow(DAY)
    gw = fleet.asset("gw", day=DAY)
    fleet.upload(gw, ALPHA, BETA, day=DAY, owned=True)
    first = rows(fleet, DAY)
    assert {row.status for row in first.values()} == {"open"}
    with fleet.acting() as db:
        shown = {line.flaw: line for line in listing.page(db, Filter(), limit=50).lines}
        for flaw, row in first.items():
            again = due.replay(db, shown[flaw].exposure, DAY)
            assert (row.due, row.tier, row.basis) == (again.due, again.tier, again.basis)
    later = DAY + timedelta(days=2)
    fleet.upload(gw, BETA, day=later, owned=True)
    after = rows(fleet, later)
    assert (after["CVE-2026-1001"].status, after["CVE-2026-1001"].remediated_at) == ("fixed", later)
    assert after["CVE-2026-1002"].status == "open"
    assert rows(fleet, DAY) == first
    assert set(rows(fleet, later + timedelta(days=7))) == {"CVE-2026-1002"}


def test_what_a_source_takes_back_was_not_remediated_but_never_there(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", package("PyPI", "alpha", "2.0"), aliases=["CVE-2026-1001"]))
    fleet.follow(DAY)
    gw = fleet.asset("gw", day=DAY)
    fleet.upload(gw, ALPHA, day=DAY, owned=True)
    assert rows(fleet, DAY)["CVE-2026-1001"].status == "open"
    later = DAY + timedelta(days=2)
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "alpha", "2.0"), aliases=["CVE-2026-1001"], modified="2026-02-01T00:00:00Z",
            withdrawn="2026-02-01T00:00:00Z"),
        at=later,
    )  # fmt: skip
    fleet.follow(later)
    after = rows(fleet, later)["CVE-2026-1001"]
    assert (after.status, after.remediated_at, after.status_since) == ("not_affected", None, later)
    assert rows(fleet, DAY)["CVE-2026-1001"].status == "open"
