"""An embargo ends by an act, at its hour, unless the clock can't be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearway.access import audience, embargo
from clearway.access.clockwatch import Reading
from clearway.access.marking import Marking
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from people import People, Somebody

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def coordinator(people: People) -> Somebody:
    return people.somebody(people.house, "coordinator")


@pytest.fixture
def kept(people: People, coordinator: Somebody) -> embargo.Embargo:
    with people.owner() as db:
        db.execute(
            """create table clearway.probe (id int generated always as identity primary key, org int not null,
                aud clearway.audience_id not null)"""
        )
        db.execute("select clearway.govern('clearway.probe')")
    with people.acting(coordinator) as db:
        made = embargo.add(db, people.house, "case 1")
    with people.owner() as db:
        aud = audience.of(db, Marking(tlp="GREEN", embargo=made.embargo))
        db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (people.house, aud))
    return made


def look(wall: datetime, up_s: float, boot: str = "a") -> Reading:
    return Reading(wall=wall, boot=boot, up_s=up_s)


def shown(people: People, who: Somebody | None) -> int:
    with people.acting(who) as db:
        row = db.execute("select count(*) from clearway.probe").fetchone()
    assert row is not None
    return int(row[0])


def acts(people: People) -> list[Any]:
    with people.owner() as db:
        return [
            r[0]
            for r in db.execute(
                "select act from clearway.log_entry where act like 'embargo.%' order by entry"
            )
        ]


def test_its_parties_see_it_and_nobody_else(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    a, b = people.org("a"), people.org("b")
    party, outsider = people.somebody(a, "operator"), people.somebody(b, "operator")
    assert [shown(people, w) for w in (coordinator, party, outsider, None)] == [1, 0, 0, 0]
    with people.acting(coordinator) as db:
        embargo.set_party(db, kept.embargo, org=a)
    assert [shown(people, w) for w in (coordinator, party, outsider, None)] == [1, 1, 0, 0]
    with people.acting(party) as db:
        assert [e.name for e in embargo.listed(db)] == ["case 1"]
    with pytest.raises(NotFoundError), people.acting(outsider) as db:
        embargo.one(db, kept.embargo)
    with people.acting(coordinator) as db:
        embargo.set_party(db, kept.embargo, org=a, party=False)
    assert shown(people, party) == 0


def test_it_ends_at_its_hour_by_a_logged_act(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    outsider = people.somebody(people.org("b"), "operator")
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW)
    with people.owner() as db:
        assert embargo.carry_out(db, look(NOW, 100)) == ()
        assert embargo.carry_out(db, look(NOW + timedelta(minutes=59), 100 + 59 * 60)) == ()
    assert shown(people, outsider) == 0
    with people.owner() as db:
        (ended,) = embargo.carry_out(db, look(NOW + HOUR, 100 + 3600))
        assert ended.ended_by is not None
        assert embargo.carry_out(db, look(NOW + 2 * HOUR, 100 + 7200)) == ()
    assert shown(people, outsider) == 1
    assert shown(people, None) == 0  # GREEN is what was beneath
    assert acts(people) == ["embargo.added", "embargo.armed", "embargo.released"]


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (look(NOW + timedelta(days=1), 110), "moved forward"),
        (look(NOW + 2 * HOUR, 5, "b"), "started anew"),
    ],
    ids=["put forward", "after a restart that may hide a jump"],
)
def test_a_clock_that_can_not_be_believed_freezes_it_and_says_why(
    people: People, coordinator: Somebody, kept: embargo.Embargo, now: Reading, why: str
) -> None:
    outsider = people.somebody(people.org("b"), "operator")
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW)
    with people.owner() as db:
        embargo.carry_out(db, look(NOW, 100))
        (frozen,) = embargo.carry_out(db, now)
        assert why in frozen.frozen
        assert frozen.ended_by is None
    assert shown(people, outsider) == 0
    assert acts(people)[-1] == "embargo.frozen"
    with people.owner() as db:  # it stays frozen, whatever the clock says later
        assert embargo.carry_out(db, look(NOW + timedelta(days=2), now.up_s + 3600, now.boot)) == ()
    with people.acting(coordinator) as db:  # a person decides
        assert embargo.release(db, kept.embargo, "the hour has come, by three clocks").ended_by is not None
    assert shown(people, outsider) == 1


def test_a_log_from_the_future_freezes_it(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW)
    with people.owner() as db:
        (frozen,) = embargo.carry_out(db, look(NOW + 2 * HOUR, 100), NOW + timedelta(days=3))
        assert "the log has an entry" in frozen.frozen


def test_public_exploitation_ends_it_early_only_where_that_was_armed(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    with people.owner() as db:
        assert embargo.exploited(db, kept.embargo, "KEV 2026-12-01") is False
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW, on_exploitation=True)
    with people.owner() as db:
        assert embargo.exploited(db, kept.embargo, "KEV 2026-12-01") is True
        assert embargo.exploited(db, kept.embargo, "KEV 2026-12-01") is False


def test_only_its_coordinators_arm_and_release_it(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    a = people.org("a")
    party = people.somebody(a, "operator", "coordinator")  # coordinates at home, not here
    with people.acting(coordinator) as db:
        embargo.set_party(db, kept.embargo, person=party.person)
    with pytest.raises(NotFoundError), people.acting(party) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW)
    with pytest.raises(ForbiddenError), people.acting(party) as db:
        embargo.release(db, kept.embargo, "I want to")
    with pytest.raises(ForbiddenError), people.acting(party) as db:
        embargo.add(db, people.house, "mine")


def test_an_hour_has_a_zone_and_lies_ahead_and_an_end_is_an_end(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    with pytest.raises(InputError, match="zone"), people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, datetime(2027, 1, 1), now=NOW)
    with pytest.raises(InputError, match="passed"), people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW - HOUR, now=NOW)
    with people.acting(coordinator) as db:
        embargo.release(db, kept.embargo, "done")
    with pytest.raises(ConflictError), people.acting(coordinator) as db:
        embargo.release(db, kept.embargo, "again")
    with pytest.raises(NotFoundError), people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + HOUR, now=NOW)
