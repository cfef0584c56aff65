"""What the key functions share: integers of any length as text that sorts, and the refusal.

Keys are put together as text and encoded at the end. Markers are characters below 50h; an
integer is one marker that says how many digits it has, and then the digits, so integers sort by
value, and no integer's text begins another's.
"""

from __future__ import annotations

from typing import NoReturn

from clearway.records.errors import VersionUnreadableError

ZERO = "\x10"  # the integer 0, and the lowest marker of any integer
_SHORT = 48  # digits that fit the one-character marker 10h..40h
_LONG = "\x41"  # then four digits that give the number of digits; versions are bounded well below 10,000
_REMEMBERED = 4096

_MARKERS = [chr(0x10 + n) for n in range(_SHORT + 1)]


class _Integers(dict[str, str]):
    """Decimal digits -> sortable text, remembered; forgets all when it has grown to its bound."""

    def __missing__(self, digits: str) -> str:
        significant = digits.lstrip("0")
        length = len(significant)
        marker = _MARKERS[length] if length <= _SHORT else f"{_LONG}{length:04d}"
        text = marker + significant
        if length < 10:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[digits] = text
        return text


INTEGER = _Integers()  # INTEGER["12"] == "\x1212"; digits must be ASCII 0-9, leading zeros do not count


def unreadable(version: str, why: str, mend: str = "") -> NoReturn:
    """Refuse `version`. Raises VersionUnreadableError always."""
    shown = version if len(version) <= 60 else version[:60] + "…"
    raise VersionUnreadableError(f"version {shown!r} {why}", mend=mend)
