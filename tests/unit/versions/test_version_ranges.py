"""OSV ranges as intervals: the toggle of the OSV schema, and where implementations stumble."""

from __future__ import annotations

import pytest

from clearway.records.advisory import Event
from clearway.records.errors import VersionUnreadableError
from clearway.versions import intervals, key
from clearway.versions.ranges import EVER, FOREVER, Interval, contains


def events(*texts: str) -> list[Event]:
    """Events from "introduced 1.0" and the like."""
    kinds = {"introduced": "introduced", "fixed": "fixed", "last_affected": "last_affected", "limit": "limit"}
    return [Event(kinds[text.split()[0]], text.split()[1]) for text in texts]  # type: ignore[arg-type]


def shown(found: tuple[Interval, ...]) -> list[str]:
    return [f"{i.introduced} {i.end_kind} {i.end}".strip() for i in found]


def test_introduced_0_is_before_every_version_even_below_pre_releases_of_0() -> None:
    found = intervals("go", events("introduced 0", "fixed 1.2.0"))
    assert found[0].lo == EVER
    assert contains("go", "v0.0.0-20210101000000-abcdefabcdef", found)


def test_introduced_x_fixed_x_is_empty() -> None:
    assert intervals("semver", events("introduced 1.0.0", "fixed 1.0.0")) == ()
    assert intervals("semver", events("introduced 1.0", "fixed 1.0.0")) == ()


def test_fixed_x_introduced_x_joins_two_ranges() -> None:
    found = intervals("semver", events("introduced 0", "fixed 1.0.0", "introduced 1.0.0", "fixed 2.0.0"))
    assert shown(found) == ["0 fixed 2.0.0"]


def test_events_out_of_version_order_are_sorted() -> None:
    found = intervals("semver", events("fixed 2.0.0", "introduced 1.10.0", "fixed 1.9.3", "introduced 1.9.0"))
    assert shown(found) == ["1.9.0 fixed 1.9.3", "1.10.0 fixed 2.0.0"]


def test_overlapping_pairs_follow_the_toggle() -> None:
    found = intervals("semver", events("introduced 0", "introduced 1.0.0", "fixed 2.0.0", "fixed 3.0.0"))
    assert shown(found) == ["0 fixed 2.0.0"]


def test_last_affected_is_inside_and_names_no_fix() -> None:
    found = intervals("pypi", events("introduced 1.0", "last_affected 1.5"))
    assert found == (Interval(key("pypi", "1.0"), key("pypi", "1.5") + b"\0", "1.0", "1.5", "last_affected"),)
    assert contains("pypi", "1.5.0", found)
    assert not contains("pypi", "1.5.post1", found)


def test_last_affected_below_introduced_ends_nothing() -> None:
    assert shown(intervals("semver", events("introduced 2.0.0", "last_affected 1.0.0"))) == ["2.0.0"]


def test_introduced_and_last_affected_at_one_version_hold_that_version_alone() -> None:
    found = intervals("semver", events("introduced 1.0.0", "last_affected 1.0.0"))
    assert contains("semver", "1.0.0", found)
    assert not contains("semver", "1.0.1-0", found)


def test_last_affected_x_introduced_x_joins_two_ranges() -> None:
    found = intervals(
        "semver", events("introduced 0", "last_affected 1.0.0", "introduced 1.0.0", "fixed 2.0.0")
    )
    assert shown(found) == ["0 fixed 2.0.0"]


def test_no_upper_end_says_that_no_fix_is_known() -> None:
    found = intervals("semver", events("introduced 1.0.0"))
    assert found == (Interval(key("semver", "1.0.0"), FOREVER, "1.0.0", "", ""),)


def test_a_range_that_nothing_introduces_is_empty() -> None:
    assert intervals("semver", events("fixed 1.0.0")) == ()
    assert intervals("semver", events("limit 1.0.0")) == ()
    assert intervals("semver", []) == ()


def test_a_limit_cuts_off_and_is_no_fix() -> None:
    found = intervals("semver", events("introduced 0", "limit 2.0.0"))
    assert shown(found) == ["0 limit 2.0.0"]
    assert not contains("semver", "2.0.0", found)


def test_of_several_limits_the_highest_counts_and_a_star_is_none() -> None:
    assert shown(intervals("semver", events("introduced 0", "limit 2.0.0", "limit 1.0.0"))) == [
        "0 limit 2.0.0"
    ]
    assert shown(intervals("semver", events("introduced 0", "limit 2.0.0", "limit *"))) == ["0"]


def test_a_limit_drops_and_shortens_later_ranges() -> None:
    pairs = events("introduced 1.0.0", "fixed 1.5.0", "introduced 2.0.0", "fixed 2.5.0", "introduced 3.0.0")
    assert shown(intervals("semver", [*pairs, *events("limit 2.2.0")])) == [
        "1.0.0 fixed 1.5.0",
        "2.0.0 limit 2.2.0",
    ]


def test_an_unreadable_end_leaves_the_range_undetermined() -> None:
    with pytest.raises(VersionUnreadableError, match="nightly"):
        intervals("bitnami", events("introduced nightly.2026-03-10.0"))


def test_an_end_from_before_pep_440_lies_below_all_valid_versions() -> None:
    found = intervals("pypi", events("introduced 0", "fixed 2019-09-12"))
    assert not contains("pypi", "0.0.1.dev1", found)


def test_an_installed_version_that_is_not_pep_440_is_unknown() -> None:
    with pytest.raises(VersionUnreadableError):
        contains("pypi", "0.1-bulbasaur", intervals("pypi", events("introduced 0", "fixed 1.0")))


def test_a_bitnami_revision_of_the_fixed_version_is_fixed() -> None:
    found = intervals("bitnami", events("introduced 1.0.0", "fixed 1.2.3"))
    assert contains("bitnami", "1.2.2-9", found)
    assert not contains("bitnami", "1.2.3-4", found)


def test_an_epoch_puts_a_version_above_fixes_without_one() -> None:
    found = intervals("rpm", events("introduced 0", "fixed 1:6.1.2-10"))
    assert not contains("rpm", "1:6.1.2-10", found)
    assert contains("rpm", "6.1.2-10", found)


def test_a_composer_version_without_its_zeros_is_the_fixed_one() -> None:
    found = intervals("composer", events("introduced 0", "fixed 5.4.0"))
    assert not contains("composer", "v5.4", found)


class TestWithoutKeys:
    """pacman: the same answers from texts, by comparison."""

    def test_ranges_carry_texts_and_empty_keys(self) -> None:
        found = intervals("pacman", events("introduced 0", "fixed 1.5-2", "introduced 2.0-1"))
        assert found == (Interval(b"", b"", "0", "1.5-2", "fixed"), Interval(b"", b"", "2.0-1", "", ""))

    def test_contains_compares(self) -> None:
        found = intervals(
            "pacman", events("introduced 1.0-1", "fixed 1.5-2", "introduced 2.0-1", "last_affected 2.1-1")
        )
        inside = ["1.0-1", "1.5-1", "2.1-1", "2.1"]
        outside = ["0.9-1", "1.5-2", "1.6-1", "2.1-2", "1:1.0-1"]
        assert [v for v in inside + outside if contains("pacman", v, found)] == inside

    def test_limits_hold(self) -> None:
        pairs = events("introduced 0", "fixed 1.5-1", "introduced 2.0-1", "limit 1.6-1")
        assert shown(intervals("pacman", pairs)) == ["0 fixed 1.5-1"]
        assert shown(intervals("pacman", events("introduced 0", "last_affected 2-1", "limit 1-1"))) == [
            "0 limit 1-1"
        ]
        assert shown(intervals("pacman", events("introduced 0", "limit 1-1", "limit *"))) == ["0"]

    def test_empty_and_joined_ranges_toggle_alike(self) -> None:
        assert intervals("pacman", events("introduced 1-1", "fixed 1-1")) == ()
        joined = events("introduced 0", "fixed 1-1", "introduced 1-1", "fixed 2-1")
        assert shown(intervals("pacman", joined)) == ["0 fixed 2-1"]
