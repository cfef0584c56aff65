"""An embargo ends by an act, at its hour, unless the clock can't be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.access import audience, clockwatch, embargo, tasks
from clearway.access.clockwatch import Database, Reading
from clearway.access.marking import Marking
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from people import People, Somebody

HOUR = timedelta(hours=1)
# Read when the tests are collected, and a run may take long: no hour that is given as one to come has passed by then.
NOW = datetime.now(UTC) + 2 * HOUR


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


MINUTE = timedelta(minutes=1)


def armed(people: People, coordinator: Somebody, kept: embargo.Embargo, ends: timedelta) -> None:
    """Armed, and the clock looked at once, by a machine that has run for 1,000 s."""
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, NOW + ends, now=NOW)
    with people.owner() as db:
        assert embargo.carry_out(db, look(NOW, 1_000)) == ()


@pytest.mark.parametrize(
    ("ends", "ahead", "up_s"),
    [(4, 5, 60), (50, 51, 12_345), (600, 51, 12_345), (50, 51, 30)],
    ids=[
        "five minutes ahead",
        "another machine's, 51 minutes ahead",
        "the same, and due much later",
        "a restart",
    ],
)
def test_no_clock_that_nobody_vouches_for_ends_it(
    people: People, coordinator: Somebody, kept: embargo.Embargo, ends: int, ahead: int, up_s: float
) -> None:
    armed(people, coordinator, kept, ends * MINUTE)
    with people.owner() as db:
        (frozen,) = embargo.carry_out(db, look(NOW + ahead * MINUTE, up_s, "b"), NOW)
        assert frozen.ended_by is None
        assert "another one took over" in frozen.frozen
        assert frozen.version > kept.version
        assert embargo.carry_out(db, look(NOW + ends * MINUTE + HOUR, up_s + 36_000, "b")) == ()


def test_a_clock_that_creeps_ends_nothing(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    armed(people, coordinator, kept, 24 * HOUR)
    wall, up_s = NOW, 1_000.0
    with people.owner() as db:
        while wall < NOW + 25 * HOUR:  # 59 s too much in each 5 s: a day within two hours
            wall, up_s = wall + timedelta(seconds=64), up_s + 5
            if acted := embargo.carry_out(db, look(wall, up_s), NOW):
                break
        assert wall >= NOW + 24 * HOUR
        assert acted[0].ended_by is None
        assert "forward" in acted[0].frozen
        row = db.execute("select high from clearway.clock_mark").fetchone()
    assert row is not None
    assert row[0] < NOW + 4 * HOUR, "time goes on by the machine's own count"


def test_an_everyday_restart_freezes_nothing_and_it_ends_at_its_hour(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    armed(people, coordinator, kept, HOUR)
    with people.owner() as db:
        assert embargo.carry_out(db, look(NOW + 2 * MINUTE, 50, "b"), NOW) == ()
        assert embargo.carry_out(db, look(NOW + 59 * MINUTE, 50 + 57 * 60, "b"), NOW) == ()
        (ended,) = embargo.carry_out(db, look(NOW + HOUR, 50 + 58 * 60, "b"), NOW)
    assert ended.ended_by is not None


def test_a_machine_whose_clock_is_not_the_databases_freezes_what_is_due_and_leaves_no_mark(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    armed(people, coordinator, kept, 2 * HOUR)
    beside = Database(wall=NOW + MINUTE, since=NOW - HOUR)
    with people.owner() as db:
        assert embargo.carry_out(db, look(NOW + HOUR, 9, "b"), NOW, beside) == (), "not due by either"
        # The machine with the right clock goes on as if the other had never been there.
        right = Database(wall=NOW + 2 * MINUTE, since=NOW - HOUR)
        assert embargo.carry_out(db, look(NOW + 2 * MINUTE, 1_120), NOW, right) == ()
        (frozen,) = embargo.carry_out(db, look(NOW + 3 * HOUR, 7_209, "b"), NOW, beside)
    assert frozen.ended_by is None
    assert "and the database's" in frozen.frozen


def test_another_machine_takes_over_after_hours_where_the_database_ran_on(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    armed(people, coordinator, kept, HOUR)
    beside = Database(wall=NOW + 3 * HOUR, since=NOW - HOUR)
    with people.owner() as db:
        (ended,) = embargo.carry_out(db, look(NOW + 3 * HOUR, 50, "b"), NOW, beside)
    assert ended.ended_by is not None


def test_the_loop_looks_at_both_clocks_and_freezes_nothing_that_is_right(
    people: People, coordinator: Somebody, kept: embargo.Embargo
) -> None:
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, datetime.now(UTC) + timedelta(seconds=1), now=datetime.now(UTC))
        db.execute("select pg_sleep(1.1)")
    tasks.embargoes(people.owner)
    with people.owner() as db:
        assert embargo.one(db, kept.embargo).ended_by is not None


# (true seconds since the last look, by how much the clock is moved meanwhile, whether the machine starts anew)
LOOKS = st.lists(
    st.tuples(
        st.sampled_from([5, 5, 120, 3_600]),
        st.sampled_from([0, 45, 59, 59, 170, 300, 3_000, 86_400, -59, -4_000]),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(looks=LOOKS)
def test_whatever_the_clock_does_it_ends_no_more_than_a_minute_and_three_for_each_restart_too_early(
    people: People, kept: embargo.Embargo, looks: list[tuple[int, int, bool]]
) -> None:
    with people.owner() as db, db.transaction(force_rollback=True):
        db.execute(
            "update clearway.embargo set until = %s where embargo = %s", (NOW + 9_999 * HOUR, kept.embargo)
        )
        embargo.carry_out(db, look(NOW, 1_000, "boot 0"))
        true, error, up_s, boot = NOW, 0, 1_000, 0
        for passed, moved, restart in looks:
            true, error = true + timedelta(seconds=passed), error + moved
            boot, up_s = (boot + 1, 1) if restart else (boot, up_s + passed)
            reading = look(true + timedelta(seconds=error), up_s, f"boot {boot}")
            with db.transaction(force_rollback=True):  # were it due by this clock
                db.execute(
                    "update clearway.embargo set until = %s where embargo = %s", (reading.wall, kept.embargo)
                )
                (acted,) = embargo.carry_out(db, reading)
            allowed = clockwatch.TOLERANCE * (boot + 1) + timedelta(minutes=3) * boot
            assert acted.ended_by is None or timedelta(seconds=error) <= allowed, looks
            if boot == 0 and abs(error) > 60:
                assert acted.frozen
            if embargo.carry_out(db, reading):
                return  # frozen long before its hour, and armed anew only by somebody who has looked


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
