"""What every layout is given and gives: a generator that fetches, judges, and hands over files to take in.

    for batch in layout(ask):        # files that are sound, in pieces that are each taken in before the next
    -> Outcome, or None              # what to remember; None when nothing has changed

Nothing of an `Outcome` is remembered until every batch was taken in: a pull that is killed begins where its
items say, not where its index does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from clearway.records.errors import ClearwayError, IntegrityError, UpstreamError

from .feed import Feed, Item
from .judge import UnsoundError
from .place import Got, MissingError, Place, Staging

FORGET = ""  # as an item's stamp: it is done, and nothing of it needs to be remembered


class Batch(Struct, kw_only=True):
    """Files to take in now. `items` are then done, each with the stamp by which a change of it is seen."""

    paths: list[Path]
    items: dict[str, str] = {}
    singly: bool = (
        False  # few that were asked for by name: one that is no record is no sign of a broken publisher
    )
    problems: dict[str, str] = {}  # items that could not be had or used: tried again the next time


class Outcome(Struct, kw_only=True):
    """What to remember of a pull."""

    entries: int  # how many records the publisher lists
    dated: str = ""  # its own newest date
    state: dict[str, Any] = {}
    notes: list[str] = []
    whole: bool = False  # whether validators of what was not asked for in this pull may be forgotten


Pull: TypeAlias = Generator[Batch, None, "Outcome | None"]


class Ask(Struct, kw_only=True):
    """One pull of one feed."""

    feed: Feed
    place: Place
    staging: Staging
    now: datetime
    items: Mapping[str, Item] = {}
    kept: Callable[[str], int] = lambda kind: 0  # how many records of a catalogue stand
    # (format, source -> ids) -> id -> the time of the record that stands, "" where it bears none
    held: Callable[[str, Mapping[str, Sequence[str]]], Mapping[str, str]] = lambda kind, ids: {}
    accept_smaller: bool = False
    afresh: bool = False  # fetch whether changed or not
    reread: bool = False  # indexes only
    seen: dict[str, list[str]] = {}  # reference -> [etag, last-modified]: remembered with the outcome

    def get(self, ref: str, name: str, *, max_bytes: int) -> Got | None:
        """The file at `ref`; None when it is the one of the last good pull."""
        tag, modified = ("", "") if self.afresh or self.reread else self._known(ref)
        got = self.place.get(ref, name, max_bytes=max_bytes, etag=tag, modified=modified)
        if got is not None:
            self.seen[ref] = [got.etag, got.modified]
        else:
            self.seen.setdefault(ref, [tag, modified])
        return got

    def fetch(self, ref: str, name: str, *, max_bytes: int) -> Got:
        """The file at `ref`, whether it has changed or not."""
        got = self.place.get(ref, name, max_bytes=max_bytes)
        assert got is not None
        return got

    def read(self, ref: str, name: str, *, max_bytes: int) -> Got:
        """The file at `ref`, whether it has changed or not; remembered as `get` would."""
        got = self.fetch(ref, name, max_bytes=max_bytes)
        self.seen[ref] = [got.etag, got.modified]
        return got

    def _known(self, ref: str) -> tuple[str, str]:
        known = self.feed.state.get("seen", {}).get(ref) or ["", ""]
        return known[0], known[1]


_T = TypeVar("_T")
_IN_A_ROW = 5  # failures of the connection, not of what came over it: the publisher is down


def one_by_one(
    things: Iterable[_T],
    take: Callable[[_T, Batch], None],
    key: Callable[[_T], str],
    *,
    size: int,
    all_may_fail: bool = False,
) -> Pull:
    """Batches of at most `size`, each thing added by `take` or noted with its problem.

    `all_may_fail` for things that failed before, or that are known from a list alone.

    Raises:
        UpstreamError: the publisher does not answer any more (what came before is handed over first), or a
            whole batch, of three at least, is unusable.
    """
    in_a_row = 0
    stop: ClearwayError | None = None
    for part in _chunks(things, size):
        batch = Batch(paths=[], items={}, problems={}, singly=True)
        for thing in part:
            try:
                take(thing, batch)
                in_a_row = 0
            except (UpstreamError, IntegrityError) as error:
                batch.problems[key(thing)] = error.what
                in_a_row = (
                    0 if isinstance(error, MissingError | UnsoundError | IntegrityError) else in_a_row + 1
                )
                if in_a_row >= _IN_A_ROW:
                    stop = error
                    break
        if (
            stop is None
            and not all_may_fail
            and not batch.paths
            and not batch.items
            and len(batch.problems) >= 3
        ):
            first, problem = next(iter(batch.problems.items()))
            raise UnsoundError(
                f"none of {len(batch.problems):,} documents can be used: {problem}", where=first
            )
        yield batch
        if stop is not None:
            raise stop
    return None


def _chunks(items: Iterable[_T], size: int) -> Iterable[list[_T]]:
    part: list[_T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
