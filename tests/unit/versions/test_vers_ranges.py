"""`vers:` ranges: the canonical form, what is refused, and what a range holds."""

from __future__ import annotations

import pytest

from clearway.records.errors import ClearwayError, TooLargeError, VersionUnreadableError
from clearway.versions import key, vers
from clearway.versions.vers import Constraint, Vers, VersError


@pytest.mark.parametrize(
    "text",
    [
        "vers:npm/*",
        "vers:pypi/1.0",
        "vers:pypi/!=1.0|2.0",
        "vers:deb/>=1:1.0-1|<1:1.0-3~deb12u1",
        "vers:pypi/<1%212.0",
        "vers:alpm/<1.5-2",
        "vers:datetime/>=2024-01-01T00:00:00Z",
    ],
)
def test_a_canonical_range_prints_as_it_was_parsed(text: str) -> None:
    assert str(vers.parse(text)) == text


def test_an_epoch_mark_is_decoded_and_encoded_since_it_is_a_comparator_as_well() -> None:
    assert vers.parse("vers:pypi/<1%212.0").constraints == (Constraint("<", "1!2.0"),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a VERS range"),
        ("npm/1.0", "not a VERS range"),
        ("vers:npm", "not a VERS range"),
        ("vers:NPM/1.0", "not a VERS type"),
        ("vers:/1.0", "not a VERS type"),
        ("vers:npm/", "no constraints"),
        ("vers:npm/|", "no constraints"),
        ("vers:npm/>=", "comparator without a version"),
        ("vers:npm/1.0|*", "stands alone"),
        ("vers:npm/%FF", "not UTF-8"),
        ("vers:npm/%2e", "not canonical"),
        ("vers:npm/1%2E0", "not canonical"),
        ("vers:nosuchtype/1|2", "not known"),
    ],
)
def test_what_is_no_range_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(VersError, match=why):
        vers.parse(text)


def test_tidy_takes_blanks_stray_pipes_and_any_order() -> None:
    assert str(vers.tidy("vers:npm/ |<2.0.0||  >=1.0.0| ")) == "vers:npm/>=1.0.0|<2.0.0"


def test_versions_that_can_not_be_put_in_order_are_refused() -> None:
    with pytest.raises(VersionUnreadableError):
        vers.parse("vers:golang/<(devel)|>1.0")


def test_size_is_bounded_before_anything_else() -> None:
    with pytest.raises(TooLargeError):
        vers.parse("vers:npm/" + "1" * vers.MAX_TEXT)
    with pytest.raises(TooLargeError):
        vers.tidy("vers:npm/" + "1|" * (vers.MAX_CONSTRAINTS + 1))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("vers:npm/>=1.0.0|<2.0.0", "1.0.0 1.9.9 2.0.0-rc.1", "0.9 2.0.0"),
        ("vers:npm/>1.0.0|<=2.0.0", "1.0.1 2.0.0", "1.0.0 2.0.1"),
        ("vers:npm/<1.0.0|>=2.0.0|!=2.5.0|3.0.0", "0.1 2.0.0 3.0.0", "1.0.0 2.5.0"),
        ("vers:npm/!=1.0.0", "0.9 1.0.1", "1.0.0"),
        ("vers:npm/!=1.0.0|2.0.0", "2.0.0", "1.0.0 3.0.0"),
        ("vers:npm/1.0.0|2.0.0", "1.0.0 2", "1.5.0"),
        ("vers:npm/>1.0.0|>=2.0.0|<3.0.0|<=4.0.0", "1.5.0 4.0.0", "1.0.0 4.0.1"),
        ("vers:npm/*", "0.0.0-0 99", ""),
        ("vers:pypi/<2019-09-12", "", "0.dev0 1.0"),
    ],
)
def test_a_range_holds_these_and_not_those_by_both_ways(text: str, inside: str, outside: str) -> None:
    found = vers.parse(text)
    compiled = vers.intervals(found)
    scheme = vers.scheme_of_type(found.type)
    for version, expected in [(v, True) for v in inside.split()] + [(v, False) for v in outside.split()]:
        assert vers.contains(found, version) is expected, version
        assert any(i.lo <= key(scheme, version) < i.hi for i in compiled) is expected, version


def test_a_range_without_keys_is_asked_and_not_compiled() -> None:
    found = vers.parse("vers:alpm/>=1.0-1|<1.5-2")
    assert vers.contains(found, "1.5-1")
    assert not vers.contains(found, "1.5-2")
    with pytest.raises(VersError, match="contains"):
        vers.intervals(found)


def test_an_unreadable_version_is_unknown_and_not_outside() -> None:
    for text in ("vers:golang/<2.0", "vers:golang/*"):
        with pytest.raises(VersionUnreadableError):
            vers.contains(vers.parse(text), "(devel)")


def test_a_range_can_be_built_from_its_parts() -> None:
    built = vers.ordered("gem", [Constraint("<", "2.1"), Constraint(">=", "2.0.8")])
    assert built == Vers("gem", (Constraint(">=", "2.0.8"), Constraint("<", "2.1")))


@pytest.mark.parametrize(
    "text", ["vers:npm/\ud800", "vers:npm/%00", "vers:npm/%ED%A0%80", "vers:x/" + "%" * 99]
)
def test_hostile_text_is_refused_within_the_family(text: str) -> None:
    with pytest.raises(ClearwayError):
        vers.contains(vers.parse(text), "1.0")
