"""Text from outside, made safe to show: it is data on every surface, a terminal too."""

from __future__ import annotations

_SHORT = {"\n": " ", "\t": " ", "\r": " "}


# What turns the direction of the text after it, or hides in it: a name with one is shown as another.
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def is_one_line(text: str) -> bool:
    """Whether `text` has no line break, no other control character and no mark that turns its direction."""
    return not any(c < " " or "\x7f" <= c <= "\x9f" or c in _TURNS for c in text)


def plain(text: str, limit: int = 400) -> str:
    """`text` on one line without control, escape or direction-changing characters, cut at `limit`.

    What is taken out is shown as U+FFFD, so that a reader sees that something was there.
    """
    if text.isprintable() and len(text) <= limit:
        return text
    shown = "".join(c if c.isprintable() else _SHORT.get(c, "\ufffd") for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
