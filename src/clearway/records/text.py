"""Text from outside, made safe to show: it is data on every surface, a terminal too."""

from __future__ import annotations

_SHORT = {"\n": " ", "\t": " ", "\r": " "}


def plain(text: str, limit: int = 400) -> str:
    """`text` on one line without control, escape or direction-changing characters, cut at `limit`.

    What is taken out is shown as U+FFFD, so that a reader sees that something was there.
    """
    if text.isprintable() and len(text) <= limit:
        return text
    shown = "".join(c if c.isprintable() else _SHORT.get(c, "\ufffd") for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
