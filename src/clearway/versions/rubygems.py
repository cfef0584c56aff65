"""RubyGems (`Gem::Version`): text below the end, the end below numbers; a missing part is 0."""

from __future__ import annotations

import re

from ._encode import INTEGER, unreadable

_TEXT = "\x01"
_STOP = "\x00"
_ZERO_BELOW = "\x02"  # a 0 after which the first part that is not 0 is text
_END = "\x03"
# then integers, 10h and up

# As Gem::Version, but letters may follow the first number at once ("1beta"): its own segments order them.
_SHAPE = re.compile(r"[0-9]+[A-Za-z]*(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII)
_SEGMENTS = re.compile(r"[0-9]+|[A-Za-z]+")


def rubygems_key(version: str) -> bytes:
    """The key of a gem version; a hyphen reads as `.pre.`, as RubyGems does."""
    if version.isascii():
        parts = version.split(".")
        for part in parts:
            if not part.isdigit():
                break
        else:
            while parts and not parts[-1].strip("0"):
                parts.pop()
            return ("".join([INTEGER[part] for part in parts]) + _END).encode()
    text = version.strip()
    if _SHAPE.fullmatch(text) is None:
        unreadable(version, "is not a gem version")
    segments = _SEGMENTS.findall(text.replace("-", ".pre."))
    first_text = next((i for i, segment in enumerate(segments) if segment > "9"), len(segments))
    numbers, rest = segments[:first_text], segments[first_text:]
    for group in (numbers, rest):
        while group and not group[-1].strip("0"):
            group.pop()
    out = [_END]
    below = False
    for segment in reversed(numbers + rest):
        if segment > ":":
            below = True
            out.append(_TEXT + segment + _STOP)
        elif segment.strip("0"):
            below = False
            out.append(INTEGER[segment])
        else:
            out.append(_ZERO_BELOW if below else INTEGER[segment])
    out.reverse()
    return "".join(out).encode()
