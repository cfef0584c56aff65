"""What every version order promises: total, transitive, prefix-free, and never at the ends."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import KEYED, texts

from clearway.records.errors import VersionUnreadableError
from clearway.versions import MAX_LENGTH, compare, key, range_key


@pytest.mark.parametrize("scheme", KEYED)
def test_keys_are_prefix_free_and_within_the_ends(scheme: str) -> None:
    @settings(max_examples=30)
    @given(st.lists(texts(scheme), min_size=2, max_size=6))
    def holds(found: list[str]) -> None:
        keys = {key(scheme, text) for text in found}
        for one in keys:
            assert b"" < one < b"\xff"
        for one, two in itertools.permutations(keys, 2):
            assert not two.startswith(one)
            # so "up to and including one" ends between them
            assert (two < one + b"\0") == (two < one)

    holds()


@pytest.mark.parametrize("scheme", KEYED)
def test_compare_is_a_total_order_and_agrees_with_keys(scheme: str) -> None:
    @settings(max_examples=30)
    @given(texts(scheme), texts(scheme), texts(scheme))
    def holds(a: str, b: str, c: str) -> None:
        assert compare(scheme, a, a) == 0
        assert compare(scheme, a, b) == -compare(scheme, b, a)
        low, middle, high = sorted((a, b, c), key=lambda text: key(scheme, text))
        assert compare(scheme, low, middle) <= 0 >= compare(scheme, middle, high)
        assert compare(scheme, low, high) <= 0

    holds()


@pytest.mark.parametrize("scheme", KEYED)
def test_a_readable_version_has_the_same_key_as_the_end_of_a_range(scheme: str) -> None:
    @settings(max_examples=20)
    @given(texts(scheme))
    def holds(text: str) -> None:
        assert range_key(scheme, text) == key(scheme, text)

    holds()


@pytest.mark.parametrize("scheme", KEYED)
def test_any_text_gives_a_key_or_a_refusal(scheme: str) -> None:
    @settings(max_examples=40)
    @given(st.text(max_size=40))
    def holds(text: str) -> None:
        for function in (key, range_key):
            try:
                made = function(scheme, text)
            except VersionUnreadableError:
                continue
            assert 0 < len(made) <= 8 * MAX_LENGTH
            assert made[0] != 0xFF

    holds()


@settings(max_examples=150)
@given(
    st.text("0123456789ab.-:~+", min_size=1, max_size=8), st.text("0123456789ab.-:~+", min_size=1, max_size=8)
)
def test_pacman_compares_both_ways_alike(a: str, b: str) -> None:
    try:
        forth = compare("pacman", a, b)
    except VersionUnreadableError:
        return
    assert forth in (-1, 0, 1)
    assert compare("pacman", b, a) == -forth or forth == 0


ALIKE = {
    "semver": ("1.2.0", "1.2", "v1.2.0+build"),
    "pypi": ("1.0", "1.0.0", "v1.0"),
    "maven": ("1.0", "1", "1.0.Final"),
    "dpkg": ("1.0", "0:1.0-0"),
    "rpm": ("1.0", "0:1_0", "1.00"),
    "nuget": ("1.0-A", "1.0.0.0-a+b"),
    "composer": ("1.0", "v1.0.0.0"),
    "rubygems": ("1.0", "1.0.0"),
    "cran": ("1.0-1", "1.0.1"),
}


@pytest.mark.parametrize("scheme", ALIKE)
def test_equal_versions_stand_alike_to_every_other(scheme: str) -> None:
    @settings(max_examples=30)
    @given(texts(scheme))
    def holds(other: str) -> None:
        assert len({compare(scheme, text, other) for text in ALIKE[scheme]}) == 1

    holds()
