"""Cursors: what was sealed opens for exactly what it was sealed for, and for nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearway.http.cursor import GOOD_FOR_H, Sealer
from clearway.records.errors import CursorError

KEYS = {1: bytes(range(64)), 2: bytes(range(1, 65))}
values = st.lists(st.one_of(st.text(max_size=40), st.integers(-(2**63), 2**63 - 1), st.none()), max_size=3)
bounds = st.lists(st.text(max_size=30), min_size=1, max_size=4)


def sealer(at: float = 1e9, keys: dict[int, bytes] | None = None) -> Sealer:
    return Sealer(keys or KEYS, now=lambda: at)


@given(values, bounds)
def test_a_cursor_opens_to_its_values(found: list[object], bound: list[str]) -> None:
    assert sealer().open(sealer().seal(found, bound), bound) == found


@given(values, bounds, bounds)
def test_a_cursor_opens_for_nothing_else(found: list[object], bound: list[str], other: list[str]) -> None:
    assume(bound != other)
    cursor = sealer().seal(found, bound)
    with pytest.raises(CursorError):
        sealer().open(cursor, other)


@given(values, bounds, st.data())
def test_a_cursor_that_is_changed_anywhere_does_not_open(
    found: list[object], bound: list[str], data: st.DataObject
) -> None:
    raw = bytearray(base64.urlsafe_b64decode(sealer().seal(found, bound) + "=="))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CursorError):
        sealer().open(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), bound)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(CursorError) as refused:
        sealer().open(text, ["list"])
    assert refused.value.where == "cursor"


def test_a_cursor_is_good_for_a_day() -> None:
    cursor = sealer(1e9).seal(["a"], ["list"])
    assert sealer(1e9 + GOOD_FOR_H * 3600).open(cursor, ["list"]) == ["a"]
    with pytest.raises(CursorError):
        sealer(1e9 + (GOOD_FOR_H + 2) * 3600).open(cursor, ["list"])


def test_a_new_key_seals_and_the_one_before_it_still_opens() -> None:
    old, both, new = sealer(keys={1: KEYS[1]}), sealer(), sealer(keys={2: KEYS[2]})
    cursor = old.seal(["a"], ["list"])
    assert both.open(cursor, ["list"]) == ["a"]
    assert new.open(both.seal(["a"], ["list"]), ["list"]) == ["a"]
    with pytest.raises(CursorError):
        new.open(cursor, ["list"])


def test_one_place_has_one_cursor() -> None:
    assert sealer().seal(["a", 1], ["list"]) == sealer().seal(["a", 1], ["list"])


def test_the_spelling_of_a_cursor_is_one_only() -> None:
    cursor = sealer().seal(["a"], ["list"])
    for other in (cursor + "=", cursor + "\n", cursor[:4] + "!" + cursor[4:], cursor + "AAAA"):
        with pytest.raises(CursorError):
            sealer().open(other, ["list"])
