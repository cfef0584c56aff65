"""Marked records: matched for who may see them, told to nobody else, in no table and no file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from clearway.access import audience, recipients
from clearway.access.marking import GREEN_AUD, Marking
from clearway.directives import load
from clearway.exposure.fleet import listing, marked, page_seen
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.exposure.fleet.wanted import Filter
from clearway.records.errors import ConflictError, NotFoundError
from clearway.store import labels
from fleet_world import DAY, Fleet, osv, package


@pytest.fixture
def secret(fleet: Fleet) -> Fleet:
    """A record that is marked, as one that came so would be: not in the table, its claims not clear."""
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "other", "1")),
        osv("SECRET-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-7777"]),
    )
    with fleet.owner() as owner:
        owner.execute("update clearway.record set tlp = 'RED' where id = 'SECRET-1'")
        owner.execute(
            """update clearway.claim set clear = false
            where rec = (select rec from clearway.record where id = 'SECRET-1')"""
        )
    fleet.world.take(rebuild=True)
    return fleet


def _source(fleet: Fleet) -> tuple[str, str]:
    ((source, record),) = fleet.world.sql(
        "select source, id from clearway.record where tlp = 'RED' and current"
    )
    return source, record


def test_a_marked_record_hits_only_for_who_may_see_it_and_the_asset(secret: Fleet) -> None:
    fleet = secret
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1")
    coordinator = fleet.people.somebody(fleet.people.house, "coordinator")
    auditor = fleet.people.somebody(fleet.org, "auditor")
    with fleet.owner() as owner:
        # The coordinators' and one organisation's: AMBER+STRICT of the water works.
        aud = audience.of(owner, Marking(tlp="AMBER+STRICT", org=fleet.org))
        assert marked.take(owner, *_source(fleet), aud, fleet.org, DAY) == 1
    (line,) = fleet.lines()
    assert (line.flaw, line.marked, line.name, line.verdict) == ("CVE-2026-7777", True, "django", "affected")
    assert len(fleet.lines(auditor)) == 1
    # Who may see the record, and not the asset, sees no exposure.
    assert fleet.lines(coordinator) == ()
    stranger = fleet.another()
    theirs = stranger.asset("theirs")
    stranger.upload(theirs, "pkg:pypi/django@4.1")
    with fleet.owner() as owner:
        assert marked.pending(owner, DAY) == 1
    assert stranger.lines() == ()
    with stranger.acting() as db:
        assert db.execute("select count(*) from clearway.marked").fetchone() == (0,)
        assert db.execute("select count(*) from clearway.flaw where id = 'CVE-2026-7777'").fetchone() == (0,)
    assert b"7777" not in fleet.world.path.read_bytes()
    assert not list(fleet.world.home.glob("fleet/**/*.parquet"))


def test_a_new_inventory_meets_marked_records_that_its_uploader_never_hears_of(secret: Fleet) -> None:
    fleet = secret
    with fleet.owner() as owner:
        only = fleet.people.org("desk")
        aud = audience.of(owner, Marking(tlp="RED", org=only))
        marked.take(owner, *_source(fleet), aud, only, DAY)
    web = fleet.asset("web")
    taken = fleet.upload(web, "pkg:pypi/django@4.1")
    assert taken.appeared == ()
    with fleet.owner() as owner:
        marked.pending(owner, DAY)
    assert fleet.world.sql("select count(*) from clearway.exposure where via > 0 and gone is null") == [(1,)]
    assert fleet.lines() == ()  # seen by nobody: no one may see both
    with fleet.acting() as db:
        assert listing.counts(db, Filter()).total == 0


def test_a_withdrawn_marked_record_takes_back_what_it_caused(secret: Fleet) -> None:
    fleet = secret
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    with fleet.owner() as owner:
        marked.take(owner, *_source(fleet), GREEN_AUD, fleet.org, DAY)
    assert len(fleet.lines()) == 1
    with fleet.owner() as owner:
        assert marked.withdraw(owner, *_source(fleet), fleet.org) == 1
        with pytest.raises(NotFoundError):
            marked.withdraw(owner, *_source(fleet), fleet.org)
        assert marked.match(owner, DAY) == 0
    assert fleet.lines() == ()
    assert len(fleet.lines(gone=True)) == 1


def test_a_public_record_needs_no_marking_and_a_public_exposure_hides_its_marked_double(
    secret: Fleet,
) -> None:
    fleet = secret
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    ((source, record),) = fleet.world.sql(
        "select source, id from clearway.record where tlp = 'CLEAR' and current"
    )
    with fleet.owner() as owner, pytest.raises(ConflictError, match="public"):
        marked.take(owner, source, record, GREEN_AUD, fleet.org, DAY)
    with fleet.owner() as owner:
        marked.take(owner, *_source(fleet), GREEN_AUD, fleet.org, date(2026, 11, 25))
    fleet.ingest(osv("PYSEC-7", package("PyPI", "django", "4.2"), aliases=["CVE-2026-7777"]))
    fleet.follow()
    (line,) = fleet.lines()
    assert (line.flaw, line.marked, line.records) == ("CVE-2026-7777", False, ("PYSEC-7",))


@pytest.mark.parametrize(("tlp", "reported"), [("AMBER+STRICT", []), ("RED", ["not_affected"])])
def test_what_a_marked_record_still_says_is_not_reported_as_not_affected(
    secret: Fleet, tlp: Any, reported: list[str]
) -> None:
    """To whom all members are; where fewer may know of it, the report of all says what it said without it."""
    fleet = secret
    fleet.upload(fleet.asset("web", day=DAY), "pkg:pypi/django@4.1", owned=True)
    said = osv("PYSEC-7", package("PyPI", "django", "4.2"), aliases=["CVE-2026-7777"])
    fleet.ingest(said)
    fleet.follow()
    with fleet.owner(DAY) as owner:
        some = recipients.add(owner, fleet.org, "some").list
        recipients.set_member(owner, some, person=fleet.operator.person)
        named = Marking(tlp=tlp, org=fleet.org, recipients=some if tlp == "RED" else 0)
        marked.take(owner, *_source(fleet), audience.of(owner, named), fleet.org, DAY)
    later = DAY + timedelta(days=1)
    fleet.ingest({**said, "modified": "2026-11-26T00:00:00Z", "withdrawn": "2026-11-26T00:00:00Z"}, at=later)
    fleet.follow(later)
    with fleet.owner(later) as owner:
        marked.match(owner, later)
    (line,) = fleet.lines()
    assert (line.flaw, line.marked) == ("CVE-2026-7777", True)
    with fleet.acting() as db:
        rows = PROVIDER.rows(db, fleet.org, load("bod-26-04"), later, since=DAY)
        assert [row.status for row in rows] == reported


def test_a_page_of_many_audiences_names_each_label_and_explains_the_first(fleet: Fleet) -> None:
    with fleet.owner() as owner:
        for n in range(12):
            made = recipients.add(owner, fleet.org, f"list {n}")
            recipients.set_member(owner, made.list, org=fleet.org, member=True)
            audience.of(owner, Marking(tlp="RED", recipients=made.list))
        last = [
            audience.of(owner, Marking(tlp="AMBER+STRICT", org=fleet.org)),
            audience.of(owner, Marking(tlp="AMBER", org=fleet.org)),
        ]
        auds = [n for (n,) in owner.execute("select aud from clearway.audience order by aud")]
    with fleet.acting() as db:
        mine = [
            aud for aud in auds if db.execute("select clearway.label_of(%s)", ([aud],)).fetchone() != (None,)
        ]
        seen = page_seen.seen(db, mine)
        told = labels.labels(db, mine)
        each = {aud: audience.meaning(db, aud).label.removeprefix("TLP:") for aud in mine}
    assert len(mine) > 13
    assert seen.labels == each == told
    assert [each[aud] for aud in last] == ["AMBER+STRICT", "AMBER"]
