"""`vers:` ranges (VERS specification): parsed, printed, and asked whether they hold a version.

    vers:npm/>=1.0.0|<2.0.0

`parse` takes the canonical form alone, as the specification wants it; `tidy` takes what people
write (blanks, stray pipes, any order) and makes it canonical.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote, unquote

from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError

from . import compare, has_keys, key, range_key
from .ranges import EVER, FOREVER, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

Comparator = Literal["=", "!=", "<", "<=", ">", ">=", "*"]

MAX_TEXT = 65_536  # characters
MAX_CONSTRAINTS = 4_096

# VERS type -> version order: the registered types, and the purl types that name an ecosystem.
_SCHEMES = {
    "alpine": "apk", "alpm": "pacman", "apk": "apk", "arch": "pacman", "bitnami": "bitnami",
    "cargo": "semver", "composer": "composer", "conan": "conan", "cran": "cran", "datetime": "datetime",
    "deb": "dpkg",
    "ebuild": "gentoo", "gem": "rubygems", "generic": "generic", "gentoo": "gentoo", "github": "semver",
    "githubactions": "semver", "golang": "go", "hackage": "hackage", "hex": "semver", "intdot": "hackage",
    "lexicographic": "lexicographic", "maven": "maven", "mattermost": "semver", "mozilla": "semver",
    "nginx": "semver", "npm": "semver", "nuget": "nuget", "opam": "dpkg", "openssl": "openssl", "pub": "pub",
    "pypi": "pypi", "rpm": "rpm", "semver": "semver", "swift": "semver",
}  # fmt: skip

_TYPE = re.compile(r"[a-z][a-z0-9.+-]*", re.ASCII)
_CONSTRAINT = re.compile(r"(!=|<=|>=|<|>|=)?(.*)", re.ASCII | re.DOTALL)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_LOWER_ESCAPE = re.compile(r"%(?:[a-f][0-9A-Fa-f]|[0-9A-F][a-f])", re.ASCII)
_NEEDLESS_ESCAPE = re.compile(r"%(?:3[0-9]|4[1-9A-F]|5[0-9A]|5F|6[1-9A-F]|7[0-9A]|7E|2D|2E|3A)", re.ASCII)
_SAFE = "-._~:+@/,;()$&'"


class Constraint(Struct, frozen=True):
    """One comparator and the version that it stands before; "*" has no version."""

    comparator: Comparator
    version: str


class Vers(Struct, frozen=True):
    """A range: the type that says how versions are ordered, and constraints in version order."""

    type: str
    constraints: tuple[Constraint, ...]

    def __str__(self) -> str:
        parts = []
        for constraint in self.constraints:
            shown = "" if constraint.comparator == "=" else constraint.comparator
            parts.append(shown + quote(constraint.version, safe=_SAFE))
        return f"vers:{self.type}/{'|'.join(parts)}"


class VersError(InputError):
    """A `vers:` text that can't be read."""


def scheme_of_type(vers_type: str) -> str:
    """The version order of a VERS type. Raises VersError for a type that is not known."""
    scheme = _SCHEMES.get(vers_type)
    if scheme is None:
        raise VersError(f"the VERS type {vers_type!r} is not known", mend="use a registered VERS type")
    return scheme


def parse(text: str) -> Vers:
    """The range that a canonical `vers:` text means.

    Raises:
        VersError: the text is not VERS, or not in its canonical form; `tidy` may read it.
        VersionUnreadableError: two versions can't be put in order.
        TooLargeError: over `MAX_TEXT` or `MAX_CONSTRAINTS`.
    """
    vers_type, body = _opened(text)
    if any(c.isspace() for c in text):
        raise _not_canonical(text, "whitespace is not permitted")
    if body.startswith("|"):
        raise _not_canonical(text, "leading pipe is not permitted")
    if body.endswith("|"):
        raise _not_canonical(text, "trailing pipe is not permitted")
    if "||" in body:
        raise _not_canonical(text, "consecutive pipes are not permitted")
    for item in body.split("|"):
        _check_escapes(text, vers_type, item)
    found = _constraints(text, body.split("|"))
    if len(found) > 1:
        scheme = scheme_of_type(vers_type)
        for one, two in pairwise(found):
            if _compare_ends(scheme, one.version, two.version) > 0:
                raise _not_canonical(text, "constraints are not sorted by version")
    return Vers(vers_type, found)


def tidy(text: str) -> Vers:
    """The range that `text` means, with constraints put in order; blanks and stray pipes do not count.

    Raises as `parse` does, but for what is merely not canonical.
    """
    vers_type, body = _opened("".join(text.split()))
    items = [item for item in body.split("|") if item]
    for item in items:
        if _BAD_ESCAPE.search(item):
            raise VersError(f"{text[:80]!r}: invalid percent-encoding in version")
    return ordered(vers_type, _constraints(text, items))


def ordered(vers_type: str, constraints: Iterable[Constraint]) -> Vers:
    """A range of the given constraints, put in version order; the order of equal versions is kept."""
    found = tuple(constraints)
    if len(found) > 1:
        scheme = scheme_of_type(vers_type)

        def order(a: Constraint, b: Constraint) -> int:
            return _compare_ends(scheme, a.version, b.version)

        found = tuple(sorted(found, key=cmp_to_key(order)))
    return Vers(vers_type, found)


def contains(vers: Vers, version: str) -> bool:
    """Whether `version` is in the range (VERS, "Checking if a version is contained within a range").

    A range of `!=` alone holds every other version.

    Raises:
        VersionUnreadableError: `version` or an end of the range has no order.
    """
    scheme = scheme_of_type(vers.type)
    bounds: list[tuple[str, int]] = []  # comparator, and how `version` compares with its version
    excluding = False
    keyed = has_keys(scheme)
    point = key(scheme, version) if keyed else b""
    for constraint in vers.constraints:
        if constraint.comparator == "*":
            compare(scheme, version, version)  # an unreadable version is not contained: it is unknown
            return True
        if keyed:
            end = range_key(scheme, constraint.version)
            side = (point > end) - (point < end)
        else:
            side = compare(scheme, version, constraint.version)
        if constraint.comparator == "!=":
            if side == 0:
                return False
            excluding = True
        elif side == 0 and constraint.comparator in ("=", "<=", ">="):
            return True
        elif constraint.comparator != "=":
            bounds.append((constraint.comparator, side))
    if not bounds:
        return excluding and all(c.comparator == "!=" for c in vers.constraints)
    return any(
        (lower is None or lower[1] > 0) and (upper is None or upper[1] < 0) for lower, upper in _pairs(bounds)
    )


def intervals(vers: Vers) -> tuple[Interval, ...]:
    """The range as half-open key intervals, `!=` cut out; not merged, in no promised order.

    An upper end here is a `limit`, since a range does not say that it is a fix.

    Raises:
        VersError: the type's order has no keys (alpm); ask `contains`.
        VersionUnreadableError: an end of the range has no order.
    """
    scheme = scheme_of_type(vers.type)
    if not has_keys(scheme):
        raise VersError(f"the order of {vers.type!r} has no keys", mend="ask `contains` of each version")
    out: list[Interval] = []
    bounds: list[tuple[str, str]] = []
    excluded: list[Constraint] = []
    for constraint in vers.constraints:
        if constraint.comparator == "*":
            return (Interval(EVER, FOREVER, "0"),)
        if constraint.comparator == "=":
            at = range_key(scheme, constraint.version)
            out.append(Interval(at, at + b"\0", constraint.version, constraint.version, "last_affected"))
        elif constraint.comparator == "!=":
            excluded.append(constraint)
        else:
            bounds.append((constraint.comparator, constraint.version))
    if excluded and len(excluded) == len(vers.constraints):
        out.append(Interval(EVER, FOREVER, "0"))
    for lower, upper in _pairs(bounds):
        lo, introduced = EVER, "0"
        if lower is not None:
            introduced = lower[1]
            lo = range_key(scheme, introduced) + (b"\0" if lower[0] == ">" else b"")
        if upper is None:
            out.append(Interval(lo, FOREVER, introduced))
            continue
        hi = range_key(scheme, upper[1]) + (b"\0" if upper[0] == "<=" else b"")
        if lo < hi:
            out.append(
                Interval(lo, hi, introduced, upper[1], "last_affected" if upper[0] == "<=" else "limit")
            )
    for constraint in excluded:
        out = [part for interval in out for part in _without(interval, range_key(scheme, constraint.version))]
    return tuple(out)


def _compare_ends(scheme: str, a: str, b: str) -> int:
    if not has_keys(scheme):
        return compare(scheme, a, b)
    left, right = range_key(scheme, a), range_key(scheme, b)
    return (left > right) - (left < right)


def _pairs(bounds: list[tuple[str, T]]) -> list[tuple[tuple[str, T] | None, tuple[str, T] | None]]:
    """(lower, upper) of each part: of lower ends in a row the first counts, of upper ones the last."""
    out: list[tuple[tuple[str, T] | None, tuple[str, T] | None]] = []
    lower: tuple[str, T] | None = None
    for at, bound in enumerate(bounds):
        if bound[0][0] == ">":
            if lower is None:
                lower = bound
        elif at + 1 == len(bounds) or bounds[at + 1][0][0] == ">":
            out.append((lower, bound))
            lower = None
    if lower is not None:
        out.append((lower, None))
    return out


def _without(interval: Interval, at: bytes) -> list[Interval]:
    if not interval.lo <= at < interval.hi:
        return [interval]
    above = at + b"\0"
    parts = []
    if interval.lo < at:
        parts.append(Interval(interval.lo, at, interval.introduced, interval.end, interval.end_kind))
    if above < interval.hi:
        parts.append(Interval(above, interval.hi, interval.introduced, interval.end, interval.end_kind))
    return parts


def _opened(text: str) -> tuple[str, str]:
    if len(text) > MAX_TEXT:
        raise TooLargeError(f"a vers range of {len(text):,} characters", mend=f"at most {MAX_TEXT:,}")
    head, slash, body = text.partition("/")
    prefix, colon, vers_type = head.partition(":")
    if prefix != "vers" or not colon or not slash:
        raise VersError(f"{text[:80]!r} is not a VERS range", mend="write it as vers:TYPE/CONSTRAINTS")
    if _TYPE.fullmatch(vers_type) is None:
        raise VersError(f"{vers_type[:40]!r} is not a VERS type", mend="write the type in lower case")
    if not body.strip("|"):
        raise VersError(f"{text[:80]!r} has no constraints")
    return vers_type, body


def _constraints(text: str, items: list[str]) -> tuple[Constraint, ...]:
    if len(items) > MAX_CONSTRAINTS:
        raise TooLargeError(
            f"a vers range of {len(items):,} constraints", mend=f"at most {MAX_CONSTRAINTS:,}"
        )
    if "*" in items:
        if len(items) > 1:
            raise VersError(f"{text[:80]!r}: `*` stands alone")
        return (Constraint("*", ""),)
    out = []
    for item in items:
        shape = _CONSTRAINT.fullmatch(item)
        assert shape is not None  # it matches any text
        try:
            version = unquote(shape[2], errors="strict")
        except UnicodeDecodeError:
            raise VersError(f"{text[:80]!r}: a version's percent-encoding is not UTF-8") from None
        if not version:
            raise VersError(f"{text[:80]!r}: a comparator without a version")
        out.append(Constraint(shape[1] or "=", version))  # type: ignore[arg-type]  # the pattern's own words
    return tuple(out)


def _check_escapes(text: str, vers_type: str, item: str) -> None:
    if _BAD_ESCAPE.search(item):
        raise _not_canonical(text, "invalid percent-encoding in version")
    if _LOWER_ESCAPE.search(item):
        raise _not_canonical(text, "percent-encoding in version is not canonical")
    if vers_type == "datetime":
        if "%3A" in item:
            raise _not_canonical(text, "datetime time colons must be unencoded")
        if "t" in item or "z" in item:
            raise _not_canonical(text, "datetime must use uppercase T and Z")
    if _NEEDLESS_ESCAPE.search(item):
        raise _not_canonical(text, "percent-encoding in version is not canonical")


def _not_canonical(text: str, why: str) -> VersError:
    shown = text if len(text) <= 80 else text[:80] + "…"
    return VersError(f"non-canonical VERS: {why}", where=repr(shown), mend="write its canonical form")
