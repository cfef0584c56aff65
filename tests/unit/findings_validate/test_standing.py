"""What a finding's validations come to: of one recipe the newest word counts, and nothing is lowered in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate.standing import Tried, standing


def tried(*levels: tuple[int, int | None], recipe: str = "a", first: int = 1) -> list[Tried]:
    return [
        Tried(id=first + n, recipe=recipe, level=level, why=f"reason {first + n}", failed=failed)
        for n, (level, failed) in enumerate(levels)
    ]


DAY = datetime(2026, 3, 1, tzinfo=UTC)


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def one(hour: float, level: int, failed: int | None = None, **more: object) -> Tried:
    """Asked on the hour, done half an hour later."""
    made = {
        "id": int(hour * 10),
        "recipe": "a",
        "why": "reason",
        "asked": at(hour),
        "ended": at(hour + 0.5),
        **more,
    }
    return Tried(level=level, failed=failed, **made)  # type: ignore[arg-type]


def test_a_level_that_a_repeat_lowered_comes_back_with_a_reason_alone() -> None:
    lowered = [one(1, 3), one(2, 0, 1)]
    assert standing(lowered).held == 0
    found = standing([*lowered, one(3, 3), one(4, 4)])
    assert (found.level, found.held) == (0, 0)
    assert found.why.startswith(
        "a repeat without a reason met E4, which was lowered or taken back before; lowered"
    )
    again = standing([*lowered, one(3, 3), one(4, 3, reason=True)])
    assert (again.level, again.held) == (3, None)
    assert standing([*lowered, one(4, 3, reason=True), one(5, 4)]).level == 4, "nothing is held down any more"


def test_a_reason_for_less_gives_back_no_more_than_it_showed() -> None:
    found = standing([one(1, 3), one(2, 0, 1), one(3, 1, reason=True), one(4, 3)])
    assert (found.level, found.held) == (1, 1)


def test_what_was_taken_back_does_not_come_back_by_the_same_trial() -> None:
    taken = one(1, 3, revoked=at(2))
    assert (standing([taken]).level, standing([taken]).held) == (0, 0)
    assert standing([taken, one(3, 3)]).level == 0
    assert standing([taken, one(3, 3, recipe="cosmetically another")]).level == 0
    assert standing([taken, one(3, 3, reason=True)]).level == 3


def test_a_trial_that_ran_while_evidence_was_taken_back_is_none_after_it() -> None:
    assert standing([one(1, 3, revoked=at(2.2)), one(2, 3, reason=True)]).level == 0


def test_a_reason_from_before_is_none_for_what_came_after() -> None:
    assert standing([one(1, 2, reason=True), one(2, 1, 2), one(3, 2)]).level == 1


def test_evidence_that_stands_beside_what_was_taken_back_holds() -> None:
    found = standing([one(1, 2), one(2, 3, recipe="b", revoked=at(3)), one(4, 3, recipe="b"), one(5, 2)])
    assert (found.level, found.validation) == (2, 50)


def test_a_recipe_that_was_lowered_stays_down_behind_another_that_holds() -> None:
    held = [one(1, 3), one(2, 3, recipe="b"), one(3, 0, 1), one(4, 3)]
    assert (standing(held).level, standing(held).validation) == (3, 20)
    gone = [held[0], one(2, 3, recipe="b", revoked=at(5)), *held[2:]]
    assert standing(gone).level == 0


def test_what_never_held_is_no_level_that_was_lowered() -> None:
    assert standing([one(1, 1, 2), one(2, 3)]).level == 3


@pytest.mark.parametrize("level", [4, 5, 6])
def test_an_acceptance_of_what_is_held_down_lifts_nothing(level: int) -> None:
    assert standing([one(1, 4), one(2, 1, 2), one(3, level)]).level == 1


def test_taking_a_failing_repeat_back_raises_nothing_by_itself() -> None:
    lowered = [one(1, 4), one(2, 0, 1, revoked=at(3))]
    found = standing(lowered)
    assert (found.level, found.held) == (0, 0)
    assert found.why.startswith("what lowered it from E4 was taken back: a trial with a reason is to tell")
    assert standing([*lowered, one(4, 4)]).level == 0
    assert standing([*lowered, one(4, 3, reason=True)]).level == 3
    assert standing([*lowered, one(4, 4, reason=True)]).held is None
    part = [one(1, 4), one(2, 0, 1, revoked=at(5)), one(3, 2, reason=True)]
    assert standing(part).level == 2, "what a reason has shown since stays"


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


TRIALS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 6), st.booleans(), st.booleans(), st.none() | st.integers(0, 9)
    ),
    max_size=8,
)


@given(TRIALS)
def test_without_a_reason_nothing_rises_over_where_it_was_lowered_to(
    made: list[tuple[str, int, bool, bool, int | None]],
) -> None:
    all_of = [
        one(
            n, level, level + 1 if fails and level < 6 else None, recipe=recipe, reason=reason,
            revoked=None if back is None else at(n + 0.7 + back),
        )
        for n, (recipe, level, fails, reason, back) in enumerate(made)
    ]  # fmt: skip
    now = standing(all_of)
    assert now.level <= max((t.level for t in all_of if t.revoked is None), default=0)
    assert standing(reversed(all_of)) == now
    last = at(40)
    repeats = [one(50 + n, 6, recipe=recipe) for n, recipe in enumerate("abc")]
    after = standing([*all_of, *repeats])
    for back in (t for t in all_of if t.revoked is None):
        gone = [msgspec.structs.replace(t, revoked=last) if t is back else t for t in all_of]
        assert standing(gone).level <= now.level
    if now.held is not None and now.held == now.level:
        assert after.level == now.level
    taken = standing([*all_of, one(30, 6, recipe="c", revoked=last), *repeats])
    assert taken.level <= now.level
    assert standing([*all_of, *repeats, one(60, 6, reason=True)]).level == 6
