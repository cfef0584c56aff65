"""Semantic Versioning 2.0 and its relatives: npm, crates.io, Hex, SwiftURL, Go, Pub, Bitnami.

Read as npm reads it: `v` or `=` may stand before, missing numbers are 0, further numbers count,
and "1.2.3beta" is "1.2.3-beta" (node-semver, loose). Build metadata does not count (§10), but
in Pub, where it orders.
"""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_END = "\x01"  # of numbers and of identifiers: below every number and identifier
_NUMERIC = "\x02"  # §11.4.3: a numeric identifier is below a textual one
_TEXT = "\x03"
_STOP = "\x00"  # of a textual identifier
_RELEASE = "\x04"  # no pre-release: above every pre-release (§11.3)

_SHAPE = re.compile(
    r"[v=\s]*([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z._~-]+)|([A-Za-z][0-9A-Za-z.-]*))?(?:\+([^\s]*))?\s*",
    re.ASCII,
)
_GO_SHAPE = re.compile(r"(?:go|v)?([0-9]+(?:\.[0-9]+)*)(?:(alpha|beta|rc)([0-9]+))", re.ASCII)
_BITNAMI_REVISION = re.compile(r"(v?[0-9]+(?:\.[0-9]+)*)-(?:r)?[0-9]{1,4}", re.ASCII)


def semver_key(version: str) -> bytes:
    """The key of a SemVer version; build metadata does not count."""
    return (_plain(version) or _parsed(version)[0]).encode()


def go_key(version: str) -> bytes:
    """The key of a Go module or toolchain version: `v` or `go` before it, `1.20rc1` is `1.20-rc.1`.

    `+incompatible` is build metadata; pseudo-versions are pre-releases.
    """
    bare = version[1:] if version[:1] == "v" else version[2:] if version[:2] == "go" else version
    text = _plain(bare)
    if text is None:
        toolchain = _GO_SHAPE.fullmatch(version)
        if toolchain is not None:
            bare = f"{toolchain[1]}-{toolchain[2]}.{toolchain[3]}"
        text = _parsed(bare, version)[0]
    return text.encode()


def pub_key(version: str) -> bytes:
    """The key of a Dart package version: as SemVer, then by build metadata, none first."""
    text = _plain(version)
    if text is not None:
        return (text + _END).encode()
    text, build = _parsed(version)
    return (text + (_identifiers(build, version) if build else _END)).encode()


def bitnami_key(version: str) -> bytes:
    """The key of a Bitnami version; the packaging revision ("1.2.3-4") does not count."""
    text = _plain(version)
    if text is None:
        revision = _BITNAMI_REVISION.fullmatch(version)
        text = _parsed(revision[1] if revision else version, version)[0]
    return text.encode()


def _plain(version: str) -> str | None:
    """The key text of dotted numbers, by far the commonest shape; None for any other."""
    if version.isascii():
        parts = version.split(".")
        if version[-1:] != "0":
            for part in parts:
                if not part.isdigit():
                    return None
        else:
            for part in parts:
                if not part.isdigit():
                    return None
            while parts and not parts[-1].strip("0"):
                parts.pop()
        return "".join([INTEGER[part] for part in parts]) + "\x01\x04"
    return None


def _parsed(version: str, shown: str = "") -> tuple[str, str]:
    """The key text without build metadata, and the build metadata."""
    shape = _SHAPE.fullmatch(version)
    if shape is None:
        unreadable(shown or version, "is not a semantic version", "give it as MAJOR.MINOR.PATCH")
    numbers, pre, glued, build = shape.groups()
    parts = numbers.split(".")
    if glued and len(parts) != 3:
        unreadable(shown or version, "is not a semantic version", "give it as MAJOR.MINOR.PATCH")
    while parts and not parts[-1].strip("0"):
        parts.pop()
    text = "".join([INTEGER[part] for part in parts]) + _END
    pre = pre or glued
    if pre:
        return text + _identifiers(pre, shown or version), build or ""
    return text + _RELEASE, build or ""


def _identifiers(dotted: str, shown: str) -> str:
    out = ""
    for identifier in dotted.split("."):
        if identifier.isdigit():
            out += _NUMERIC + INTEGER[identifier]
        elif identifier:
            out += _TEXT + identifier + _STOP
        else:
            unreadable(shown, "has an empty identifier", "give it as MAJOR.MINOR.PATCH-PRE.RELEASE")
    return out + _END
