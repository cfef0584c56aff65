"""PyPI: PEP 440, and below it the versions from before PEP 440, as range ends only."""

from __future__ import annotations

import re

from ._encode import INTEGER, ZERO, unreadable

_END = "\x01"  # of the release and of the local version: below every number
_DEV_ONLY, _A, _B, _RC, _NO_PRE = "\x01", "\x02", "\x03", "\x04", "\x05"
_NO_POST, _POST = "\x01", "\x02"
_DEV, _NO_DEV = "\x01", "\x02"
_LOCAL_TEXT, _STOP = "\x02", "\x00"  # below a local number
_PLAIN = _END + _NO_PRE + _NO_POST + _NO_DEV + _END
_LEGACY = "\x01"  # below any epoch

_PRE = {"a": _A, "alpha": _A, "b": _B, "beta": _B, "c": _RC, "rc": _RC, "pre": _RC, "preview": _RC}

# PEP 440, appendix B, without its names.
_SHAPE = re.compile(
    r"v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?([0-9]+)?)?"
    r"(?:-([0-9]+)|([-_.]?(?:post|rev|r)[-_.]?([0-9]*)))?"
    r"([-_.]?dev[-_.]?([0-9]*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.ASCII,
)
_LOCAL_SPLIT = re.compile(r"[-_.]")
_LEGACY_PARTS = re.compile(r"([0-9]+|[a-z]+|\.|-)")
_LEGACY_WORDS = {"pre": "c", "preview": "c", "-": "final-", "rc": "c", "dev": "@"}


def pep440_key(version: str) -> bytes:
    """The key of a PEP 440 version. Raises VersionUnreadableError for any other text."""
    text = _text(version)
    if text is None:
        unreadable(version, "is not a PEP 440 version")
    return text.encode()


def pep440_key_end(version: str) -> bytes:
    """The key of the end of a range: what PEP 440 does not know is below all that it knows.

    Such versions keep the order that setuptools had before version 8.
    """
    text = _text(version)
    if text is None:
        text = _legacy(version)
    return text.encode()


def _text(version: str) -> str | None:
    if version.isascii():
        parts = version.split(".")
        for part in parts:
            if not part.isdigit():
                break
        else:
            while parts and not parts[-1].strip("0"):
                parts.pop()
            return ZERO + "".join([INTEGER[part] for part in parts]) + _PLAIN
    shape = _SHAPE.fullmatch(version.strip().lower())
    if shape is None:
        return None
    epoch, release, pre, pre_n, implicit, post, post_n, dev, dev_n, local = shape.groups()
    parts = release.split(".")
    while parts and not parts[-1].strip("0"):
        parts.pop()
    out = (INTEGER[epoch] if epoch else ZERO) + "".join([INTEGER[part] for part in parts]) + _END
    if pre:
        out += _PRE[pre] + INTEGER[pre_n or "0"]
    elif dev and implicit is None and post is None:
        out += _DEV_ONLY
    else:
        out += _NO_PRE
    if implicit is not None:
        out += _POST + INTEGER[implicit]
    elif post is not None:
        out += _POST + INTEGER[post_n or "0"]
    else:
        out += _NO_POST
    out += _DEV + INTEGER[dev_n or "0"] if dev else _NO_DEV
    if local:
        for part in _LOCAL_SPLIT.split(local):
            out += INTEGER[part] if part.isdigit() else _LOCAL_TEXT + part + _STOP
    return out + _END


def _legacy(version: str) -> str:
    """The order of setuptools before version 8, which ordered any text."""
    lowered = version.strip().lower()
    if not lowered or not lowered.isprintable():
        unreadable(version, "is not a version")
    parts: list[str] = []
    for raw in [*_LEGACY_PARTS.split(lowered), "final"]:
        part = _LEGACY_WORDS.get(raw, raw)
        if not part or part == ".":
            continue
        if part[0] in "0123456789":
            part = part.zfill(8)
        else:
            part = "*" + part
            if part < "*final":
                while parts and parts[-1] == "*final-":
                    parts.pop()
            while parts and parts[-1] == "00000000":
                parts.pop()
        parts.append(part)
    return _LEGACY + "".join([part + _STOP for part in parts]) + _STOP
