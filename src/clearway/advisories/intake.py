"""Taking records in: from files to the database and the compiled table, and what became of each piece.

    1. pieces are read in order and gathered into batches
    2. a piece that is already kept, by its hash, is unchanged and goes no further
    3. the others are detected, decoded and derived from, in worker processes when there are many
    4. each batch is stored in one transaction; of one record the newest by its own version stands. What would fall
       silent by it waits for the end, and is taken in where it is little of its source
    5. the compiled table follows the database, whole or by what changed

Killed anywhere, the next run finds what was committed unchanged, takes the rest in, and brings
the table up to the database's generation: the end is the same.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import forkserver
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct, field

from clearway.formats.archive import Refused, walk
from clearway.records.errors import UpstreamError
from clearway.store.apart import deaf_to_ctrl_c, die_with_parent

from . import own_time
from .outcome import Outcome, Stamp
from .prepare import Aside, CatalogueRow, Prepared, Row, Skipped, prepare
from .store import Store
from .taken_back import HeldBack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from clearway.formats.archive import Blob

    from .store_catalogues import Catalogues

# A batch is one transaction: large enough to be quick, small enough that little is done twice after a kill.
BATCH_PIECES = 500
BATCH_BYTES = 8 << 20
# From this many batches on, worker processes pay for their start.
_POOL_PAYS_AT = 3
ACCEPT = "if that is right: clearway ingest FILE --accept-smaller"
_ACCEPT_OLDER = "if that is right: clearway ingest FILE --accept-older --accept-smaller"
_MOST_SKIPS = 10  # that are told with their reason; a mirror of a repository has thousands


class Progress(Protocol):
    """Told after each batch how many pieces are done."""

    def __call__(self, counts: Counts) -> None: ...


class Counts(Struct):
    """What became of the pieces. read = new + changed + unchanged + skipped + set_aside."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    set_aside: int = 0
    by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    skips: list[tuple[str, str]] = field(default_factory=list)  # (place, reason) of the first few
    rejects: list[tuple[str, str]] = field(default_factory=list)  # (place, reason)
    notes: list[str] = field(default_factory=list)  # defects that did not stop a record
    older: int = 0  # of the unchanged: older than what is in force, so kept and not taken
    silent: dict[str, list[str]] = field(default_factory=dict)  # source -> records that it took back
    left: dict[str, list[str]] = field(
        default_factory=dict
    )  # source -> what its newer catalogue lists no more
    later: dict[str, list[str]] = field(default_factory=dict)  # source -> what that lists with a later date
    earlier: dict[str, list[str]] = field(default_factory=dict)  # the same with an earlier one
    refused: list[tuple[str, str]] = field(
        default_factory=list
    )  # (place, reason) of what takes too much back

    @property
    def read(self) -> int:
        return self.new + self.changed + self.unchanged + self.skipped + self.set_aside

    def add(self, word: str, by_source: Counter[str]) -> None:
        """Counts records under "new", "changed" or "unchanged"."""
        setattr(self, word, getattr(self, word) + by_source.total())
        for source, number in by_source.items():
            if number:
                line = self.by_source.setdefault(source, {"new": 0, "changed": 0, "unchanged": 0})
                line[word] += number


class Changes(Struct):
    """What the compiled table has to follow."""

    touched: set[str] = field(default_factory=set)  # ids
    stood: list[Stamp] = field(default_factory=list)
    replaced: list[Stamp] = field(default_factory=list)
    whole: bool = False  # more changed than these can say, such as a catalogue


_BATCH = msgspec.msgpack.Decoder(list[Prepared])
_ENCODE = msgspec.msgpack.Encoder().encode


def take_in(
    paths: Sequence[str | Path],
    store: Store,
    catalogues: Catalogues,
    *,
    forced: str = "",
    progress: Progress | None = None,
) -> tuple[Counts, Changes]:
    """Takes in everything under `paths`; returns the counts and what changed.

    A catalogue that takes much back of the one in force is set aside, and so are the records by which much of a source
    would fall silent, unless the store accepts what is smaller.

    Raises:
        NotFoundError: a path does not exist; nothing was taken in.
        UpstreamError: the database failed; committed batches stand, and running it again goes on.
    """
    counts, changes = Counts(), Changes()
    stored = _Stored(store, catalogues, counts, changes)
    with ExitStack() as stack:
        work = _Work(stack, forced)
        waiting: deque[tuple[list[Blob], Future[bytes] | bytes]] = deque()
        for batch in _batches(walk(paths), counts, store):
            fresh = _without_known(batch, store, counts)
            if fresh:
                waiting.append((fresh, work.submit(fresh)))
            while len(waiting) > work.ahead:
                stored.finish(waiting.popleft())
            if progress is not None:
                progress(counts)
        while waiting:
            stored.finish(waiting.popleft())
            if progress is not None:
                progress(counts)
    stored.settle()
    return counts, changes


def _batches(pieces: Iterable[Blob | Refused], counts: Counts, store: Store) -> Iterator[list[Blob]]:
    batch: list[Blob] = []
    refused: list[Aside] = []
    size = 0
    for piece in pieces:
        if isinstance(piece, Refused):
            refused.append(Aside(0, piece.place, piece.reason, hashlib.sha256(piece.place.encode()).digest()))
            continue
        batch.append(piece)
        size += len(piece.data)
        if len(batch) >= BATCH_PIECES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
    if refused:
        _set_aside(refused, store, counts)


def _without_known(batch: list[Blob], store: Store, counts: Counts) -> list[Blob]:
    hashes = [hashlib.sha256(b.data).digest() for b in batch]
    known = store.known(hashes)
    unchanged: Counter[str] = Counter()
    fresh = []
    for blob, sha256 in zip(batch, hashes, strict=True):
        found = known.get(sha256)
        if found is None:
            fresh.append(blob)
        else:
            unchanged[found.source] += found.entries
            if found.older:
                counts.older += found.entries
                if found.version:
                    counts.notes.append(_not_newer(blob.place, found.version, found.in_force))
    counts.add("unchanged", unchanged)
    return fresh


class _Stored:
    """Stores what was prepared, batch by batch, and counts it."""

    def __init__(self, store: Store, catalogues: Catalogues, counts: Counts, changes: Changes) -> None:
        self._store, self._catalogues = store, catalogues
        self._counts, self._changes = counts, changes
        self._held = HeldBack(store.records_of)

    def finish(self, job: tuple[list[Blob], Future[bytes] | bytes]) -> None:
        """Stores one batch; waits for it where a worker process prepares it."""
        counts = self._counts
        blobs, answer = job
        try:
            prepared = _BATCH.decode(answer if isinstance(answer, bytes) else answer.result())
        except BrokenProcessPool:
            raise UpstreamError(
                "a worker process ended before its time",
                where=blobs[0].place,
                mend="see whether the machine ran out of memory, then run the same command again: it goes on",
            ) from None
        rows: list[Row] = []
        asides: list[Aside] = []
        for item in prepared:
            if isinstance(item, Row):
                if wrong := own_time.of_record(item.version, self._store.received):
                    asides.append(Aside(item.piece, item.place, wrong, item.sha256))
                    continue
                rows.append(item)
                counts.notes += [f"{item.place}: {note}" for note in item.notes]
            elif isinstance(item, CatalogueRow):
                asides += self._catalogue(item, blobs[item.piece].data)
            elif isinstance(item, Skipped):
                counts.skipped += 1
                if len(counts.skips) < _MOST_SKIPS:
                    counts.skips.append((item.place, item.reason))
            else:
                asides.append(item)
        if rows:
            raws = [blobs[r.piece].data if r.raw is None else r.raw for r in rows]
            outcome = self._store.write(rows, raws, hold=not self._store.accept_smaller)
            _count(outcome, counts, self._changes)
            if self._store.accept_smaller:
                self._store.not_aside([row.sha256 for row in rows])
            for at in outcome.held:
                self._held.add(rows[at], raws[at])
        if asides:
            _set_aside(asides, self._store, counts)

    def settle(self) -> None:
        """Takes in what would fall silent, where it is little of its source; sets it aside where it is much."""
        few = self._held.few()
        for at in range(0, len(few), BATCH_PIECES):
            rows, raws = zip(*few[at : at + BATCH_PIECES], strict=True)
            _count(self._store.write(rows, raws), self._counts, self._changes)
        for reason, asides in self._held.much():
            self._counts.refused.append((asides[0].place, reason))
            named = [msgspec.structs.replace(aside, reason=f"{reason} ({ACCEPT})") for aside in asides]
            _set_aside(named, self._store, self._counts)

    def _catalogue(self, item: CatalogueRow, raw: bytes) -> list[Aside]:
        """Takes a catalogue in; or why not."""
        counts = self._counts
        if wrong := own_time.of_catalogue(item.version, self._store.received):
            return [Aside(item.piece, item.place, wrong, item.sha256)]
        if not self._store.accept_smaller and (wrong := self._catalogues.loosens(item)):
            counts.refused.append((item.place, wrong))
            accept = _ACCEPT_OLDER if self._store.accept_older else ACCEPT
            return [Aside(item.piece, item.place, f"{wrong} ({accept})", item.sha256)]
        outcome = self._catalogues.write(item, raw)
        self._changes.whole = self._changes.whole or bool(outcome.new or outcome.changed)
        _count(outcome, counts, self._changes)
        if outcome.older:
            in_force = self._catalogues.in_force(item.kind) or ""
            counts.notes.append(_not_newer(item.place, item.version, in_force))
        if outcome.left:
            counts.left.setdefault(item.source, []).extend(outcome.left)
        if outcome.later:
            counts.later.setdefault(item.source, []).extend(outcome.later)
        if outcome.earlier:
            counts.earlier.setdefault(item.source, []).extend(outcome.earlier)
        return []


def _not_newer(place: str, version: str, in_force: str) -> str:
    """What is said of a catalogue in whose place another stands."""
    own, other = version.partition("T")[0], in_force.partition("T")[0]
    word = "older than what is in force" if own < other else "no newer than what is in force"
    return f"{place}: {word}: not taken (its version {own or 'is none'}, in force {other or 'none'})"


def _set_aside(asides: list[Aside], store: Store, counts: Counts) -> None:
    store.set_aside(asides)
    counts.set_aside += len(asides)
    counts.rejects += [(a.place, a.reason) for a in asides]


def _count(outcome: Outcome, counts: Counts, changes: Changes) -> None:
    counts.add("new", outcome.new)
    counts.add("changed", outcome.changed)
    counts.add("unchanged", outcome.unchanged)
    counts.older += outcome.older
    for source, identifier in outcome.silent:
        counts.silent.setdefault(source, []).append(identifier)
    changes.touched |= outcome.touched
    changes.stood += outcome.stood
    changes.whole = changes.whole or outcome.whole
    changes.replaced += outcome.replaced


class _Work:
    """Prepares batches: here while there are few, in worker processes once there are many."""

    def __init__(self, stack: ExitStack, forced: str) -> None:
        self._stack = stack
        self._forced = forced
        self._pool: ProcessPoolExecutor | None = None
        self._alone = False
        self._seen = 0

    @property
    def ahead(self) -> int:
        """How many batches may be waiting for their turn to be stored."""
        return 0 if self._pool is None else _workers() + 1

    def submit(self, batch: list[Blob]) -> Future[bytes] | bytes:
        pieces = [(b.place, b.data) for b in batch]
        self._seen += 1
        if self._seen < _POOL_PAYS_AT:
            return _prepared(pieces, self._forced)
        if self._pool is None and not self._alone:
            self._start()
        if self._pool is None:
            return _prepared(pieces, self._forced)
        with deaf_to_ctrl_c():  # the first call starts the workers: half a start can't be ended in peace
            return self._pool.submit(_prepared, pieces, self._forced)

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        try:
            self._pool = ProcessPoolExecutor(_workers(), mp_context=context, initializer=die_with_parent)
        except OSError:  # no semaphores here, such as a /dev/shm that may not be written: slower, as sound
            self._alone = True
        else:
            self._stack.callback(self._pool.shutdown, cancel_futures=True)
            with deaf_to_ctrl_c():
                forkserver.ensure_running()  # whose children its workers are


def _workers() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0))))


def _prepared(pieces: list[tuple[str, bytes]], forced: str) -> bytes:
    return _ENCODE(prepare(pieces, forced))


def derive_again(store: Store) -> bool:
    """Derives anew whatever other rules or another vendor map derived; returns whether there was any."""
    done = False
    while stale := store.stale(BATCH_PIECES):
        done = True
        by_kind: dict[str, list[tuple[str, bytes]]] = {}
        for kind, origin, raw in stale:
            by_kind.setdefault(kind, []).append((origin, raw))
        for kind, pieces in by_kind.items():
            rows = [r for r in prepare(pieces, kind) if isinstance(r, Row)]
            store.write(rows, [pieces[r.piece][1] if r.raw is None else r.raw for r in rows])
            read = {r.piece for r in rows}
            store.keep_as_derived([raw for i, (_, raw) in enumerate(pieces) if i not in read])
    return done
