"""Version order as byte keys, OSV ranges as intervals, `vers:` ranges. Pure.

Every ecosystem belongs to one *scheme*, a version order. `key(scheme, a) < key(scheme, b)`
exactly when the ecosystem's own tool says that a is below b, and the keys are equal exactly
when it says that they are equal. Keys are prefix-free, never empty, and never begin with `FF`;
so `b""` stands for minus infinity, `b"\\xff"` for plus infinity, and "up to and including v"
ends at `key(v) + b"\\0"`.

The module of a scheme is imported when its first version is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.records.errors import UsageError, VersionUnreadableError

from ._ecosystems import REBUILDERS, SCHEME_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from clearway.records.advisory import Event

    from .ranges import Interval

__all__ = [
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

KEY_FORMAT = 1  # raised when a scheme's keys change: keys that are stored elsewhere are then stale

MAX_LENGTH = 1024  # characters; the longest version in public advisory data has fewer than 200

# scheme -> (module, function). A module may also offer `<function>_end` for the ends of ranges.
_PLACES = {
    "semver": ("semver", "semver_key"),
    "go": ("semver", "go_key"),
    "pub": ("semver", "pub_key"),
    "bitnami": ("semver", "bitnami_key"),
    "nuget": ("nuget", "nuget_key"),
    "pypi": ("pep440", "pep440_key"),
    "dpkg": ("dpkg", "dpkg_key"),
    "rpm": ("rpm", "rpm_key"),
    "maven": ("maven", "maven_key"),
    "rubygems": ("rubygems", "rubygems_key"),
    "composer": ("composer", "composer_key"),
    "apk": ("apk", "apk_key"),
    "cran": ("integers", "cran_key"),
    "hackage": ("integers", "hackage_key"),
    "gentoo": ("gentoo", "gentoo_key"),
    "openssl": ("openssl", "openssl_key"),
    "conan": ("conan", "conan_key"),
    "datetime": ("plain", "datetime_key"),
    "lexicographic": ("plain", "lexicographic_key"),
    "generic": ("generic", "generic_key"),
}

SCHEMES: tuple[str, ...] = (*_PLACES, "pacman")

_keys: dict[str, Callable[[str], bytes]] = {}
_end_keys: dict[str, Callable[[str], bytes]] = {}


def scheme_of(ecosystem: str) -> str:
    """The version order of an ecosystem: "PyPI" -> "pypi", "AlmaLinux:8" -> "rpm".

    What follows the first ":" (a release, a repository) does not count, but for those who
    rebuild the packages of others ("Root:Alpine:3.18", "TuxCare:npm"): they keep the order of
    the ecosystem named next. An ecosystem without a known order, "vendor" and "" give "generic".
    """
    name, _, rest = ecosystem.partition(":")
    if name in REBUILDERS and rest:
        name = rest.partition(":")[0]
        if name.lower() not in SCHEME_OF:
            name = ecosystem.partition(":")[0]
    return SCHEME_OF.get(name) or SCHEME_OF.get(name.lower(), "generic")


def has_keys(scheme: str) -> bool:
    """Whether `scheme` has byte keys; False for pacman alone, whose order is not transitive."""
    return scheme != "pacman"


def is_generic(scheme: str) -> bool:
    """Whether answers in this scheme come from the fallback order, and must be marked as such."""
    return scheme == "generic"


def key(scheme: str, version: str) -> bytes:
    """The byte key of an installed or listed version.

    Raises:
        VersionUnreadableError: the ecosystem's tool defines no order for this text, or it is
            longer than `MAX_LENGTH`.
        UsageError: no such scheme, or one without keys.
    """
    function = _keys.get(scheme) or key_function(scheme)
    if len(version) > MAX_LENGTH:
        raise _too_long(version)
    return function(version)


def range_key(scheme: str, version: str) -> bytes:
    """The byte key of the end of a range: as `key`, but PyPI versions from before PEP 440 are read.

    They stand in old advisories ("fixed 2019-09-12") and sort below all valid ones. As an
    *installed* version they stay unreadable. Raises as `key` does.
    """
    function = _end_keys.get(scheme)
    if function is None:
        key_function(scheme)
        function = _end_keys[scheme]
    if len(version) > MAX_LENGTH:
        raise _too_long(version)
    return function(version)


def key_function(scheme: str) -> Callable[[str], bytes]:
    """The bare key function of one scheme, for loops over many versions; it does not bound their length."""
    function = _keys.get(scheme)
    if function is None:
        place = _PLACES.get(scheme)
        if place is None:
            raise UsageError(
                f"no version keys for the scheme {scheme!r}",
                mend="use `compare` for pacman, or one of `versions.SCHEMES`",
            )
        module = _module(place[0])
        function = getattr(module, place[1])
        _keys[scheme] = function
        _end_keys[scheme] = getattr(module, place[1] + "_end", function)
    return function


def compare(scheme: str, a: str, b: str) -> int:
    """-1, 0 or 1 as `a` is below, equal to or above `b`; works for every scheme. Raises as `key` does."""
    if scheme == "pacman":
        for version in (a, b):
            if len(version) > MAX_LENGTH:
                raise _too_long(version)
        result: int = _module("pacman").compare(a, b)
        return result
    left, right = key(scheme, a), key(scheme, b)
    return (left > right) - (left < right)


def intervals(scheme: str, events: Sequence[Event]) -> tuple[Interval, ...]:
    """The half-open intervals that a range's events mean; see `ranges.intervals`."""
    from .ranges import intervals as compiled

    return compiled(scheme, events)


def _module(name: str) -> ModuleType:
    from importlib import import_module

    return import_module(f"{__name__}.{name}")


def _too_long(version: str) -> VersionUnreadableError:
    return VersionUnreadableError(
        f"version {version[:40]!r}… has {len(version):,} characters, more than {MAX_LENGTH:,}",
        mend="give the version alone",
    )
