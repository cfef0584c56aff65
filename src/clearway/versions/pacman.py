"""Arch Linux (`vercmp` of pacman): `[epoch:]version[-release]`.

A version without a release equals that version with any release, so the order is not
transitive, and there are no keys: ranges are evaluated with `compare`.
"""

from __future__ import annotations

import re

from ._encode import unreadable

_EPOCH = re.compile(r"([0-9]*):(.*)", re.ASCII | re.DOTALL)
# A separator run, then digits or letters; what is neither (a last separator) is dealt with apart.
_SEGMENT = re.compile(r"([^0-9A-Za-z]*)([0-9]+|[A-Za-z]+)")


def compare(a: str, b: str) -> int:
    """-1, 0 or 1. Raises VersionUnreadableError for an empty version."""
    left, right = _split(a), _split(b)
    if a == b:
        return 0
    result = _rpmvercmp(left[0], right[0]) or _rpmvercmp(left[1], right[1])
    if not result and left[2] is not None and right[2] is not None:
        return _rpmvercmp(left[2], right[2])
    return result


def _split(version: str) -> tuple[str, str, str | None]:
    epoch = _EPOCH.fullmatch(version)
    head, rest = (epoch[1] or "0", epoch[2]) if epoch else ("0", version)
    name, hyphen, release = rest.rpartition("-")
    if not rest or not rest.isprintable():
        unreadable(version, "is empty", "give it as [epoch:]version[-release]")
    return (head, name, release) if hyphen else (head, rest, None)


def _rpmvercmp(a: str, b: str) -> int:
    """`rpmvercmp` of libalpm: unlike rpm's, it counts separators, and letters at the end are lower."""
    if a == b:
        return 0
    at_a = at_b = 0
    while at_a < len(a) and at_b < len(b):
        left, right = _SEGMENT.match(a, at_a), _SEGMENT.match(b, at_b)
        if left is None or right is None:
            # One side ended in separators, which are skipped.
            at_a = left.end(1) if left else len(a)
            at_b = right.end(1) if right else len(b)
            break
        if len(left[1]) != len(right[1]):
            return -1 if len(left[1]) < len(right[1]) else 1
        one, two = left[2], right[2]
        if one.isdigit() != two.isdigit():
            return 1 if one.isdigit() else -1
        if one.isdigit():
            one, two = one.lstrip("0"), two.lstrip("0")
            if len(one) != len(two):
                return -1 if len(one) < len(two) else 1
        if one != two:
            return -1 if one < two else 1
        at_a, at_b = left.end(), right.end()
    rest_a, rest_b = a[at_a:], b[at_b:]
    if not rest_a and not rest_b:
        return 0
    if (not rest_a and not _is_letter(rest_b)) or _is_letter(rest_a):
        return -1
    return 1


def _is_letter(text: str) -> bool:
    return text[:1].isascii() and text[:1].isalpha()
