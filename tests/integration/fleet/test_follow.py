"""Exposures follow the advisories: what is new is found, what is taken back goes, nothing else moves."""

from __future__ import annotations

from datetime import date

import pytest

from clearway.exposure.fleet import due, flawview, follow, prepare, status
from clearway.records.errors import ConflictError
from fleet_world import DAY, Fleet, kev, osv, package

OLD = date(2026, 11, 10)
DJANGO = package("PyPI", "django", "4.2")


def test_a_new_advisory_finds_its_assets(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    web, mail = fleet.asset("web"), fleet.asset("mail")
    fleet.upload(web, "pkg:pypi/django@4.1")
    fleet.upload(mail, "pkg:pypi/django@4.2")
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]))
    followed = fleet.follow()
    assert (followed.whole, followed.appeared, followed.ended) == (False, 1, 0)
    assert fleet.flaws() == [("web", "django@4.1", "CVE-2026-0001")]
    assert fleet.follow() == follow.Followed()


def test_a_withdrawn_advisory_takes_back_exactly_what_it_caused(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]),
        osv("PYSEC-2", DJANGO, aliases=["CVE-2026-0002"]),
        osv("GHSA-2222-2222-2222", DJANGO, aliases=["CVE-2026-0002"]),
    )
    web = fleet.asset("web", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    for record in ("PYSEC-1", "PYSEC-2"):
        alias = record.replace("PYSEC-", "CVE-2026-000")
        gone = osv(
            record, DJANGO, aliases=[alias], modified="2026-02-01T00:00:00Z", withdrawn="2026-02-01T00:00:00Z"
        )
        fleet.ingest(gone)
    followed = fleet.follow()
    assert (followed.appeared, followed.ended) == (0, 1)
    (line,) = fleet.lines()
    assert (line.flaw, line.records, line.detected) == ("CVE-2026-0002", ("GHSA-2222-2222-2222",), OLD)
    (over,) = fleet.lines(gone=True)
    assert (over.flaw, over.gone is not None) == ("CVE-2026-0001", True)


def test_a_changed_range_ends_what_it_no_longer_covers(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/django@4.0")
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.1"), modified="2026-02-01T00:00:00Z"))
    assert fleet.follow().ended == 1
    assert fleet.flaws() == [("web", "django@4.0", "PYSEC-1")]
    assert fleet.lines()[0].fixed == ("4.1",)


def test_flaws_that_turn_out_to_be_one_keep_their_decision_and_first_detection(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    web = fleet.asset("web", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    (line,) = fleet.lines()
    accepted = status.Decision(status="accepted", detail="behind a wall", until=date(2027, 1, 1))
    with fleet.acting() as db:
        assert status.decide(db, [line.exposure], accepted) == (line.exposure,)
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"], modified="2026-02-01T00:00:00Z"))
    followed = fleet.follow()
    assert (followed.appeared, followed.ended) == (0, 0)
    (now,) = fleet.lines()
    assert (now.exposure, now.flaw, now.status, now.detected) == (
        line.exposure,
        "CVE-2026-0001",
        "accepted",
        OLD,
    )
    with fleet.acting() as db:
        assert flawview.now(db, "PYSEC-1") == ("CVE-2026-0001",)
        assert [x.exposure for x in flawview.affected(db, "PYSEC-1").lines] == [line.exposure]


def test_a_flaw_that_is_taken_apart_keeps_the_decision_on_each_record(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["PYSEC-2"]), osv("PYSEC-2", DJANGO))
    web = fleet.asset("web", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    (line,) = fleet.lines()
    assert line.records == ("PYSEC-1", "PYSEC-2")
    said = status.Decision(status="not_affected", justification="vulnerable_code_not_in_execute_path")
    with fleet.acting() as db:
        status.decide(db, [line.exposure], said)
    fleet.ingest(osv("PYSEC-1", DJANGO, modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    assert [(x.flaw, x.status, x.detected) for x in fleet.lines(sort="name")] == [
        ("PYSEC-1", "not_affected", OLD),
        ("PYSEC-2", "not_affected", OLD),
    ]


def test_an_addition_to_kev_shortens_the_date_and_both_days_stay_known(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]), kev("2026.11.01", "CVE-2020-9999"), at=OLD
    )
    web = fleet.asset("web", "internal", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    (before,) = fleet.lines()
    fleet.ingest(
        kev("2026.11.20", "CVE-2020-9999", "CVE-2026-0001", added="2026-11-20"), at=date(2026, 11, 21)
    )
    assert fleet.follow(date(2026, 11, 21)).dated == 1
    (after,) = fleet.lines()
    assert before.due is not None
    assert after.due is not None
    assert after.due < before.due
    assert (after.kev, after.exposure) == (date(2026, 11, 20), before.exposure)
    with fleet.acting() as db:
        then = due.replay(db, before.exposure, date(2026, 11, 20))
        now = due.replay(db, before.exposure, date(2026, 11, 21))
    # It was listed on the 20th, and nobody here knew it before the 21st.
    assert (then.due, then.again.due) == (before.due, before.due)
    assert (now.due, now.again.due) == (after.due, after.due)


def test_an_entry_that_kev_takes_back_gives_the_longer_date_from_that_day_on(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]),
        kev("2026.11.01", "CVE-2020-9999", "CVE-2026-0001", added="2026-10-30"),
        at=OLD,
    )
    web = fleet.asset("web", day=OLD)
    fleet.upload(web, "pkg:pypi/django@4.1", day=OLD, owned=True)
    (listed,) = fleet.lines()
    gone, back = date(2026, 11, 21), date(2026, 11, 23)
    fleet.ingest(kev("2026.11.20", "CVE-2020-9999"), at=gone)
    assert fleet.follow(gone).dated == 1
    (after,) = fleet.lines()
    assert (listed.kev, after.kev, after.exposure) == (date(2026, 10, 30), None, listed.exposure)
    assert listed.due is not None
    assert after.due is not None
    assert listed.due < after.due
    fleet.ingest(kev("2026.11.22", "CVE-2020-9999", "CVE-2026-0001", added="2026-10-30"), at=back)
    assert fleet.follow(back).dated == 1
    (again,) = fleet.lines()
    assert (again.kev, again.due) == (listed.kev, listed.due)
    with fleet.acting() as db:
        shown = [due.replay(db, listed.exposure, day) for day in (date(2026, 11, 20), gone, back)]
    assert [s.due for s in shown] == [listed.due, after.due, listed.due]
    assert [s.again.due for s in shown] == [listed.due, after.due, listed.due]


def test_an_older_table_is_not_asked_once_a_newer_one_was_followed(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", DJANGO))
    old = fleet.table
    fleet.ingest(osv("PYSEC-2", package("PyPI", "flask", "3")))
    fleet.follow()
    from clearway.formats.inventory import read_inventory
    from fleet_world import document

    inventory = read_inventory(document("pkg:pypi/flask@2"), "x")
    with pytest.raises(ConflictError, match="renewed"), fleet.owner() as owner:
        prepare.one(owner, old, inventory, DAY)


def test_following_in_steps_ends_where_a_whole_match_does(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]), osv("PYSEC-2", package("PyPI", "flask", "3"))
    )
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@2", "pkg:pypi/attrs@1")
    fleet.ingest(osv("PYSEC-3", package("PyPI", "attrs", "2"), aliases=["CVE-2026-0001"]))
    fleet.follow()
    fleet.ingest(osv("PYSEC-2", package("PyPI", "flask", "1"), modified="2026-02-01T00:00:00Z"))
    fleet.follow()
    stepwise = fleet.flaws()
    fleet.world.take(rebuild=True)
    followed = fleet.follow()
    assert (followed.whole, followed.appeared, followed.ended) == (True, 0, 0)
    assert (
        fleet.flaws()
        == stepwise
        == [("web", "attrs@1", "CVE-2026-0001"), ("web", "django@4.1", "CVE-2026-0001")]
    )


def test_the_worker_follows_the_table_of_its_home_and_looks_no_further_while_it_stands(fleet: Fleet) -> None:
    from clearway.exposure.fleet.tasks import loops

    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    looks = []

    def connect():  # type: ignore[no-untyped-def]
        looks.append(1)
        return fleet.people.owner()

    follows = loops(fleet.world.home, fleet.world.url)["fleet.follow"].run
    follows(connect)
    fleet.ingest(osv("PYSEC-1", DJANGO, aliases=["CVE-2026-0001"]))
    follows(connect)
    assert fleet.flaws() == [("web", "django@4.1", "CVE-2026-0001")]
    before = len(looks)
    follows(connect)
    assert len(looks) == before
