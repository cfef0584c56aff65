"""Pre-releases by each ecosystem's own rules: below their release, as the libraries say, and never an error."""

from __future__ import annotations

import packaging.version
import pytest
import semantic_version
from hypothesis import given
from hypothesis import strategies as st
from texts import real, texts

from clearway.exposure.fixes import offered
from clearway.versions import SCHEMES, compare
from clearway.versions.prerelease import is_prerelease

# What makes a release's number one of its pre-releases, in schemes whose order knows some.
SUFFIXES = {
    "pypi": ["a1", "b2", "rc3", ".dev4", "-alpha.1", "rc1.post2.dev3"],
    "semver": ["-alpha", "-0", "-rc.1", "-canary.7+build"],
    "go": ["-rc.1", "-0.20210101000000-abcdefabcdef"],
    "pub": ["-dev.1", "-beta"],
    "nuget": ["-preview1", "-RC2"],
    "bitnami": ["-alpha.1", "-rc1"],
    "maven": ["-alpha1", "-beta-2", "-M3", "-RC1", "-CR1", "-SNAPSHOT", ".Beta1"],
    "rubygems": [".pre1", ".rc2", ".alpha", "-beta"],
    "composer": ["-alpha1", "-beta", "-RC2", "-dev", "b2"],
    "dpkg": ["~rc1", "~beta2-1", "~alpha.3-1ubuntu1", "~dev4", "~rc1+dfsg-2"],
    "rpm": ["~rc1", "~beta2-1.el9"],
    "apk": ["_alpha1", "_beta", "_pre2", "_rc1-r0"],
    "gentoo": ["_alpha1", "_beta2", "_pre3", "_rc1-r1"],
    "pacman": ["rc1", "beta2", "alpha-1"],
    "openssl": ["-alpha1", "-beta2"],
    "conan": ["-rc1"],
}
RELEASES = {
    "pypi": ["1.2", "1!2.0", "2.0.post1", "1.0+local.1"],
    "semver": ["1.2.3", "1.2.3+build-7", "v2"],
    "go": ["1.2.3", "2.0.0+incompatible"],
    "bitnami": ["1.2.3", "1.2.3-4"],
    "maven": ["1.0", "1.0.Final", "31.1-jre", "2.0-ga", "1.0-sp1", "1.2.3-android", "5.3.1.RELEASE"],
    "rubygems": ["1.2.3"],
    "composer": ["1.2.3", "v1.2-stable", "1.2-patch1", "1.2-p2", "8.x"],
    "dpkg": [
        "1.2-3",
        "1:2.4.57-2~deb12u1",
        "20230311~deb12u1",
        "6.1.90-1~bpo11+1",
        "1.2+dfsg~1-1",
        "1.2-1~beta",
    ],
    "rpm": ["1.2-3.el9", "0:1.2.3-0.4.el8", "4.2.0~20230101-1"],
    "apk": ["1.2.3-r4", "1.2_p1-r0", "1.2_git20200101"],
    "gentoo": ["1.2_p3-r1"],
    "openssl": ["1.1.1k", "3.0.13"],
    "cran": ["1.2-3"],
    "generic": ["8.5.1", "FP11", "2019.4 HF2", "12.3.0-arch"],
}
numbers = st.lists(st.integers(1, 40), min_size=3, max_size=3).map(lambda n: ".".join(map(str, n)))


@given(st.sampled_from([(scheme, suffix) for scheme, all_ in SUFFIXES.items() for suffix in all_]), numbers)
def test_a_pre_release_is_told_and_stands_below_its_release(case: tuple[str, str], number: str) -> None:
    scheme, suffix = case
    assert is_prerelease(scheme, number + suffix), (scheme, number + suffix)
    assert compare(scheme, number + suffix, number) < 0
    assert not is_prerelease(scheme, number)


@pytest.mark.parametrize(("scheme", "version"), [(s, v) for s, all_ in RELEASES.items() for v in all_])
def test_a_release_is_none_whatever_its_name_has_in_it(scheme: str, version: str) -> None:
    assert not is_prerelease(scheme, version)


def test_real_pypi_and_crates_versions_are_told_as_the_libraries_tell_them() -> None:
    for version in real("PyPI"):
        try:
            expected = packaging.version.Version(version).is_prerelease
        except packaging.version.InvalidVersion:
            expected = False
        assert is_prerelease("pypi", version) is expected, version
    for version in real("crates.io"):
        try:
            found = semantic_version.Version(version)
        except ValueError:
            continue
        assert is_prerelease("semver", version) is bool(found.prerelease), version


@given(
    st.sampled_from(SCHEMES),
    st.text(max_size=40)
    | texts("pypi")
    | texts("composer")
    | texts("maven")
    | st.text("0123456789.-~+_abrcdevM", max_size=30),
)
def test_no_text_makes_it_fail(scheme: str, version: str) -> None:
    assert is_prerelease(scheme, version) in (True, False)


def test_a_long_text_is_no_pre_release_and_is_told_at_once() -> None:
    assert not is_prerelease("composer", "1" + ".1-" * 100_000)
    for scheme in SCHEMES:
        assert is_prerelease(scheme, "~1-" * 340) in (True, False)


@given(
    st.sampled_from(["PyPI", "npm", "Maven", "Debian:12", "RubyGems", "vendor"]),
    st.lists(
        st.sampled_from(
            ["1.10.11rc1", "2.0-rc1", "2.0.0-beta.1", "1.0~rc1-1", "2.0.3", "3.1", "1.2-SNAPSHOT"]
        )
    ),
)
def test_pre_releases_are_offered_only_where_there_is_no_release(ecosystem: str, fixed: list[str]) -> None:
    offer = offered(ecosystem, fixed)
    assert set(offer.versions) <= set(fixed)
    assert bool(offer.versions) is bool(fixed)
    assert offered(ecosystem, offer.versions) == offer
    from clearway.versions import scheme_of

    early = [is_prerelease(scheme_of(ecosystem), v) for v in offer.versions]
    assert all(early) if offer.prerelease else not any(early)
    assert offer.prerelease or list(offer.versions) == [
        v for v in dict.fromkeys(fixed) if not is_prerelease(scheme_of(ecosystem), v)
    ]
