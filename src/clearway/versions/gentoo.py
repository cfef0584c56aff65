"""Gentoo (Package Manager Specification, §3.3)."""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_END = "\x02"  # of the numbers: below a further number; of the suffixes: above those before a release
_BEFORE = {"alpha": "\x01\x01", "beta": "\x01\x02", "pre": "\x01\x03", "rc": "\x01\x04"}
_PATCH = "\x03"
_NO_LETTER = "\x01"
_TEXT_NUMBER = "\x08"  # algorithm 3.3: a leading zero makes a number text, without its trailing zeros
_STOP = "\x00"

_SHAPE = re.compile(
    r"([0-9]+)((?:\.[0-9]+)*)([a-zA-Z])?((?:_(?:alpha|beta|pre|rc|p)[0-9]*)*)(?:-r([0-9]+))?", re.ASCII
)
_SUFFIX = re.compile(r"([a-z]+)([0-9]*)", re.ASCII)


def gentoo_key(version: str) -> bytes:
    """The key of an ebuild version; no revision is `-r0`."""
    shape = _SHAPE.fullmatch(version)
    if shape is None:
        unreadable(version, "is not a Gentoo version")
    first, more, letter, suffixes, revision = shape.groups()
    out = INTEGER[first]
    for part in more[1:].split(".") if more else ():
        out += _TEXT_NUMBER + part.rstrip("0") + _STOP if part[0] == "0" else INTEGER[part]
    out += _END + (letter or _NO_LETTER)
    for word, number in _SUFFIX.findall(suffixes):
        out += (_PATCH if word == "p" else _BEFORE[word]) + INTEGER[number]
    return (out + _END + INTEGER[revision or "0"]).encode()
