"""Alpine's order (apk-tools 3, `apk_version_compare`): Alpine, Wolfi, Chainguard and their kin.

    number{.number}{letter}{_suffix{number}}{~hash}{-r number}

A number may follow the letter ("1.9.4p2"), as apk-tools 2 allowed.
"""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

# What may follow, in ascending order: what ends earlier is lower, but for a pre-release suffix.
_PRE_SUFFIX = "\x01"
_END = "\x02"
_REVISION = "\x03"
_HASH = "\x04"
_SUFFIX_NUMBER = "\x05"
_POST_SUFFIX = "\x06"
_LETTER = "\x07"
_TEXT_NUMBER = "\x08"  # a number with a leading zero compares as text, below all others
# then integers, 10h and up
_STOP = "\x00"

_SUFFIXES = {
    "alpha": _PRE_SUFFIX + "1",
    "beta": _PRE_SUFFIX + "2",
    "pre": _PRE_SUFFIX + "3",
    "rc": _PRE_SUFFIX + "4",
    "cvs": _POST_SUFFIX + "1",
    "svn": _POST_SUFFIX + "2",
    "git": _POST_SUFFIX + "3",
    "hg": _POST_SUFFIX + "4",
    "p": _POST_SUFFIX + "5",
}
_SHAPE = re.compile(
    r"([0-9]+)((?:\.[0-9]+)*)([a-z](?:[0-9]+(?:\.[0-9]+)*)?)?((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(?:~([0-9a-f]+))?(?:-r([0-9]+))?",
    re.ASCII,
)
_SUFFIX = re.compile(r"([a-z]+)([0-9]*)", re.ASCII)


def apk_key(version: str) -> bytes:
    """The key of an apk package version; `-r0` is above no revision, as apk has it."""
    shape = _SHAPE.fullmatch(version)
    if shape is None:
        unreadable(version, "is not an apk version", "give it as 1.2.3_rc1-r0")
    first, more, letter, suffixes, commit, revision = shape.groups()
    out = INTEGER[first]
    if more:
        out += _numbers(more[1:])
    if letter:
        out += _LETTER + letter[0]
        if len(letter) > 1:
            out += _numbers(letter[1:])
    if suffixes:
        for word, number in _SUFFIX.findall(suffixes):
            out += _SUFFIXES[word]
            if number:
                out += _SUFFIX_NUMBER + INTEGER[number]
    if commit:
        out += _HASH + commit + _STOP
    if revision:
        out += _REVISION + INTEGER[revision]
    return (out + _END).encode()


def _numbers(dotted: str) -> str:
    return "".join(
        [_TEXT_NUMBER + part + _STOP if part[0] == "0" else INTEGER[part] for part in dotted.split(".")]
    )
