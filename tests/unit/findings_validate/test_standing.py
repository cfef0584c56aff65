"""What a finding's validations come to: of one recipe the newest word counts, and nothing is lowered in silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate.standing import Tried, standing


def tried(*levels: tuple[int, int | None], recipe: str = "a", first: int = 1) -> list[Tried]:
    return [
        Tried(id=first + n, recipe=recipe, level=level, why=f"reason {first + n}", failed=failed)
        for n, (level, failed) in enumerate(levels)
    ]


def test_nothing_comes_to_nothing() -> None:
    assert (standing(()).level, standing(()).validation) == (0, None)


def test_a_newer_repeat_that_fails_lowers_and_says_so() -> None:
    found = standing(tried((2, 3), (2, 3), (2, 3), (2, 3), (0, 1)))
    assert (found.level, found.validation) == (0, 5)
    assert found.why == "lowered from E2: a repeat of the same recipe fails at E1: reason 5"


def test_one_that_looks_less_far_lowers_nothing() -> None:
    found = standing(tried((4, None), (1, None), (0, None)))
    assert (found.level, found.why) == (4, "reason 1")


def test_one_that_fails_higher_up_lowers_nothing() -> None:
    assert standing(tried((2, None), (2, 3))).level == 2


def test_one_that_meets_a_level_after_a_failure_is_told_with_it() -> None:
    found = standing(tried((0, 1), (2, None)))
    assert (found.level, found.validation) == (2, 2)
    assert found.why == "an earlier repeat of the same recipe failed at E1; reason 2"


def test_another_recipe_is_another_matter() -> None:
    found = standing([*tried((3, None)), *tried((0, 1), recipe="b", first=2)])
    assert (found.level, found.validation) == (3, 1)


def test_an_acceptance_falls_with_the_level_that_it_rests_on() -> None:
    assert standing(tried((6, None), (1, 2))).level == 1


VALIDATIONS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 6), st.booleans()
    ).map(lambda t: (t[0], t[1], t[1] + 1 if t[2] and t[1] < 6 else None)),
    max_size=8,
)  # fmt: skip


@given(VALIDATIONS)
def test_no_level_is_higher_than_was_reached_and_the_newest_failure_of_a_recipe_bounds_it(
    made: list[tuple[str, int, int | None]],
) -> None:
    all_of = [
        Tried(id=n, recipe=recipe, level=level, why="", failed=failed)
        for n, (recipe, level, failed) in enumerate(made)
    ]
    found = standing(all_of)
    assert found.level <= max((t.level for t in all_of), default=0)
    bounds = []
    for recipe in "ab":
        own = [t for t in all_of if t.recipe == recipe]
        if own and own[-1].failed is not None:
            bounds.append(own[-1].failed - 1)
        elif own:
            bounds.append(6)
    assert found.level <= max(bounds, default=0)
    assert standing(reversed(all_of)) == found
