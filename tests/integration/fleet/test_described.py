"""What is kept of an asset has a history: who said what from when on; a report of an earlier day is of that day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.access import audience
from clearway.access.marking import Marking
from clearway.directives.facts import on
from clearway.exposure.fleet import asset, described, due, follow
from clearway.exposure.fleet.report_rows import PROVIDER
from fleet_world import DAY, Fleet

LATER = DAY + timedelta(days=5)


def changed(fleet: Fleet, number: int, day: date, name: str = "", **details: object) -> None:
    with fleet.owner(day) as db:
        kept = asset.one(db, number)
        asset.change(db, number, kept.version, asset.Details(**details), name=name)  # type: ignore[arg-type]


def test_each_change_is_kept_with_who_made_it_and_on_whose_word(mine: Fleet) -> None:
    with mine.acting() as db:
        made = asset.add(
            db, mine.org, "gw", since=DAY, said_by="the inventory of syft", details=asset.Details(owner="ops")
        )
        after = asset.change(
            db,
            made.asset,
            made.version,
            asset.Details(owner="net", end_of_support=DAY, addresses=("10.0.0.1",)),
        )
        asset.change(db, made.asset, after.version, after.details)  # says the same again
        found = described.described(db, made.asset)
    assert [(d.details.owner, d.said_by, d.person) for d in found] == [
        ("net", "", mine.operator.person), ("ops", "the inventory of syft", mine.operator.person),
    ]  # fmt: skip
    (change,) = described.changes(found)
    assert change.fields == (
        ("owner", "ops", "net"), ("end_of_support", None, DAY.isoformat()), ("addresses", (), ("10.0.0.1",)),
    )  # fmt: skip


def test_a_report_of_an_earlier_day_has_the_tags_of_that_day(mine: Fleet) -> None:
    gw = mine.asset("gw", day=DAY, owner="ops", environment="production", edge=True)
    with mine.acting() as db:
        before = PROVIDER.assets(db, mine.org, DAY)
    changed(mine, gw, LATER, name="gateway", owner="net", environment="development", end_of_support=LATER)
    with mine.acting() as db:
        assert PROVIDER.assets(db, mine.org, DAY) == before
        (now,) = PROVIDER.assets(db, mine.org, LATER)
    assert (now.name, now.owner, now.environment, now.edge_device, now.end_of_support) == (
        "gateway", "net", "development", False, LATER,
    )  # fmt: skip


def test_the_history_is_seen_by_whom_the_asset_is_seen(mine: Fleet) -> None:
    gw = mine.asset("gw", owner="ops")
    stranger = mine.another()
    with mine.acting(stranger.operator) as db:
        assert described.described(db, gw) == ()
    with mine.people.owner() as db:
        aud = audience.of(db, Marking(tlp="GREEN"))
        db.execute("update clearway.asset set aud = %s where asset = %s", (aud, gw))
    with mine.acting(stranger.operator) as db:
        assert [d.details.owner for d in described.described(db, gw)] == ["ops"]


def test_nobody_writes_the_history_but_the_database(mine: Fleet) -> None:
    gw = mine.asset("gw")
    for statement in ("delete from clearway.asset_said", "update clearway.asset_said set owner = 'x'"):
        with pytest.raises(Exception, match="permission denied"), mine.acting() as db:
            db.execute(statement)
    with mine.acting() as db:
        assert len(described.described(db, gw)) == 1


def test_what_is_said_of_a_day_to_come_is_how_it_is_from_that_day_on(mine: Fleet) -> None:
    gw = mine.asset("gw", "internal", day=DAY)
    with mine.owner(DAY) as db:
        asset.say_exposure(db, gw, "public", LATER, "the move", day=DAY)
        assert asset.one(db, gw).exposure == "internal"
        follow.tick(db, LATER - timedelta(days=1))
        assert asset.one(db, gw).exposure == "internal"
        follow.tick(db, LATER)
        assert asset.one(db, gw).exposure == "public"


statements = st.lists(
    st.tuples(
        st.dates(date(2026, 1, 1), date(2026, 1, 20)), st.sampled_from(["public", "internal", "unknown"])
    ),
    max_size=6,
)


@given(statements, st.dates(date(2025, 12, 30), date(2026, 1, 25)))
def test_a_tag_and_a_due_date_see_one_exposure_whatever_the_order_of_what_was_said(
    words: list[tuple[date, str]], day: date
) -> None:
    said = tuple(words)
    facts = due.facts_of(
        due.FlawDates("CVE-2026-1", None, None, "", "", ""), said, day, 0, due.Loaded(True, True)
    )
    seen = {"yes": "public", "no": "internal", "unknown": "unknown"}[on(facts, day)["exposed"].value]
    assert due.exposed_on(said, day) == seen
