"""Whoever may see exposures is told when advisories, a day or a directive change them: once, with counts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from clearway.access import audience
from clearway.access.marking import Marking
from clearway.exposure.fleet import asset, follow, marked, status, told
from fleet_world import DAY, Fleet, kev, osv, package

DJANGO = package("PyPI", "django", "4.2")
OLD = date(2026, 11, 10)


def changes(fleet: Fleet, who: Any = None) -> list[dict[str, Any]]:
    """What `who` is told of changed exposures, oldest first."""
    with fleet.acting(who) as db:
        rows = db.execute(
            "select subject, org, body from clearway.event where kind = %s order by seq", (told.KIND,)
        ).fetchall()
    assert all(subject == f"org/{org}/exposures" for subject, org, _ in rows)
    return [body for *_, body in rows]


def counts(body: dict[str, Any]) -> dict[str, int]:
    named = ("appeared", "ended", "moved", "dated", "reopened", "affected", "unknown")
    return {name: body[name] for name in named if body[name]}


def withdrawn(record: str, **more: Any) -> dict[str, Any]:
    at = "2026-02-01T00:00:00Z"
    return osv(record, DJANGO, modified=at, withdrawn=at, **more)


def test_an_advisory_that_opens_exposures_is_one_event_for_each_organisation_that_has_them(
    fleet: Fleet,
) -> None:
    other, third = fleet.another(), fleet.another()
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    hosts = [fleet.asset(f"host-{n}") for n in range(3)]
    for host in hosts:
        fleet.upload(host, "pkg:pypi/django@4.1")
    theirs = other.asset("theirs")
    other.upload(theirs, "pkg:pypi/django@4.0")
    third.upload(third.asset("fine"), "pkg:pypi/django@4.2")
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]))
    fleet.follow()
    (body,) = changes(fleet)
    assert body == {
        "cause": "advisories", "count": 3, "on_assets": 3, "appeared": 3, "ended": 0, "moved": 0, "dated": 0,
        "reopened": 0, "affected": 0, "unknown": 0, "exposures": sorted(x.exposure for x in fleet.lines()),
        "assets": hosts, "flaws": ["CVE-2026-0001"],
    }  # fmt: skip
    (body,) = changes(other)
    assert (body["count"], body["assets"]) == (1, [theirs])
    assert changes(third) == []
    fleet.follow()  # nothing new: nothing is told
    assert len(changes(fleet)) == 1


def test_a_withdrawal_and_a_change_of_dates_are_told_with_their_counts(fleet: Fleet) -> None:
    first = osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"])
    fleet.ingest(first, osv("PYSEC-2", DJANGO), kev("2026.11.01", "CVE-2020-9999"), at=OLD)
    web = fleet.asset("web", "internal", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    fleet.ingest(
        kev("2026.11.20", "CVE-2020-9999", "CVE-2026-0001", added="2026-11-20"), at=date(2026, 11, 21)
    )
    fleet.follow()
    fleet.ingest(withdrawn("PYSEC-2"))
    fleet.follow()
    dated, over = changes(fleet)
    assert (counts(dated), dated["flaws"]) == ({"dated": 1}, ["CVE-2026-0001"])
    assert (counts(over), over["flaws"], over["assets"]) == ({"ended": 1}, ["PYSEC-2"], [web])


UNSURE = package("PyPI", "django", "see notes")  # nobody can say where it ends


def test_a_change_of_the_verdict_alone_is_told_in_both_directions(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]))
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1")
    fleet.upload(fleet.asset("fine"), "pkg:pypi/django@4.2")
    for month, affected in ((2, UNSURE), (3, DJANGO)):
        at = f"2026-0{month}-01T00:00:00Z"
        fleet.ingest(osv("PYSEC-1", affected, aliases=["CVE-2026-0001"], modified=at))
        fleet.follow()
    told_of = [(b["count"], b["on_assets"], counts(b), b["assets"], b["flaws"]) for b in changes(fleet)]
    flaw = ["CVE-2026-0001"]
    (fine,) = [x.asset for x in fleet.lines(gone=True)]
    assert told_of == [
        (2, 2, {"appeared": 1, "unknown": 1}, sorted([web, fine]), flaw),
        (2, 2, {"ended": 1, "affected": 1}, sorted([web, fine]), flaw),
    ]
    assert [(x.asset_name, x.verdict) for x in fleet.lines()] == [("web", "affected")]


def test_what_goes_over_to_another_flaw_with_another_verdict_is_both(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    fleet.ingest(osv("PYSEC-1", UNSURE, aliases=["CVE-2026-0001"], modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    (body,) = changes(fleet)
    assert (counts(body), body["count"]) == ({"moved": 1, "dated": 1, "unknown": 1}, 1)
    assert [(x.flaw, x.verdict) for x in fleet.lines()] == [("CVE-2026-0001", "unknown")]


def test_what_goes_over_to_another_flaw_is_neither_new_nor_over(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"], modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    (body,) = changes(fleet)
    assert (body["appeared"], body["ended"], body["moved"], body["count"]) == (0, 0, 1, 1)
    assert body["flaws"] == ["CVE-2026-0001"]


def test_it_is_told_by_whoever_follows_first_and_an_inventory_tells_of_itself_alone(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1")
    fleet.ingest(osv("PYSEC-1", DJANGO))
    mail = fleet.asset("mail")
    fleet.upload(mail, "pkg:pypi/django@4.1")  # asks the new table, and so brings the fleet up to it
    (body,) = changes(fleet)
    assert (counts(body), body["assets"]) == ({"appeared": 1}, [web])


def test_many_are_counted_and_some_are_named(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-99", package("PyPI", "other", "1")))
    web = fleet.asset("web")
    fleet.upload(web, *(f"pkg:pypi/p{n}@1.0" for n in range(30)))
    fleet.ingest(*(osv(f"PYSEC-{n}", package("PyPI", f"p{n}", "2.0")) for n in range(30)))
    fleet.follow()
    (body,) = changes(fleet)
    assert (body["count"], body["on_assets"], body["assets"]) == (30, 1, [web])
    assert len(body["exposures"]) == len(body["flaws"]) == told.NAMED
    assert set(body["exposures"]) < {x.exposure for x in fleet.lines()}
    assert len(json.dumps(body)) < 8_192


def test_assets_of_another_marking_are_told_of_apart_and_to_nobody_else(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    web, vault = fleet.asset("web"), fleet.asset("vault")
    friend = fleet.another()
    for host in (web, vault):
        fleet.upload(host, "pkg:pypi/django@4.1")
    with fleet.people.owner() as db:  # the one is for everybody, the other for the organisation
        clear = audience.of(db, Marking(tlp="CLEAR", org=fleet.org))
        for table in ("asset", "held", "inventory"):
            db.execute(f"update clearway.{table} set aud = %s where asset = %s", (clear, web))
        db.execute(
            "insert into clearway.version_use select distinct pv, aud from clearway.held on conflict do nothing"
        )
    fleet.ingest(osv("PYSEC-1", DJANGO))
    fleet.follow()
    assert [b["assets"] for b in changes(friend)] == [[web]]
    assert sorted(b["assets"] for b in changes(fleet)) == sorted([[web], [vault]])
    assert {b["count"] for b in changes(fleet)} == {1}


def test_what_a_marked_record_opens_and_ends_is_told_to_whom_it_is_shown(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")), osv("SECRET-1", DJANGO))
    with fleet.owner() as owner:
        owner.execute("update clearway.record set tlp = 'RED' where id = 'SECRET-1'")
        owner.execute(
            """update clearway.claim set clear = false
            where rec = (select rec from clearway.record where id = 'SECRET-1')"""
        )
    fleet.world.take(rebuild=True)
    other = fleet.another()
    for one in (fleet, other):
        one.upload(one.asset("web"), "pkg:pypi/django@4.1")
    ((source, record),) = fleet.world.sql(
        "select source, id from clearway.record where tlp = 'RED' and current"
    )
    with fleet.owner() as owner:
        aud = audience.of(owner, Marking(tlp="AMBER+STRICT", org=fleet.org))
        marked.take(owner, source, record, aud, fleet.org, DAY)
    with fleet.owner() as owner:  # the same again finds the same: nothing changed for anybody
        marked.take(owner, source, record, aud, fleet.org, DAY)
        # And as if it had been unknown before: that is another verdict on what stood.
        owner.execute("update clearway.exposure set verdict = 2 where gone is null")
        marked.take(owner, source, record, aud, fleet.org, DAY)
    with fleet.owner() as owner:
        marked.withdraw(owner, source, record, fleet.org)
    told_of = [(counts(b), b["flaws"]) for b in changes(fleet)]
    assert told_of == [(n, ["SECRET-1"]) for n in ({"appeared": 1}, {"affected": 1}, {"ended": 1})]
    assert changes(other) == []


def test_an_acceptance_that_ends_and_an_asset_that_is_over_are_told_of_as_the_day_comes(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    web, old = fleet.asset("web"), fleet.asset("old")
    for host in (web, old):
        fleet.upload(host, "pkg:pypi/django@4.1")
    (line,) = fleet.lines(asset=web)
    with fleet.acting() as db:
        status.decide(
            db, [line.exposure], status.Decision(status="accepted", detail="x", until=DAY + timedelta(2))
        )
        asset.change(db, old, 1, asset.Details(decommissioned=DAY + timedelta(3)))
    with fleet.owner(DAY + timedelta(3)) as owner:
        follow.tick(owner, DAY + timedelta(3))
    (body,) = changes(fleet)
    assert (body["cause"], counts(body), body["on_assets"]) == ("day", {"ended": 1, "reopened": 1}, 2)


def test_the_log_has_no_entry_of_what_advisories_change(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    before = fleet.world.sql("select count(*) from clearway.log_entry where act ^@ 'exposure.'")
    fleet.ingest(osv("PYSEC-1", DJANGO))
    fleet.follow()
    assert len(changes(fleet)) == 1
    assert (
        fleet.world.sql("select count(*) from clearway.log_entry where act ^@ 'exposure.'")
        == before
        == [(0,)]
    )
