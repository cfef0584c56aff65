"""What became of what was given to the store: which of it is kept, and what a batch changed."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

Stamp = tuple[str, str, bytes]  # source, id, sha256


class Known(Struct, frozen=True):
    """A piece that is kept: whose it is, how many entries it holds, and whether another version stands before it.

    `version` is that of a catalogue, `in_force` that of the newest of its kind; both "" for a record.
    """

    source: str
    entries: int
    older: bool
    version: str = ""
    in_force: str = ""


class Outcome(Struct):
    """Counts of one batch, each by source, and what the compiled table has to follow."""

    new: Counter[str]
    changed: Counter[str]
    unchanged: Counter[str]
    touched: set[str]  # every id about which the records below speak
    stood: list[Stamp]  # records that stand now and did not before
    replaced: list[Stamp]  # records that stood and no longer do
    whole: bool = False  # more changed than the above can say: compile everything
    older: int = 0  # of the unchanged: kept, and older than what stands
    left: tuple[str, ...] = ()  # entries that a newer catalogue no longer lists
    later: tuple[str, ...] = ()  # entries that it lists with a later date than before
    earlier: tuple[str, ...] = ()  # entries that it lists with an earlier date, and none later
    silent: list[tuple[str, str]] = field(default_factory=list)  # (source, id) of what fell silent
    past: int = 0  # of the changed: older than what stood, and accepted all the same
    held: list[int] = field(default_factory=list)  # positions of rows that would fall silent, not written


def fresh() -> Outcome:
    """Nothing yet."""
    return Outcome(Counter(), Counter(), Counter(), set(), [], [])
