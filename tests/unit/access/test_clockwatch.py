"""When a wall clock is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.access.clockwatch import BLIND, TOLERANCE, Database, Reading, doubt, read

T = datetime(2026, 12, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def reading(wall: datetime, up_s: float, boot: str = "a") -> Reading:
    return Reading(wall=wall, boot=boot, up_s=up_s)


@pytest.mark.parametrize(
    ("before", "now", "latest", "said"),
    [
        (None, reading(T, 5), None, ""),
        (reading(T, 5), reading(T + timedelta(seconds=10), 15), T, ""),
        (reading(T, 5), reading(T + timedelta(seconds=50), 15), None, ""),
        (reading(T, 5), reading(T + DAY, 15), None, "moved forward by 86390 s"),
        (reading(T, 5), reading(T - DAY, 15), None, "put back"),
        (reading(T, 5), reading(T, 5 + 86400), None, "moved back by 86400 s"),
        (reading(T, 500), reading(T + timedelta(minutes=3), 5, "b"), None, ""),
        (reading(T, 500), reading(T + DAY, 5, "b"), None, "started anew"),
        (reading(T, 500), reading(T - DAY, 5, "b"), None, "put back"),
        (None, reading(T, 5), T + DAY, "the log has an entry"),
        (reading(T, 5), reading(T + timedelta(seconds=10), 15), T + DAY, "the log has an entry"),
    ],
    ids=[
        "the first reading",
        "time passed",
        "slewed a little",
        "put forward by a day",
        "put back by a day",
        "stood still while the machine ran for a day",
        "a quick restart",
        "a day across a restart can be a jump",
        "put back across a restart",
        "behind the log at the first reading",
        "behind the log",
    ],
)
def test_a_clock_is_believed_or_not(
    before: Reading | None, now: Reading, latest: datetime | None, said: str
) -> None:
    found = doubt(before, now, latest)
    assert (said in found) if said else found == ""


@given(passed=st.integers(0, 10**7), jump=st.integers(-(10**7), 10**7))
def test_within_one_boot_every_jump_over_the_tolerance_is_seen(passed: int, jump: int) -> None:
    before = reading(T, 100.0)
    now = reading(T + timedelta(seconds=passed + jump), 100.0 + passed)
    if abs(jump) > TOLERANCE.total_seconds():
        assert doubt(before, now)
    elif passed + jump >= -TOLERANCE.total_seconds():
        assert doubt(before, now) == ""


@given(passed=st.integers(0, 10**7))
def test_across_a_restart_only_a_short_time_is_believed(passed: int) -> None:
    found = doubt(reading(T, 100.0), reading(T + timedelta(seconds=passed), 1.0, "b"))
    assert bool(found) == (passed > BLIND.total_seconds())


@given(steps=st.lists(st.integers(-59, 59), min_size=1, max_size=40))
def test_steps_add_up_from_where_the_clock_was_first_believed(steps: list[int]) -> None:
    anchor = before = reading(T, 100.0)
    moved = 0
    for count, step in enumerate(steps, 1):
        moved += step
        now = reading(T + timedelta(seconds=60 * count + moved), 100.0 + 60 * count)
        found = doubt(before, now, anchor=anchor)
        assert bool(found) == (abs(moved) > 60), (moved, found)
        if found:
            return
        before = now


OTHER = reading(T + timedelta(minutes=51), 12_345.0, "b")


@pytest.mark.parametrize(
    ("now", "database", "said"),
    [
        (reading(T + timedelta(minutes=2), 40, "b"), None, ""),
        (reading(T + timedelta(minutes=2), 40, "b"), (timedelta(minutes=2), timedelta(minutes=1)), ""),
        (reading(T + timedelta(minutes=5), 40, "b"), None, "another one took over"),
        (OTHER, None, "another one took over"),
        (OTHER, (timedelta(minutes=51), timedelta(minutes=50)), "another one took over"),
        (OTHER, (timedelta(minutes=51), -DAY), ""),
        (OTHER, (timedelta(seconds=5), -DAY), "the database's 2026-12-04 00:00:05"),
        (reading(T + timedelta(seconds=62), 67), (timedelta(0), -DAY), "the database's"),
        (reading(T + timedelta(seconds=62), 67), (timedelta(seconds=3), -DAY), ""),
    ],
    ids=[
        "the everyday restart of two minutes",
        "the same, with the embedded server",
        "five minutes ahead after a restart",
        "another machine, 51 minutes ahead",
        "the same with its own database, which has started with it",
        "another machine takes over after 51 minutes, and the database ran all the while",
        "another machine, 51 minutes ahead of the database",
        "62 seconds ahead of the database",
        "59 seconds ahead of the database",
    ],
)
def test_the_databases_clock_vouches_or_contradicts(
    now: Reading, database: tuple[timedelta, timedelta] | None, said: str
) -> None:
    beside = None if database is None else Database(wall=T + database[0], since=T + database[1])
    found = doubt(reading(T, 5), now, database=beside)
    assert (said in found) if said else found == ""


def test_this_machines_clocks_can_be_read_and_agree() -> None:
    first = read()
    assert doubt(first, read()) == ""
