"""Since when something was known, and what was due before that."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from clearway.exposure.fleet.listed import before_listed, known_since


@given(st.dates(), st.dates(), st.dates())
def test_what_was_due_on_a_day_on_which_it_was_known_in_either_way_is_late(
    due: date, first_seen: date, detected: date
) -> None:
    known = known_since(first_seen, detected)
    assert before_listed(due, known) is (due < first_seen and due < detected)


def test_a_scanner_that_had_found_it_in_time_makes_it_late_although_it_was_listed_years_after() -> None:
    known = known_since(date(2026, 11, 26), date(2023, 6, 3))
    assert not before_listed(date(2023, 6, 5), known)
    assert before_listed(date(2023, 6, 2), known)
    assert not before_listed(None, known)
