"""Composer (Packagist, Drupal): versions made regular as Composer does, then PHP's `version_compare`.

So 1.0 = 1.0.0.0 and `ALPHA` = `a`, unlike bare `version_compare`. What Composer refuses but PHP
orders ("3.1.0.post1", "8.x-1.3") is compared as PHP compares it.
"""

from __future__ import annotations

import re

from ._encode import INTEGER, ZERO, unreadable

# PHP, compare_special_version_forms: unknown < dev < alpha < beta < RC < # < pl; # is a number or the end.
_UNKNOWN, _DEV, _ALPHA, _BETA, _RC, _END = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06"
# then integers, 10h to 41h
_PATCH = "\x42"

# Possessive, as in Composer: else digits at the end cost exponential time.
_MODIFIER = r"(?:[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?[0-9]++)*+)?)?([.-]?dev)?)?"
_CLASSICAL = re.compile(
    r"v?([0-9]{1,5})(\.[0-9]+)?(\.[0-9]+)?(\.[0-9]+)?" + _MODIFIER, re.IGNORECASE | re.ASCII
)
_DATE = re.compile(
    r"v?([0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3}){0,2})" + _MODIFIER, re.IGNORECASE | re.ASCII
)
_BRANCH = re.compile(
    r"v?([0-9]+)(\.(?:[0-9]+|[x*]))?(\.(?:[0-9]+|[x*]))?(\.(?:[0-9]+|[x*]))?[.-]?dev", re.IGNORECASE
)
_BUILD = re.compile(r"([^,\s+]+)\+[^\s]+")
_FORMS = {
    "a": "alpha", "alpha": "alpha", "b": "beta", "beta": "beta", "rc": "RC", "p": "patch", "pl": "patch",
    "patch": "patch", "stable": "",
}  # fmt: skip
_FRONT = re.compile(r"[0-9]{1,5}(?:\.[0-9]+)*(?=[^0-9])")
_PARTS = re.compile(r"[0-9]+|[^0-9._+-]+", re.ASCII)
_OPEN = "9999999"  # Composer's stand-in for the x of a branch


def composer_key(version: str) -> bytes:
    """The key of a Composer version. A branch name ("dev-main") has no order and is unreadable."""
    if version.isascii():
        parts = version[1:].split(".") if version[:1] in ("v", "V") else version.split(".")
        for part in parts:
            if not part.isdigit():
                break
        else:
            text = "".join([INTEGER[part] for part in parts])
            if len(parts) < 4 and len(parts[0]) <= 5:
                text += ZERO * (4 - len(parts))
            return (text + _END).encode()
    return _parsed(version, version.strip()).encode()


def composer_key_end(version: str) -> bytes:
    """The key of an end of a range: a branch name is below every version, as Composer has it."""
    if version.strip().lower().startswith("dev-"):
        return _UNKNOWN.encode() + version.strip().lower().encode() + b"\0"
    return composer_key(version)


def _parsed(version: str, text: str) -> str:
    if text.lower().startswith("dev-") or not any(c in "0123456789" for c in text):
        unreadable(version, "is a branch or a name, not a version", "give the release")
    if not text.isprintable() or not text.isascii():
        unreadable(version, "has characters that no Composer version has")
    text = text.replace(".#", "")  # PHP's stand-in for any number: as a part of its own it counts for nothing
    build = _BUILD.fullmatch(text)
    return _listed(_regular(build[1] if build else text))


def _regular(text: str) -> str:
    """The text as Composer's `VersionParser::normalize` writes it; unchanged where Composer refuses it."""
    shape = _CLASSICAL.fullmatch(text)
    if shape is not None:
        head = shape[1] + (shape[2] or ".0") + (shape[3] or ".0") + (shape[4] or ".0")
        word, number, dev = shape[5], shape[6], shape[7]
    else:
        shape = _DATE.fullmatch(text)
        if shape is None:
            branch = _BRANCH.fullmatch(text)
            if branch is None:
                return _padded(text[1:] if text[:1] in ("v", "V") else text)
            parts = [(part or ".x").lstrip(".") for part in branch.groups()]
            return ".".join(_OPEN if part in "xX*" else part for part in parts) + "-dev"
        head = ".".join(re.findall(r"[0-9]+", shape[1]))
        word, number, dev = shape[2], shape[3], shape[4]
    form = _FORMS[word.lower()] if word else ""
    if word and not form:
        return head
    return head + (f"-{form}{(number or '').lstrip('.-')}" if form else "") + ("-dev" if dev else "")


def _padded(text: str) -> str:
    """Four numbers at the front, as the versions have that Composer accepts."""
    front = _FRONT.match(text)
    if front is None:
        return text
    return front[0] + ".0" * (3 - front[0].count(".")) + "-" + text[front.end() :].lstrip(".-_+")


def _listed(text: str) -> str:
    out = ""
    for part in _PARTS.findall(text):
        if part[0] in "0123456789":
            out += INTEGER[part]
        elif part.startswith("dev"):
            out += _DEV
        elif part[0] == "a":
            out += _ALPHA
        elif part[0] == "b":
            out += _BETA
        elif part.startswith(("rc", "RC")):
            out += _RC
        elif part[0] == "p":
            out += _PATCH
        else:
            out += _UNKNOWN
    return out + _END
