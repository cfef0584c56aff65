"""Which versions are pre-releases, by each ecosystem's own rules.

A pre-release stands below the release that it leads up to. What an ecosystem's order puts below a release for another
reason (Debian's `~deb12u1`, `~bpo12+1`: the same release, built for another suite) is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = r"(?:alpha|beta|rc|preview|pre|dev|snapshot|milestone|nightly)"
# Semantic Versioning 2.0, clause 9: a hyphen after the numbers; clause 10: what follows a plus is no part of it.
_SEMVER = re.compile(r"v?[0-9]+(?:\.[0-9A-Za-z]+)*-(.+)", re.IGNORECASE)
# Maven, ComparableVersion: the qualifiers below a release, and what stands for one before a digit.
_MAVEN = frozenset(("alpha", "beta", "milestone", "rc", "cr", "snapshot"))
_MAVEN_PARTS = re.compile(r"[0-9]+|[a-z]+")
# Composer, VersionParser::parseStability: the last modifier.
_COMPOSER = re.compile(
    r"(?:[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)(?:[.-]?[0-9]++)*+)?([.-]?dev)?)?$", re.IGNORECASE
)
_SUFFIX = re.compile(r"_(?:alpha|beta|pre|rc)[0-9]*(?![a-z])")
# deb-version(7), rpm-version(7): a tilde sorts below the end; what follows says whether it leads up to the release.
_TILDE = re.compile(rf"~+[.+-]?(?:{_WORDS}(?![a-z])|[abm][0-9])", re.IGNORECASE)
# Fedora's guidelines from before the tilde: the release begins with 0 and names the pre-release.
_RPM_ZERO = re.compile(rf"-0\.[0-9.]*{_WORDS}(?![a-z])", re.IGNORECASE)
_APPENDED = re.compile(rf"(?<=[0-9]){_WORDS}(?![a-z])", re.IGNORECASE)
_ANYWHERE = re.compile(rf"(?<![a-z]){_WORDS}(?![a-z])", re.IGNORECASE)


def is_prerelease(scheme: str, version: str) -> bool:
    """Whether `version` is a pre-release in the version order `scheme` (`scheme_of` an ecosystem).

    False for text that the ecosystem cannot read, that is longer than `MAX_LENGTH`, or whose scheme has no
    pre-releases (CRAN, Hackage, dates). Raises nothing.
    """
    rule = _RULES.get(scheme)
    if rule is None or len(version) > MAX_LENGTH or version.replace(".", "").isdecimal():
        return False
    return rule(version.strip())


def _pep440(version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def _semver(version: str) -> bool:
    return _SEMVER.fullmatch(version.partition("+")[0]) is not None


def _bitnami(version: str) -> bool:
    """As semver, but digits alone after the hyphen are the revision of the packaging."""
    found = _SEMVER.fullmatch(version.partition("+")[0])
    return found is not None and not found[1].isdecimal()


def _maven(version: str) -> bool:
    parts = _MAVEN_PARTS.findall(version.lower())
    after = [*parts[1:], ""]
    return any(
        part in _MAVEN or (part in ("a", "b", "m") and after[n][:1].isdecimal())
        for n, part in enumerate(parts)
    )


def _rubygems(version: str) -> bool:
    """Gem::Version#prerelease?: any letter."""
    return any(c.isascii() and c.isalpha() for c in version)


def _composer(version: str) -> bool:
    text = version.partition("#")[0].lower()
    if text.startswith("dev-"):
        return True
    found = _COMPOSER.search(text.partition("+")[0])
    return found is not None and (
        found[2] is not None or (found[1] or "") in ("a", "alpha", "b", "beta", "rc")
    )


def _dpkg(version: str) -> bool:
    upstream, hyphen, _ = version.rpartition("-")
    return _TILDE.search(upstream if hyphen else version) is not None


def _rpm(version: str) -> bool:
    return _TILDE.search(version) is not None or _RPM_ZERO.search(version) is not None


def _suffixed(version: str) -> bool:
    return _SUFFIX.search(version) is not None


def _appended(version: str) -> bool:
    """rpmvercmp: letters straight after the number sort below it, after a dot above it."""
    return _APPENDED.search(version) is not None


def _worded(version: str) -> bool:
    return _ANYWHERE.search(version) is not None


_RULES: dict[str, Callable[[str], bool]] = {
    "pypi": _pep440,
    "semver": _semver,
    "go": _semver,
    "pub": _semver,
    "nuget": _semver,
    "conan": _semver,
    "bitnami": _bitnami,
    "maven": _maven,
    "rubygems": _rubygems,
    "composer": _composer,
    "dpkg": _dpkg,
    "rpm": _rpm,
    "apk": _suffixed,
    "gentoo": _suffixed,
    "pacman": _appended,
    "openssl": _worded,
    "generic": _worded,
}
