"""Which order an ecosystem follows, and what single versions mean in it."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time

import pytest

from clearway import versions
from clearway.records.errors import InputError, UsageError, VersionUnreadableError
from clearway.versions import compare, is_generic, key, range_key, scheme_of
from shared import shared


@pytest.mark.parametrize(
    ("ecosystem", "scheme"),
    [
        ("PyPI", "pypi"),
        ("npm", "semver"),
        ("crates.io", "semver"),
        ("Go", "go"),
        ("AlmaLinux:8", "rpm"),
        ("Red Hat:rhel_aus:8.4::appstream", "rpm"),
        ("Ubuntu:22.04:LTS", "dpkg"),
        ("Alpine:v3.18", "apk"),
        ("Wolfi", "apk"),
        ("Packagist:https://packages.drupal.org/8", "composer"),
        ("GHC", "hackage"),
        ("Root:Alpine:3.18", "apk"),
        ("TuxCare:npm", "semver"),
        ("Docker Hardened Images:Debian:trixie", "dpkg"),
        ("Echo", "dpkg"),
        ("Echo:PyPI", "pypi"),
        ("pypi", "pypi"),
        ("OSS-Fuzz", "generic"),
        ("vendor", "generic"),
        ("", "generic"),
        ("Nobody's Linux:3", "generic"),
    ],
)
def test_an_ecosystem_has_the_order_of_its_own_tool(ecosystem: str, scheme: str) -> None:
    assert scheme_of(ecosystem) == scheme
    assert is_generic(scheme_of(ecosystem)) == (scheme == "generic")


def test_every_scheme_of_an_ecosystem_exists() -> None:
    from clearway.versions._ecosystems import SCHEME_OF

    assert set(SCHEME_OF.values()) <= set(versions.SCHEMES)


def test_every_ecosystem_of_the_osv_schema_is_known() -> None:
    import tarfile

    import zstandard

    from clearway.versions._ecosystems import SCHEME_OF

    archive = shared("conformance/osv-schema.tar.zst")
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if member.name.endswith("ecosystems.json"):
                content = tar.extractfile(member)
                assert content is not None
                missing = set(json.loads(content.read())) - set(SCHEME_OF)
    assert not missing


# Ascending within each row; what `|` joins is equal.
ORDERS = {
    "semver": "0.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc 1.0|1.0.0|v1.0.0|1.0.0+b 1.1",
    "go": "v0.0.0-20210101000000-abcdefabcdef 0 v1.9 go1.20rc1|1.20.0-rc.1 1.20 v2.0.0|v2.0.0+incompatible v3",
    "pub": "1.0.0-a 1.0.0-a+1 1.0.0 1.0.0+1 1.0.0+2 1.0.0+a 1.0.1",
    "bitnami": "1.2.2 1.2.3-rc.1 1.2.3|1.2.3-4|1.2.3-0 1.2.4",
    "nuget": "1.0.0-BETA|1.0.0-beta 1.0|1.0.0.0|1.0.0+x 1.0.0.1",
    "pypi": "1.0.dev1 1.0a1.dev1 1.0a1 1.0rc1 1.0|1.0.0|v1 1.0+a 1.0+1 1.0.post1.dev2 1.0-1 1!0",
    "maven": "1-alpha-1|1a1 1-beta 1-rc|1-CR 1-SNAPSHOT 1|1.0|1.0.Final|1-GA|1.RELEASE 1-sp 1-jre 1-1 1.1",
    "rubygems": "1.a 1-rc1|1.pre.rc1 1.0.0.rc1 1|1.0.0 1.0.1",
    "composer": "1.0-dev 1.0-alpha1|1.0a1 1.0-beta 1.0RC1 1.0|v1.0.0.0|1.0.0+b 1.0-p1 1.0.1 1.x-dev",
    "dpkg": "1.0~rc1-1 1.0|1.0-0|0:1.0 1.0-1 1.0a 1.0+b 1:0.1",
    "rpm": "1.0~rc1-1 1.0 1.0-1.el8 1.0-1.1 1.0^git1-1 1.0.1-1 1:0.1-1",
    "apk": "1.0_alpha1-r0 1.0_rc1 1.0 1.0-r0 1.0-r1 1.0_p1 1.0a 1.0.0 1.1",
    "cran": "0.1 0.1-0|0.1.0 0.1-1 0.10",
    "hackage": "1.0 1.0.0 1.0.1 1.1",
    "gentoo": "1.0_alpha 1.0_pre2 1.0_rc1 1.0|1.0-r0 1.0-r1 1.0_p1 1.0b 1.0.0 1.1",
    "openssl": "0.9.8 0.9.8y 0.9.8za 1.0.2-beta1 1.0.2 1.0.2a 1.0.2u 1.0.2za 3.0.0-alpha1 3.0.0 3.0.1",
    "conan": "1.0-pre1 1|1.0.0 1.0+b1 1.1 1.a",
    "datetime": "2024-01-01T00:00:00+02:00 2024-01-01T00:00:00Z|2023-12-31T19:00:00-05:00 2025-01-01T00:00:00Z",
    "lexicographic": "1 10 2 A a é",
    "generic": "1.0-rc1 1.0|v1 1.0a 1.0.1 2020-01",
}


@pytest.mark.parametrize("scheme", ORDERS)
def test_versions_order_as_their_ecosystem_orders_them(scheme: str) -> None:
    groups = [group.split("|") for group in ORDERS[scheme].split(" ")]
    keys = [key(scheme, group[0]) for group in groups]
    for group, expected in zip(groups, keys, strict=True):
        assert [key(scheme, text) for text in group] == [expected] * len(group), group
    for low, high in itertools.pairwise(keys):
        assert low < high
        assert not high.startswith(low)


def test_every_keyed_scheme_has_an_example_order() -> None:
    assert set(ORDERS) == {scheme for scheme in versions.SCHEMES if versions.has_keys(scheme)}


def test_pacman_ignores_a_release_that_one_side_lacks_and_so_has_no_keys() -> None:
    assert not versions.has_keys("pacman")
    assert compare("pacman", "1.5-1", "1.5-2") == -1
    assert compare("pacman", "1.5", "1.5-1") == compare("pacman", "1.5-2", "1.5") == 0
    assert compare("pacman", "1.0rc", "1.0") == -1
    assert compare("pacman", "1:0.1", "2.0") == 1
    with pytest.raises(UsageError):
        key("pacman", "1.5-1")


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("go", "(devel)"),
        ("go", ""),
        ("semver", ""),
        ("semver", "latest"),
        ("semver", "1.2.3-"),
        ("semver", "1.2.3-a..b"),
        ("semver", "11bd71901bbe5b1630ceea73d27597364c9af683"),
        ("semver", "١.٢.٣"),
        ("bitnami", "nightly.2026-03-10.0"),
        ("nuget", "unknown"),
        ("pypi", "0.9.3.5ubuntu2"),
        ("pypi", "2019-09-12"),
        ("maven", "RELEASE"),
        ("maven", "LATEST"),
        ("maven", "${project.version}"),
        ("maven", ""),
        ("rubygems", "1..2"),
        ("composer", "dev-main"),
        ("dpkg", ""),
        ("dpkg", "a:1.0"),
        ("dpkg", "1.0-"),
        ("rpm", ""),
        ("rpm", "1:"),
        ("apk", "1.0-r"),
        ("apk", "1.0_foo1"),
        ("cran", "1.0a"),
        ("hackage", "1.0-foo"),
        ("gentoo", "1.0~1"),
        ("openssl", "fips"),
        ("conan", ""),
        ("datetime", "2024-01-01"),
        ("lexicographic", "a\0b"),
        ("generic", "unstable"),
        ("generic", ""),
    ],
)
def test_what_the_tool_does_not_order_is_refused_and_never_guessed(scheme: str, text: str) -> None:
    with pytest.raises(VersionUnreadableError):
        key(scheme, text)


@pytest.mark.parametrize("scheme", [scheme for scheme in versions.SCHEMES if scheme != "pacman"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "1\0",
        "\ud800",
        "1.\ud800",
        "1.0\n",
        "²",
        "1.²",
        "٣",
        "%",
        "-",
        ".",
        "~",
        "1" * 900,
        "1.0" * 340,
        "é1",
    ],
)
def test_hostile_text_gives_a_key_or_a_refusal_and_nothing_else(scheme: str, text: str) -> None:
    for function in (key, range_key):
        try:
            made = function(scheme, text)
        except VersionUnreadableError:
            continue
        assert made
        assert made[0] != 0xFF
        assert len(made) <= 8 * versions.MAX_LENGTH


_REPEATED = [
    "1",
    "1.",
    "1-",
    "-1",
    ".1",
    "a1",
    "1a",
    "a",
    "-",
    ".",
    "~",
    "_p1",
    "+a",
    ".x",
    " ",
    "0",
    ".0",
    "rc",
]


@pytest.mark.parametrize("scheme", versions.SCHEMES)
def test_the_longest_texts_take_no_time_whatever_their_shape(scheme: str) -> None:
    for head in ("", "1", "1.0-rc", "1.0.0-beta.1", "20190101", "1:1-"):
        for part in _REPEATED:
            for tail in ("", "!", "x", "-", "é"):
                text = (head + part * versions.MAX_LENGTH)[: versions.MAX_LENGTH - 1] + tail
                start = time.process_time()
                with contextlib.suppress(VersionUnreadableError):
                    compare(scheme, text, text[:-1] + "2")
                assert time.process_time() - start < 2, text[
                    :60
                ]  # minutes where one reads it again and again


@pytest.mark.parametrize("scheme", versions.SCHEMES)
def test_a_version_over_the_bound_is_refused(scheme: str) -> None:
    with pytest.raises(VersionUnreadableError, match=r"1,025 characters"):
        compare(scheme, "1" * 1025, "1")


@pytest.mark.parametrize("scheme", ["semver", "pypi", "maven", "dpkg", "rpm", "apk", "hackage", "generic"])
def test_integers_of_any_length_order_by_value(scheme: str) -> None:
    ascending = [str(10**n + d) for n in (1, 8, 9, 10, 47, 48, 49, 99, 1000) for d in (0, 1)]
    keys = [key(scheme, text) for text in ascending]
    assert keys == sorted(set(keys))


def test_a_version_from_before_pep_440_ends_a_range_below_all_valid_ones() -> None:
    assert range_key("pypi", "2019-09-12") < range_key("pypi", "0.dev0")
    assert range_key("pypi", "0.1-bulbasaur") < range_key("pypi", "0.1-charmander")
    assert range_key("pypi", "1.0") == key("pypi", "1.0")


def test_a_composer_branch_ends_a_range_below_all_versions() -> None:
    assert range_key("composer", "dev-main") < range_key("composer", "0-dev")


def test_an_unknown_scheme_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match="SCHEMES"):
        key("cobol", "1")


def test_a_refusal_names_the_version_and_belongs_to_the_family() -> None:
    with pytest.raises(InputError, match=r"\(devel\)"):
        key("go", "(devel)")


def test_a_scheme_is_imported_at_its_first_version() -> None:
    code = (
        "import sys; from clearway import versions; versions.scheme_of('npm');"
        "before = {m for m in sys.modules if m.startswith('clearway.versions.')};"
        "versions.key('pypi', '1'); after = {m for m in sys.modules if m.startswith('clearway.versions.')};"
        "print(sorted(before), sorted(after - before), 'dataclasses' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split("]")[0] == "['clearway.versions._ecosystems'"
    assert "['clearway.versions._encode', 'clearway.versions.pep440']" in out
    assert out.rstrip().endswith("False")


def test_the_public_names_are_these() -> None:
    assert versions.__all__ == [
        "KEY_FORMAT",
        "MAX_LENGTH",
        "SCHEMES",
        "compare",
        "has_keys",
        "intervals",
        "is_generic",
        "key",
        "key_function",
        "range_key",
        "scheme_of",
    ]
