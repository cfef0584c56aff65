"""Maven's `ComparableVersion`, as of Maven 3.9.

A version is a list whose last item may be a list again; a hyphen, and a change between digits
and letters, open one. Empty items (0, "", `ga`, `final`, `release`) at the end of each list go.

Maven's order is not transitive where a bare qualifier stands *within* a list
(`1.x.2 < 1-alpha < 1 < 1.x.2`). A key can't follow that: here every version keeps its
side of the version that it extends, so 1-alpha < 1 < 1.x.2.
"""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

# What may stand at one place of a list, in ascending order.
_TEXT_BELOW = "\x01"  # a qualifier below a release
_LIST_BELOW = "\x02"  # a list that begins below a release
_ZERO_BELOW = "\x03"  # an empty item, and what follows is below a release
_END = "\x04"
_TEXT_ABOVE = "\x05"
_LIST_ABOVE = "\x06"
# then integers, 10h and up
_STOP = "\x00"

_ITEMS = re.compile(r"[0-9]+|[^0-9.-]+|[.-]")
_ALIASES = {"ga": "", "final": "", "release": "", "cr": "rc"}
_BEFORE_DIGIT = {"a": "alpha", "b": "beta", "m": "milestone"}
# ComparableVersion.QUALIFIERS; any other qualifier is above them, by its text.
_RANKS = {"alpha": "0", "beta": "1", "milestone": "2", "rc": "3", "snapshot": "4", "": "5", "sp": "6"}
_OTHER = "7"
_RELEASE_RANK = "5"
# Words that name whatever is newest, or nothing; Maven resolves the first two before it compares.
_NO_VERSIONS = frozenset(("release", "latest", "unspecified"))

_LIST = "("  # opens a list; no item is written so


def maven_key(version: str) -> bytes:
    """The key of a Maven version: any text but those that name no version (`RELEASE`, `LATEST`, `${…}`)."""
    if version.isascii():
        parts = version.split(".")
        for part in parts:
            if not part.isdigit():
                break
        else:
            while parts and not parts[-1].strip("0"):
                parts.pop()
            return ("".join([INTEGER[part] for part in parts]) + _END).encode()
    lowered = version.lower()
    if not version or lowered in _NO_VERSIONS or "${" in version or "\0" in version:
        unreadable(version, "names no version", "give the version that was resolved")
    return _encoded(_normal(_tokens(lowered))).encode("utf-8", "surrogatepass")


def _tokens(version: str) -> list[str]:
    """Items in order; digits, qualifiers with their aliases undone, and `(` where a list opens."""
    out: list[str] = []
    empty = True  # nothing stands in the innermost list yet
    was = ""  # the kind of the item just read, "" after a separator
    items = _ITEMS.findall(version)
    last = len(items) - 1
    for at, item in enumerate(items):
        if item in (".", "-"):
            if not was:
                out.append("0")
                empty = False
            was = ""
            if item == "-":
                out.append(_LIST)
                empty = True
        elif item[0] in "0123456789":
            if was:
                out.append(_LIST)
            out.append(item)
            empty = False
            was = "digits"
        else:
            before_digit = at < last and items[at + 1][0] in "0123456789"
            # A qualifier at the end or before digits opens a list even after a dot.
            if was or ((before_digit or at == last) and not empty):
                out.append(_LIST)
            if before_digit:
                item = _BEFORE_DIGIT.get(item, item)
            out.append(_ALIASES.get(item, item))
            empty = False
            was = "letters"
    return out


def _normal(tokens: list[str]) -> list[str]:
    """Without the empty items that end each list; in reverse order."""
    out: list[str] = []
    trimming = True
    for token in reversed(tokens):
        if token == _LIST:
            if out:
                out.append(token)
            trimming = True
        elif token and token.strip("0"):
            out.append(token)
            trimming = False
        elif not trimming:
            out.append(token)
    return out


def _encoded(reverse: list[str]) -> str:
    parts = [_END]
    sign = 0  # how the rest of the version compares with its absence
    for token in reverse:
        if token == _LIST:
            parts.append(_LIST_BELOW if sign < 0 else _LIST_ABOVE)
        elif not token:
            parts.append((_TEXT_BELOW if sign < 0 else _TEXT_ABOVE) + _RELEASE_RANK + _STOP)
        elif token[0] in "0123456789":
            if token.strip("0"):
                sign = 1
                parts.append(INTEGER[token])
            else:
                parts.append(_ZERO_BELOW if sign < 0 else INTEGER[token])
        else:
            rank = _RANKS.get(token)
            sign = -1 if rank is not None and rank < _RELEASE_RANK else 1
            text = _OTHER + token if rank is None else rank
            parts.append((_TEXT_BELOW if sign < 0 else _TEXT_ABOVE) + text + _STOP)
    parts.reverse()
    return "".join(parts)
