"""OpenSSL: numbers, then the patch letters of the releases before 3.0 (1.0.2 < 1.0.2a < 1.0.2za)."""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_END = "\x01"
_STOP = "\x00"
_NUMERIC, _TEXT = "\x02", "\x03"
_RELEASE = "\x04"

_SHAPE = re.compile(r"([0-9]+(?:\.[0-9]+)*)([a-z]*)(?:-([0-9a-z.-]+))?", re.ASCII)
_PARTS = re.compile(r"[0-9]+|[a-z]+", re.ASCII)


def openssl_key(version: str) -> bytes:
    """The key of an OpenSSL release; `-pre`, `-dev`, `-alpha` and `-beta` come before it."""
    shape = _SHAPE.fullmatch(version.strip().lower())
    if shape is None:
        unreadable(version, "is not an OpenSSL version")
    numbers, letters, before = shape.groups()
    parts = numbers.split(".")
    while parts and not parts[-1].strip("0"):
        parts.pop()
    out = "".join([INTEGER[part] for part in parts]) + _END + letters + _STOP
    if before is None:
        return (out + _RELEASE).encode()
    for part in _PARTS.findall(before):
        out += _NUMERIC + INTEGER[part] if part.isdigit() else _TEXT + part + _STOP
    return (out + _END).encode()
