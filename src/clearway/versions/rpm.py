"""RPM's order (`rpmvercmp`, `rpmverCmp` of rpm 4.16 and later): all rpm-based distributions."""

from __future__ import annotations

import re

from ._encode import INTEGER, ZERO, unreadable

_TILDE = "\x01"
_END = "\x02"
_CARET = "\x03"
_ALPHA = "\x04"
_STOP = "\x00"  # of letters
_NO_RELEASE = "\x01"
_RELEASE = "\x02"

_SEGMENTS = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
_EPOCH = re.compile(r"([0-9]*):")


def rpm_key(version: str) -> bytes:
    """The key of `[epoch:]version[-release]`; no epoch is 0, and no release is below every release."""
    text = version.strip()
    epoch = _EPOCH.match(text)
    if epoch:
        head, rest = INTEGER[epoch[1]], text[epoch.end() :]
    else:
        head, rest = ZERO, text
    if not rest:
        unreadable(version, "is empty", "give it as [epoch:]version[-release]")
    name, hyphen, release = rest.rpartition("-")
    if hyphen:
        return (head + _part(name) + _RELEASE + _part(release)).encode()
    return (head + _part(rest) + _NO_RELEASE).encode()


def _part(text: str) -> str:
    out = ""
    for segment in _SEGMENTS.findall(text):
        if segment[0] <= "9":
            out += INTEGER[segment]
        elif segment == "~":
            out += _TILDE
        elif segment == "^":
            out += _CARET
        else:
            out += _ALPHA + segment + _STOP
    return out + _END
