"""What shared keys suggest, and when a flaw has come back."""

from __future__ import annotations

import pytest

from clearway.findings.dedup.cascade import Keyed, relate, returns
from clearway.findings.dedup.keys import Key


def keyed(*keys: str, fired: bool = False) -> Keyed:
    return Keyed(keys=frozenset(Key(k.split()[0], "v1", k.split()[1]) for k in keys), fired=fired)  # type: ignore[arg-type]


def test_the_strongest_shared_key_is_the_reason() -> None:
    found = relate(keyed("crash 1", "place 2"), keyed("crash 1", "place 2", "stack 9"))
    assert found is not None
    assert (found.verdict, found.basis) == ("likely", "crash")


def test_nothing_shared_says_nothing() -> None:
    assert relate(keyed("crash 1"), keyed("crash 2", "place 1")) is None


def test_the_same_input_that_fired_for_both_in_one_state_is_one_flaw() -> None:
    both = ("input 1", "crash 2")
    assert (found := relate(keyed(*both, fired=True), keyed(*both, fired=True)))
    assert found.verdict == "same"
    assert (found := relate(keyed(*both, fired=True), keyed(*both)))
    assert found.verdict == "likely"
    other = keyed("input 1", "crash 3", fired=True)
    assert (found := relate(keyed(*both, fired=True), other))
    assert found.verdict == "likely"


def test_keys_of_two_versions_are_not_compared() -> None:
    old = Keyed(keys=frozenset({Key("crash", "v0", "1")}))
    assert relate(keyed("crash 1"), old) is None


@pytest.mark.parametrize(
    ("release", "fixed", "back"),
    [
        ("1.3.0", ("1.2.3",), True),
        ("1.2.3", ("1.2.3",), True),
        ("1.2.2", ("1.2.3",), False),
        ("1.9.9", ("1.2.3", "2.0.1"), False),  # an old branch whose fix is not told
        ("2.1.0", ("1.2.3", "2.0.1"), True),
        ("", ("1.2.3",), False),
        ("1.3.0", (), False),
        ("not a version", ("1.2.3",), False),
    ],
)
def test_a_fixed_flaw_that_fires_in_a_fixed_release_has_come_back(
    release: str, fixed: tuple[str, ...], back: bool
) -> None:
    assert returns("PyPI", release, fixed) is back
