"""A day of detection that somebody set right goes before one that documents state, whatever becomes of the exposure."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from clearway.exposure.fleet import observe, redate, take
from clearway.formats.observed import read_fleet
from fleet_world import DAY, Fleet, osv, package
from steps import Steps, since, step_of

DJANGO = "pkg:pypi/django@4.1"
WRONG, RIGHT, LATER = date(2026, 3, 1), date(2026, 11, 20), date(2026, 11, 22)
BARE = "pkg:apk/alpine/zlib@1.2.11-r3?distro=3.15.4"
FULL = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&distro=alpine-3.15.4"
AFFECTED = package("PyPI", "django", "4.2")


def set_right(fleet: Fleet, exposure: int, day: date) -> None:
    with fleet.acting() as db:
        redate.redate(db, exposure, day, "the export had the year wrong", day=DAY)


def days(fleet: Fleet, which: int) -> list[tuple[str, date]]:
    return sorted((x.flaw, x.detected) for x in fleet.lines(asset=which))


@pytest.mark.parametrize(
    ("silent", "full", "counts"),
    [(None, RIGHT, RIGHT), (RIGHT, None, RIGHT), (LATER, RIGHT, RIGHT), (RIGHT, LATER, RIGHT)],
    ids=[
        "of the full word",
        "of the silent word",
        "the earlier of two, the full word's",
        "the silent word's",
    ],
)
def test_of_two_components_that_turn_out_to_be_one_the_day_that_somebody_set_counts(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, silent: date | None, full: date | None, counts: date
) -> None:
    fleet.ingest(osv("ALPINE-1", package("Alpine:v3.15", "zlib", "1.2.12-r0"), aliases=["CVE-2026-0101"]))
    fleet.follow()
    which = fleet.asset("web")
    with monkeypatch.context() as before:  # two lines, as long as nobody knows that they are one
        before.setattr(take, "pairs", lambda _: {})
        fleet.upload(which, FULL, witness="syft", detected=WRONG)
        fleet.upload(which, BARE, witness="trivy", detected=WRONG)
    for line in fleet.lines(asset=which):
        if said := full if "arch" in line.purl else silent:
            set_right(fleet, line.exposure, said)
    fleet.upload(which, FULL, "pkg:pypi/flask@2.0", witness="syft")
    assert days(fleet, which) == [("CVE-2026-0101", counts)]
    fleet.upload(which, FULL, witness="syft", detected=WRONG)  # and it is still a person's word
    assert days(fleet, which) == [("CVE-2026-0101", counts)]


def test_an_upgrade_from_one_affected_version_to_another_goes_on_from_the_day_that_somebody_set(
    mine: Fleet,
) -> None:
    web = mine.asset("web")
    mine.upload(web, DJANGO, detected=WRONG)
    set_right(mine, mine.lines(asset=web)[0].exposure, RIGHT)
    mine.upload(web, "pkg:pypi/django@4.0", detected=WRONG)
    mine.upload(web, "pkg:pypi/django@4.0", detected=WRONG, witness="grype")
    (line,) = mine.lines(asset=web)
    assert (line.version, line.detected) == ("4.0", RIGHT)


@pytest.mark.parametrize("first", [True, False], ids=["under a new id", "under the id that one had"])
def test_of_flaws_that_turn_out_to_be_one_the_day_that_somebody_set_counts(fleet: Fleet, first: bool) -> None:
    fleet.ingest(osv("PYSEC-1", AFFECTED), osv("PYSEC-2", AFFECTED))
    web = fleet.asset("web")
    fleet.upload(web, DJANGO, detected=WRONG)
    lines = {x.flaw: x for x in fleet.lines(asset=web)}
    set_right(fleet, lines["PYSEC-2"].exposure, RIGHT)
    alias = "CVE-2026-0001" if first else "PYSEC-1"
    later = "2026-02-01T00:00:00Z"
    if first:
        fleet.ingest(osv("PYSEC-1", AFFECTED, aliases=[alias], modified=later))
        fleet.ingest(osv("PYSEC-2", AFFECTED, aliases=[alias], modified=later))
    else:
        fleet.ingest(osv("PYSEC-2", AFFECTED, aliases=[alias], modified=later))
    fleet.follow()
    assert days(fleet, web) == [(alias, RIGHT)]
    fleet.upload(web, DJANGO, detected=WRONG, witness="grype")
    assert days(fleet, web) == [(alias, RIGHT)]
    (line,) = fleet.lines(asset=web)
    with fleet.owner() as db:
        assert redate.redate(db, line.exposure, LATER, "x", day=DAY)[1].due == (
            line.due + (LATER - RIGHT) if line.due else None
        )


def test_of_flaws_that_turn_out_to_be_one_the_earlier_day_counts_where_nobody_set_any(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", AFFECTED), osv("PYSEC-2", AFFECTED))
    web = fleet.asset("web")
    fleet.upload(web, DJANGO, first_detected={("PYSEC-2", ""): WRONG})
    assert days(fleet, web) == [("PYSEC-1", DAY), ("PYSEC-2", WRONG)]
    fleet.ingest(osv("PYSEC-2", AFFECTED, aliases=["PYSEC-1"], modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    assert days(fleet, web) == [("PYSEC-1", WRONG)]


def test_each_flaw_of_one_that_is_taken_apart_has_the_day_that_somebody_set(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", AFFECTED, aliases=["PYSEC-2"]), osv("PYSEC-2", AFFECTED))
    web = fleet.asset("web")
    fleet.upload(web, DJANGO, detected=WRONG)
    set_right(fleet, fleet.lines(asset=web)[0].exposure, RIGHT)
    fleet.ingest(osv("PYSEC-1", AFFECTED, modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    fleet.upload(web, DJANGO, detected=WRONG, witness="grype")
    assert days(fleet, web) == [("PYSEC-1", RIGHT), ("PYSEC-2", RIGHT)]


def test_what_explains_a_scanners_word_and_what_is_left_of_it_have_the_day_that_somebody_set(
    fleet: Fleet,
) -> None:
    found = f"asset,cve,package,first seen\nweb,CVE-2026-0001,django,{WRONG}\n".encode()
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    web = fleet.asset("web")
    observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, read_fleet(found, "a.csv").observed, found, DAY,
        place="a.csv", file="a.csv",
    )  # fmt: skip
    set_right(fleet, fleet.lines(asset=web)[0].exposure, RIGHT)
    fleet.upload(web, DJANGO, "pkg:pypi/flask@2.0", detected=WRONG)
    assert days(fleet, web) == [("CVE-2026-0001", RIGHT)]
    fleet.ingest(osv("PYSEC-1", AFFECTED, aliases=["CVE-2026-0001"]))
    fleet.follow()  # an advisory explains it
    assert [(x.name, x.detected) for x in fleet.lines(asset=web)] == [("django", RIGHT)]
    set_right(fleet, fleet.lines(asset=web)[0].exposure, LATER)
    gone = "2026-02-01T00:00:00Z"
    fleet.ingest(osv("PYSEC-1", AFFECTED, aliases=["CVE-2026-0001"], modified=gone, withdrawn=gone))
    fleet.follow()  # and no longer does
    (line,) = fleet.lines(asset=web)
    assert (line.ecosystem, line.detected) == ("reported", RIGHT)  # the earlier of two words of people
    fleet.upload(web, "pkg:pypi/flask@2.0", detected=WRONG - timedelta(days=1))
    assert days(fleet, web) == [("CVE-2026-0001", RIGHT)]


def test_an_inventory_that_explains_a_scanners_word_takes_the_day_that_somebody_set(mine: Fleet) -> None:
    found = f"asset,cve,package,first seen\nweb,CVE-2026-0001,django,{WRONG}\n".encode()
    web = mine.asset("web")
    observe.observe(
        mine.people.pool, mine.operator.key, mine.table, mine.org, read_fleet(found, "a.csv").observed, found, DAY,
        place="a.csv", file="a.csv",
    )  # fmt: skip
    set_right(mine, mine.lines(asset=web)[0].exposure, RIGHT)
    mine.upload(web, DJANGO, detected=WRONG)
    assert [(x.ecosystem, x.detected) for x in mine.lines(asset=web)] == [("PyPI", RIGHT)]


def test_the_step_can_be_taken_back_and_made_again(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", AFFECTED))
    steps = Steps(fleet.world.url, *since(step_of("persons_day")))
    text = "select pg_get_functiondef(oid) from pg_proc where proname in ('fleet_unite', 'fleet_missing') order by 1"
    before = fleet.world.sql(text)
    steps.down()
    assert fleet.world.sql(text) != before
    steps.up()
    assert fleet.world.sql(text) == before
    web = fleet.asset("web")
    fleet.upload(web, DJANGO)
    assert days(fleet, web) == [("PYSEC-1", DAY)]
