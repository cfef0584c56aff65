"""Which version governs an organisation: the order of what bears on it never matters, strength and age do."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from clearway.directives.governing import DEFAULT, Bearing, directive_of, governing, rivals

bearings = st.lists(
    st.builds(
        Bearing,
        directive=st.sampled_from([DEFAULT, "water-rule", "fire-rule"]),
        version_id=st.integers(1, 50),
        version=st.just("1"),
        sha256=st.sampled_from([b"a", b"b"]),
        authority=st.integers(1, 3),
        standing=st.sampled_from(["binding", "adopted", "advisory"]),
        since=st.dates(date(2026, 1, 1), date(2026, 1, 5)),
        imported=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda b: b.version_id,
)


@given(bearings, st.randoms())
def test_the_order_in_which_versions_are_told_changes_nothing(found: list[Bearing], chance: object) -> None:
    other = list(found)
    chance.shuffle(other)  # type: ignore[attr-defined]
    for directive in (DEFAULT, "water-rule"):
        assert governing(found, directive) == governing(other, directive)
        assert rivals(found, directive) == rivals(other, directive)
    assert directive_of(found) == directive_of(other)


@given(bearings)
def test_an_import_never_goes_before_an_address_nor_a_weaker_or_younger_one_before_another(
    found: list[Bearing],
) -> None:
    strength = ["binding", "adopted", "advisory"]
    chosen = governing(found, DEFAULT)
    mine = [b for b in found if b.directive == DEFAULT]
    assert (chosen is None) is (not mine)
    for b in mine:
        assert chosen is not None
        assert chosen.imported <= b.imported
        if chosen.imported == b.imported:
            assert strength.index(chosen.standing) <= strength.index(b.standing)
            if chosen.standing == b.standing:
                assert chosen.since <= b.since


@given(bearings, st.sampled_from(["", DEFAULT, "water-rule"]))
def test_the_own_choice_is_the_directive_and_without_one_only_a_lone_binding_one_replaces_the_default(
    found: list[Bearing], chosen: str
) -> None:
    directive = directive_of(found, chosen)
    if chosen:
        assert directive == chosen
    elif directive != DEFAULT:
        assert not any(b.directive == DEFAULT for b in found)
        assert {b.directive for b in found if b.standing == "binding"} == {directive}


@given(bearings)
def test_versions_that_say_the_same_are_no_rivals(found: list[Bearing]) -> None:
    other = rivals(found, DEFAULT)
    assert len({b.sha256 for b in other}) == len(other) != 1
    assert not any(b.imported for b in other)
