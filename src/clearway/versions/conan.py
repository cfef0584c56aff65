"""Conan: parts between dots, `-pre` below and `+build` above; each of the two a version by itself."""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_END = "\x01"
_PRE, _RELEASE = "\x02", "\x03"
_NO_BUILD, _BUILD = "\x01", "\x02"
_STOP = "\x00"
_WORD = "\x42"  # above every integer

_PART = re.compile(r"([0-9]*)(.*)", re.ASCII | re.DOTALL)


def conan_key(version: str) -> bytes:
    """The key of a Conan version.

    Conan compares a number with text as text, which is not transitive for text that begins with
    a digit; here "1a" stands just above 1.
    """
    text = version.strip()
    if not text or not text.isprintable():
        unreadable(version, "is not a version")
    return _encoded(text).encode("utf-8", "surrogatepass")


def _encoded(text: str) -> str:
    value, plus, build = text.rpartition("+")
    if not plus:
        value = text
    main, hyphen, pre = value.rpartition("-")
    if not hyphen:
        main = value
    parts = main.split(".")
    while parts and parts[-1].isdigit() and not parts[-1].strip("0"):
        parts.pop()
    out = ""
    for part in parts:
        digits, rest = _PART.fullmatch(part).groups()  # type: ignore[union-attr]  # it matches any text
        out += (INTEGER[digits] if digits else _WORD) + rest + _STOP
    out += _END
    out += _PRE + _plain(pre) if hyphen else _RELEASE
    return out + (_BUILD + _plain(build) if plus else _NO_BUILD)


def _plain(text: str) -> str:
    """A pre-release or build; what Conan would nest further is taken as its parts."""
    parts = text.split(".")
    while parts and parts[-1].isdigit() and not parts[-1].strip("0"):
        parts.pop()
    out = ""
    for part in parts:
        digits, rest = _PART.fullmatch(part).groups()  # type: ignore[union-attr]  # it matches any text
        out += (INTEGER[digits] if digits else _WORD) + rest + _STOP
    return out + _END
