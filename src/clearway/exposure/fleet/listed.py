"""Since when an organisation has known of an exposure, and what was due before that. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


def known_since(first_seen: date, detected: date) -> date:
    """The day from which it was known: when it was first listed here, or found by a scanner before that.

    What was gone and came back is detected anew, and has been known since the first time.
    """
    return min(first_seen, detected)


def before_listed(due: date | None, known: date) -> bool:
    """Whether it was due before it was known: nobody could have kept that date, so no days over are counted."""
    return due is not None and due < known
