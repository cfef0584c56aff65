"""When a feed is stale, and spans of time as they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from clearway.advisories.feeds.feed import HABITS, LAYOUTS, FeedStatus, seconds, span, staleness
from clearway.records.errors import UsageError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FEED = FeedStatus(
    name="kev", layout="kev", added=NOW, every_s=3600, stale_after_s=86_400, oldest_s=10 * 86_400
)


def test_a_new_feed_has_its_limit_to_be_reached_in() -> None:
    assert staleness(FEED, NOW + timedelta(hours=23)) == ""
    assert staleness(FEED, NOW + timedelta(hours=25)) == "never reached; its limit is 1d"


def test_a_feed_that_answers_is_stale_when_what_it_says_is_old() -> None:
    good = replace(FEED, good=NOW)
    assert staleness(replace(good, dated="2026-11-20"), NOW) == ""
    assert staleness(replace(good, dated="2026-11-10T00:00:00Z"), NOW) == (
        "its publisher's newest date is 2026-11-10; its limit is 10d"
    )
    assert staleness(replace(good, dated="2026-11-10", oldest_s=0), NOW) == ""
    assert staleness(replace(good, dated="some day"), NOW) == ""


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_stale_feed_does_not_become_current_by_waiting(first: int, more: int) -> None:
    earlier, later = NOW + timedelta(seconds=first), NOW + timedelta(seconds=first + more)
    if staleness(FEED, earlier):
        assert staleness(FEED, later)


@given(st.integers(1, 10**7))
def test_a_span_is_read_as_it_is_written(value: int) -> None:
    assert seconds(span(value), "--every") == value


@pytest.mark.parametrize("text", ["", "d", "0h", "-1h", "1.5h", "1w", "h1", "²h", "9999999d", "1 h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--every"):
        seconds(text, "--every")


def test_every_layout_has_habits_in_which_it_is_pulled_before_it_is_stale() -> None:
    for layout in LAYOUTS:
        assert 2 * HABITS[layout].every_s <= HABITS[layout].stale_after_s
