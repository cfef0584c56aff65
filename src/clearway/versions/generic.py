"""The fallback for orders that nobody defines: callers mark its answers as such.

Numbers by value, text by character, a pre-release word below the end, other text above it, and
a number above text: the rules on which most schemes agree.
"""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_PRE = "\x01"
_END = "\x02"
_TEXT = "\x03"
_STOP = "\x00"

_SEGMENTS = re.compile(r"[0-9]+|[^\W\d_]+|~", re.UNICODE)
_PRE_WORDS = {
    "dev": "0", "snapshot": "0", "nightly": "0", "pre": "1", "preview": "1", "alpha": "1", "beta": "2",
    "rc": "3", "m": "1", "milestone": "1", "cr": "3",
}  # fmt: skip


def generic_key(version: str) -> bytes:
    """The key of any text that holds a number; a leading `v`, case and the kind of separator do not count."""
    text = version.strip().lower()
    if text[:1] == "v" and text[1:2].isdigit():
        text = text[1:]
    segments = _SEGMENTS.findall(text)
    if not any("0" <= segment[0] <= "9" for segment in segments):
        unreadable(version, "holds no number")
    numbers = 0
    while numbers < len(segments) and "0" <= segments[numbers][0] <= "9":
        numbers += 1
    end = numbers
    while end and not segments[end - 1].strip("0"):
        end -= 1
    out = ""
    for segment in segments[:end] + segments[numbers:]:
        if "0" <= segment[0] <= "9":
            out += INTEGER[segment]
        elif segment == "~":
            out += _PRE + "\x00"
        elif segment in _PRE_WORDS:
            out += _PRE + _PRE_WORDS[segment]
        else:
            out += _TEXT + segment + _STOP
    return (out + _END).encode()
