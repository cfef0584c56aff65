"""To whom a directive is addressed, and who has acknowledged it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from .standing import Standing


class Addressed(Struct, frozen=True, kw_only=True):
    """From `since` on (to `until`, not included) the directive is that much of a duty to the organisation."""

    org: int
    slug: str
    name: str
    standing: Standing
    since: date
    until: date | None = None


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """Somebody of the organisation has taken note of one version."""

    org: int
    version: str
    by: str
    on: date
    note: str = ""


def addressed_on(addressed: Iterable[Addressed], day: date) -> dict[int, Addressed]:
    """Who is addressed on `day`, by organisation; of two entries that hold, the one that began later."""
    held: dict[int, Addressed] = {}
    for entry in addressed:
        if entry.since <= day and (entry.until is None or day < entry.until):
            before = held.get(entry.org)
            if before is None or before.since <= entry.since:
                held[entry.org] = entry
    return held


def acknowledged_on(
    acknowledgements: Iterable[Acknowledgement], version: str, day: date
) -> dict[int, Acknowledgement]:
    """Who had acknowledged that very version by `day`, with the first time each did."""
    held: dict[int, Acknowledgement] = {}
    for entry in acknowledgements:
        if entry.version == version and entry.on <= day:
            before = held.get(entry.org)
            if before is None or entry.on < before.on:
                held[entry.org] = entry
    return held
