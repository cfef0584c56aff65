"""Outcomes by how soon they are, whichever directive names them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.exposure.fleet import tiers


def test_an_outcome_of_ones_own_stands_between_those_of_the_standard() -> None:
    found = tiers.ordered({*tiers.STANDARD, "30D", "watch"})
    assert found == ("3DF", "3D", "14D", "30D", "60D", "watch", "FSU", "out_of_scope")


@pytest.mark.parametrize(
    ("code", "said"),
    [("30D", "30 days"), ("1D", "1 day"), ("3DF", "3 days, look for traces"), ("FSU", "With the next upgrade"),
     ("out_of_scope", "No rule"), ("watch", "watch"), ("7DF", "7DF")],
)  # fmt: skip
def test_a_code_is_shown_in_words_where_it_is_a_number_of_days(code: str, said: str) -> None:
    assert tiers.words(code) == said


@given(st.sets(st.text(min_size=1, max_size=20) | st.sampled_from(tiers.STANDARD)))
def test_no_code_is_lost_in_order(codes: set[str]) -> None:
    assert sorted(tiers.ordered(codes)) == sorted(codes)
