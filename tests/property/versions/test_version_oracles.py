"""The same order as independent implementations, on generated and on real versions."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import packaging.version
import pytest
import semantic_version
import univers.versions as univers
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import real, texts

from clearway.records.errors import VersionUnreadableError
from clearway.versions import compare, key

# Where univers and the ecosystem's own tool differ, the tool wins; such pairs are left out here.
ORACLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "PyPI": ("pypi", packaging.version.Version),
    "crates.io": ("semver", semantic_version.Version),
    "Hex": ("semver", semantic_version.Version),
    "AlmaLinux": ("rpm", univers.RpmVersion),
    "Hackage": ("hackage", lambda text: [int(part) for part in text.split(".")]),
    "RubyGems": ("rubygems", univers.RubygemsVersion),
}


def neighbours_and_others(found: list[str], count: int) -> list[tuple[str, str]]:
    chosen = random.Random(1)
    pairs = list(itertools.pairwise(found))
    chosen.shuffle(pairs)
    return pairs[: count // 2] + [(chosen.choice(found), chosen.choice(found)) for _ in range(count // 2)]


@pytest.mark.parametrize("ecosystem", ORACLES)
def test_real_versions_order_as_the_library_orders_them(ecosystem: str) -> None:
    scheme, parse = ORACLES[ecosystem]
    found = real(ecosystem)
    if not found:
        pytest.skip("shared data is absent: osv")
    parsed = {}
    for text in found:
        try:
            parsed[text] = parse(text)
        except (ValueError, univers.InvalidVersion):
            if scheme == "pypi":
                with pytest.raises(VersionUnreadableError):
                    key(scheme, text)
    for a, b in neighbours_and_others(sorted(parsed), 4000):
        expected = (parsed[a] > parsed[b]) - (parsed[a] < parsed[b])
        if ecosystem in ("crates.io", "Hex"):
            expected = _precedence(parsed[a], parsed[b])
        assert compare(scheme, a, b) == expected, (a, b)


def _precedence(a: semantic_version.Version, b: semantic_version.Version) -> int:
    """SemVer §11; the library orders build metadata as well, which §10 does not."""
    one, two = a.truncate("prerelease").precedence_key, b.truncate("prerelease").precedence_key
    return (one > two) - (one < two)


@settings(max_examples=200)
@given(texts("pypi"), texts("pypi"))
def test_generated_pep_440_versions_order_as_packaging_orders_them(a: str, b: str) -> None:
    one, two = packaging.version.Version(a), packaging.version.Version(b)
    assert compare("pypi", a, b) == (one > two) - (one < two)


@settings(max_examples=100)
@given(st.text("0123456789abrc.!+-_dev post", max_size=10))
def test_a_text_is_a_pep_440_version_to_both_or_to_neither(text: str) -> None:
    try:
        packaging.version.Version(text)
    except packaging.version.InvalidVersion:
        with pytest.raises(VersionUnreadableError):
            key("pypi", text)
    else:
        key("pypi", text)


_identifier = st.one_of(
    st.integers(0, 99).map(str), st.from_regex(r"[A-Za-z-][0-9A-Za-z-]{0,3}", fullmatch=True)
)
_semver = st.builds(
    lambda numbers, pre, build: (
        ".".join(map(str, numbers)) + ("-" + pre if pre else "") + ("+" + build if build else "")
    ),
    st.tuples(*[st.integers(0, 3)] * 3),
    st.one_of(st.just(""), st.lists(_identifier, min_size=1, max_size=3).map(".".join)),
    st.one_of(st.just(""), st.lists(_identifier, min_size=1, max_size=2).map(".".join)),
)


@settings(max_examples=200)
@given(_semver, _semver)
def test_generated_semantic_versions_order_as_semantic_version_orders_them(a: str, b: str) -> None:
    assert compare("semver", a, b) == _precedence(semantic_version.Version(a), semantic_version.Version(b))


_rpm = st.text("0123456789ab.~^", min_size=1, max_size=8)


@settings(max_examples=200)
@given(_rpm, _rpm, st.integers(0, 2), st.integers(0, 2))
def test_generated_rpm_versions_order_as_univers_orders_them(a: str, b: str, x: int, y: int) -> None:
    one, two = f"{x}:{a}-1", f"{y}:{b}-1"
    left, right = univers.RpmVersion(one), univers.RpmVersion(two)
    assert compare("rpm", one, two) == (left > right) - (left < right)


_gem = st.builds(
    lambda head, rest: str(head) + "".join("." + part for part in rest),
    st.integers(0, 3),
    st.lists(
        st.one_of(st.integers(0, 11).map(str), st.sampled_from(["a", "b1", "rc", "pre2", "0"])), max_size=4
    ),
)


@settings(max_examples=150)
@given(_gem, _gem)
def test_generated_gem_versions_order_as_univers_orders_them(a: str, b: str) -> None:
    left, right = univers.RubygemsVersion(a), univers.RubygemsVersion(b)
    assert compare("rubygems", a, b) == (left > right) - (left < right)
