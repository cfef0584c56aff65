"""Debian's order (Debian policy §5.6.12, `dpkg --compare-versions`), also Ubuntu's and opam's."""

from __future__ import annotations

import re

from ._encode import INTEGER, ZERO, unreadable

# Within what is not a number: "~" is below the end, letters above it, and all else above letters.
_TILDE = "\x01"
_END = "\x02"
_ORDER = {c: c if chr(c).isalpha() else 0x80 + c for c in range(0x21, 0x7F) if not chr(c).isdigit()}
_ORDER[ord("~")] = 0x01

_PAIRS = re.compile(r"([^0-9]*)([0-9]*)")


def dpkg_key(version: str) -> bytes:
    """The key of a Debian version `[epoch:]upstream[-revision]`; a missing revision is 0."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        head, rest = ZERO, epoch
    elif epoch.isdigit() and epoch.isascii():
        head = INTEGER[epoch]
    else:
        unreadable(version, "has an epoch that is not a number")
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    if not upstream or (hyphen and not revision):
        unreadable(version, "is not a Debian version", "give it as [epoch:]upstream[-revision]")
    if not rest.isascii() or not rest.isprintable() or " " in rest:
        unreadable(version, "has characters that no Debian version has")
    return (head + _part(upstream) + _part(revision)).encode("latin-1")


def _part(text: str) -> str:
    out = ""
    for letters, digits in _PAIRS.findall(text.translate(_ORDER) or "0"):
        if letters or digits:
            out += letters + _END + INTEGER[digits]
    return out + _END
