"""A pre-release is no fix to offer where a later range of the same record ends in a release."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.table import IntervalTuple
from clearway.exposure.fixes import offered, release_after
from clearway.versions import key

Ends = list[tuple[str, str, str]]


def ranges(*ends: tuple[str, str, str]) -> list[IntervalTuple]:
    return [(key("pypi", lo), key("pypi", hi), lo, hi, kind) for lo, hi, kind in ends]


def test_the_release_that_a_later_range_ends_in_is_offered_to_who_runs_what_a_pre_release_ends() -> None:
    made = ranges(("0", "2.0b1", "fixed"), ("2.0b2", "2.0.1", "fixed"))
    assert release_after("PyPI", made[0], made) == ("2.0b1", "2.0.1")
    assert offered("PyPI", release_after("PyPI", made[0], made)).versions == ("2.0.1",)
    assert release_after("PyPI", made[1], made) == ("2.0.1",)


def test_of_several_later_releases_the_next_counts_and_none_that_a_range_holds() -> None:
    made = ranges(("0", "2.0b1", "fixed"), ("2.0b2", "2.0.1", "fixed"), ("3.0", "3.0.4", "fixed"))
    assert release_after("PyPI", made[0], made) == ("2.0b1", "2.0.1")
    held = ranges(("0", "2.0b1", "fixed"), ("2.0b2", "2.0.1", "fixed"), ("2.0.1", "2.0.3", "fixed"))
    assert release_after("PyPI", held[0], held) == ("2.0b1", "2.0.3")


def test_a_pre_release_is_all_there_is_where_the_record_names_no_release_after_it() -> None:
    for made in (
        ranges(("0", "2.0b1", "fixed")),
        ranges(("1.5", "2.0b1", "fixed"), ("0", "1.4.2", "fixed")),
        ranges(("0", "2.0b1", "fixed"), ("2.0b2", "2.0.1", "last_affected")),
    ):
        assert release_after("PyPI", made[0], made) == ("2.0b1",)
        assert offered("PyPI", release_after("PyPI", made[0], made)).prerelease
    open_end = ranges(("0", "2.0", "last_affected"))
    assert release_after("PyPI", open_end[0], open_end) == ()


numbers = st.integers(0, 6)
versions = st.builds(lambda a, b, early: f"{a}.{b}{'b1' if early else ''}", numbers, numbers, st.booleans())


@given(st.lists(st.tuples(versions, versions), min_size=1, max_size=6))
def test_what_is_named_lies_in_no_range_of_the_record_unless_it_is_the_ranges_own_end(
    pairs: list[tuple[str, str]],
) -> None:
    made = [r for r in ranges(*((a, b, "fixed") for a, b in pairs)) if r[0] < r[1]]
    for holding in made:
        own, *more = release_after("PyPI", holding, made)
        assert own == holding[3]
        for text in more:
            assert key("pypi", text) > holding[1]
            assert not any(lo <= key("pypi", text) < hi for lo, hi, *_ in made)
