"""Verifying a whole log: every leaf, tile, root, signature and opening, from whatever holds them. Pure.

    1. Each checkpoint is read, and must be signed by a key of the log.
    2. Each leaf is hashed from its bundle and held against its level-0 tile.
    3. Each row of the tree is computed anew and held against the tiles above.
    4. The root at the size of each checkpoint, and of what a witness has kept, is computed and compared.
    5. What is opened of an entry is hashed with its salt and held against its leaf.

Nothing is believed for standing beside a signature: the tree is computed from the leaves alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError

from .checkpoint import Checkpoint, Epoch, of_note
from .leaf import STRIDE, Opening, leaf_hashes, opens
from .log_keys import followed
from .merkle import EMPTY_ROOT, HASH_BYTES, fold, join, node_hash, perfect
from .note import Note, VerifierKey, parse, parse_key, verified
from .tiles import HEIGHT, WIDTH, Tile
from .tree_store import LogKey

_ERASED = re.compile(r'"entry/([0-9]{1,18})"')
_CLOSED = 100_000  # closed leaves that are remembered
_SHOWN = 20  # reasons; a log that is wrong throughout needs no more
_ROW = WIDTH * HASH_BYTES


class Chunk(Struct, frozen=True, kw_only=True):
    """One bundle with its level-0 tile, and what opens its leaves."""

    bundle: bytes
    tile: bytes
    openings: Sequence[tuple[int, Opening]] = ()  # each with its place in the bundle
    problems: Sequence[tuple[int, str]] = ()  # what the holder itself found wrong, each with its place


class Source(Protocol):
    """What holds a log."""

    def notes(self) -> list[str]:
        """The checkpoints, in any order."""
        ...

    def keys(self) -> list[LogKey]:
        """The keys of the log as the holder tells them, oldest first."""
        ...

    def chunks(self, size: int) -> Iterator[Chunk]:
        """The bundles of a tree of `size`, in order, as far as there are any."""
        ...

    def tile(self, tile: Tile) -> bytes:
        """A tile above level 0; empty when it is not there."""
        ...

    def epochs(self) -> list[Epoch]:
        """The restarts, oldest first."""
        ...

    def elsewhere(self) -> list[str]:
        """What is wrong with the holder beside the tree."""
        ...


class Witnessed(Struct, frozen=True, kw_only=True):
    """What a witness vouches for."""

    name: str
    size: int
    root: str
    time: int  # seconds since 1970, 0 when its copy says none
    ok: bool


class Restart(Struct, frozen=True, kw_only=True):
    """One restart of the log, as every checkpoint since then says it."""

    epoch: int
    old_size: int
    old_root: str
    kept: int
    lost: int  # entries that had been signed and are gone


class Report(Struct, frozen=True, kw_only=True):
    """The answer; schema `schemas/ledger-verify.schema.json`."""

    ok: bool
    size: int
    root: str  # base64, as in a checkpoint
    first_bad: int | None  # the first leaf that is wrong or can't be told right, counted from 0
    origin: str = ""
    reasons: tuple[str, ...] = ()
    epochs: tuple[Restart, ...] = ()
    witnesses: tuple[Witnessed, ...] = ()
    keys: tuple[str, ...] = ()
    pinned: bool = False  # whether the caller named a key, or the holder's word was taken
    checkpoints: int = 0
    opened: int = 0  # parts of entries whose text was checked
    closed: int = 0  # parts that are withheld or erased: committed to, not shown
    withheld: tuple[int, ...] = ()  # the first leaves of which a part is closed and no entry shown says why
    pending: int = 0  # acknowledged and without a leaf yet


Witness = VerifierKey | Note


def verify(
    source: Source,
    *,
    key: VerifierKey | None = None,
    own: VerifierKey | None = None,
    last: Checkpoint | None = None,
    complete: bool = False,
    witnesses: Iterable[Witness] = (),
    pending: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Verifies all that `source` holds.

    `key` is a key of the log that the caller knows from elsewhere; without one the holder's own are believed, and
    `pinned` says so. `own` is the key that signs where the caller is: the holder must know it. `last` is what was
    signed there last: the log must begin with it, or be of an epoch that names it. With `complete`, a part that is
    closed must be explained by an entry that says that it was erased. A witness is its key
    (a checkpoint must bear its co-signature) or its own copy of a checkpoint (the log must begin with it). `progress`
    is told leaves done and in all.
    """
    return _Verifier(source, key, own, last, complete, list(witnesses), progress).run(pending)


class _Verifier:
    def __init__(
        self,
        source: Source,
        key: VerifierKey | None,
        own: VerifierKey | None,
        last: Checkpoint | None,
        complete: bool,
        witnesses: list[Witness],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.source = source
        self.key = key
        self.own = own
        self.last = last
        self.complete = complete
        self.witnesses = witnesses
        self.progress = progress
        self.problems: list[tuple[int, str]] = []  # (leaf, what); the leaf is -1 for what concerns none
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.opened = 0
        self.closed = 0
        self.closed_at: dict[
            int, int
        ] = {}  # leaf to entry, of those that are closed (0: the entry is not told)
        self.erased: set[int] = set()  # entries that an entry says are erased

    def run(self, pending: int) -> Report:
        trusted = self._trusted()
        if self.own is not None and self.own not in trusted:
            self._bad(-1, "the key that signs here is not among the keys of the log")
        signed = self._signed(trusted)
        newest = max((c for c, _ in signed), key=lambda c: c.size, default=None)
        copies = [(of_note(w), w) for w in self.witnesses if isinstance(w, Note)]
        size = self._reaches(newest.size if newest else 0, newest, copies)
        known = [(c.size, c.root, "a checkpoint") for c, _ in signed]
        known += [(c.size, c.root, "the witness's copy") for c, _ in copies if c.size <= size]
        known += self._continues(newest, size)
        self._tree(size, {s for s, _, _ in known})
        agreed = self._compare(known)
        found = [self._witnessed(w, signed, size, newest) for w in self.witnesses]
        epochs = self._epochs(newest)
        for said in self.source.elsewhere():
            self._bad(-1, said)
        withheld = [leaf for leaf, entry in self.closed_at.items() if entry not in self.erased]
        if self.complete:
            for leaf in withheld:
                self._bad(leaf, f"leaf {leaf}: a part is withheld, and no entry says that it was erased")
        leaves = [leaf for leaf, _ in self.problems if leaf >= 0]
        order = sorted(self.problems, key=lambda p: (p[0] < 0, p[0]))
        return Report(
            ok=not self.problems,
            size=size,
            root=text_of(newest.root if newest else EMPTY_ROOT),
            first_bad=min(leaves, default=None),
            origin=newest.origin if newest else "",
            reasons=tuple(text for _, text in order[:_SHOWN]),
            epochs=epochs,
            witnesses=tuple(found),
            keys=tuple(k.text() for k in trusted),
            pinned=self.key is not None,
            checkpoints=agreed,
            opened=self.opened,
            closed=self.closed,
            withheld=tuple(withheld[:_SHOWN]),
            pending=pending,
        )

    def _continues(self, newest: Checkpoint | None, size: int) -> list[tuple[int, bytes, str]]:
        """What was signed here last, to be held against the tree."""
        last = self.last
        if last is None or not last.size:
            return []
        epoch = newest.epoch if newest else None
        if epoch is not None and (epoch.old_size, epoch.old_root) == (last.size, last.root):
            return []  # the restart that gave this one up
        if newest is not None and newest.origin != last.origin:
            self._bad(-1, "another log was signed here last")
            return []
        if last.size > size:
            self._bad(size, f"the log has {size:,} entries, and {last.size:,} were signed here")
            return []
        return [(last.size, last.root, "what was signed here last,")]

    def _reaches(
        self, signed: int, newest: Checkpoint | None, copies: Sequence[tuple[Checkpoint, Note]]
    ) -> int:
        """How far the tree is to be checked: to the newest checkpoint, or as far as another vouches for it.

        Where the newest checkpoint is gone or altered, no leaf need be wrong: a copy of it that is kept elsewhere shows
        whether the leaves are those that it was signed for.
        """
        ours = [c for c, _ in copies if newest is None or c.origin == newest.origin]
        known = [(c.size, c.root, "as the witness's copy of it shows") for c in ours]
        if self.last is not None:
            known.append((self.last.size, self.last.root, "as what was signed here last shows"))
        for size, root, words in sorted(known, reverse=True):
            if size > signed and self._root_at(size) == root:
                self._bad(
                    -1, f"the checkpoint of {size:,} entries is gone or altered; its leaves are here, {words}"
                )
                return size
        return signed

    def _root_at(self, size: int) -> bytes:
        """The root over the first `size` leaves as they stand; empty where there are not so many."""
        hashes: list[bytes] = []
        done = 0
        for chunk in self.source.chunks(size):
            try:
                found = leaf_hashes(chunk.bundle[: min(WIDTH, size - done) * STRIDE])
            except IntegrityError:
                return b""
            hashes.append(found)
            done += len(found) // HASH_BYTES
        if done != size:
            return b""
        whole = b"".join(hashes)
        return join([fold(whole[i << n << 5 : (i + 1) << n << 5]) for n, i in perfect(0, size)])

    def _bad(self, leaf: int, text: str) -> None:
        if len(self.problems) < 10_000:
            self.problems.append((leaf, text))

    # Signatures

    def _trusted(self) -> list[VerifierKey]:
        try:
            keys = self.source.keys()
            first = self.key or (parse_key(keys[0].vkey) if keys else None)
            return followed(first, keys) if first else []
        except (InputError, IntegrityError) as error:
            self._bad(-1, f"the keys of the log: {error}")
            return [self.key] if self.key else []

    def _signed(self, trusted: list[VerifierKey]) -> list[tuple[Checkpoint, Note]]:
        """The checkpoints that a trusted key has signed."""
        found = []
        origins = set()
        for text in self.source.notes():
            try:
                note = parse(text)
                checkpoint = of_note(note)
                if not _signers(note, trusted):
                    raise IntegrityError(
                        f"the checkpoint of {checkpoint.size} is not signed by the log's key"
                    )
            except (InputError, IntegrityError) as error:
                self._bad(-1, str(error))
                continue
            origins.add(checkpoint.origin)
            found.append((checkpoint, note))
        if len(origins) > 1:
            self._bad(-1, "the checkpoints are of several logs")
        if not found:
            self._bad(-1, "there is no checkpoint signed by the log's key")
        return found

    # The tree

    def _tree(self, size: int, sizes: set[int]) -> None:
        """Checks leaves, openings and tiles, and computes the roots at `sizes`."""
        wanted = sorted(s for s in sizes if 0 < s <= size)
        peaks: list[tuple[int, bytes]] = []  # perfect subtrees so far: (level, hash), large to small
        rows: list[bytearray] = []  # the tile being filled, at levels 1, 2, …
        done = 0
        for chunk in self.source.chunks(size):
            wide = min(WIDTH, size - done)
            hashes = self._leaves(done, wide, chunk)
            whole = len(hashes) // HASH_BYTES
            while wanted and wanted[0] <= done + whole:
                at = wanted.pop(0)
                parts = [fold(hashes[i << n << 5 : (i + 1) << n << 5]) for n, i in perfect(0, at - done)]
                self.roots[at] = join([*(h for _, h in peaks), *parts])
            if whole < wide:
                return  # what comes after has no place
            if wide == WIDTH:
                top = fold(hashes)
                self._row(rows, 0, top, done // WIDTH)
                level = HEIGHT
                while peaks and peaks[-1][0] == level:
                    top = node_hash(peaks.pop()[1], top)
                    level += 1
                peaks.append((level, top))
            done += wide
            if self.progress:
                self.progress(done, size)
        if done < size:
            self._bad(done, f"leaf {done} and all after it are missing")
            return
        for level, row in enumerate(rows, 1):
            if row:
                count = (size >> (HEIGHT * level)) - len(row) // HASH_BYTES
                self._same(bytes(row), Tile(level, count // WIDTH))

    def _leaves(self, first: int, wide: int, chunk: Chunk) -> bytes:
        """The leaf hashes of one bundle, up to the first leaf that is cut."""
        bundle = chunk.bundle[: wide * STRIDE]
        tile = chunk.tile[: wide * HASH_BYTES]
        short = len(bundle) < wide * STRIDE
        try:
            hashes = leaf_hashes(bundle)
        except IntegrityError as error:
            whole = int(error.where)
            hashes = leaf_hashes(bundle[: whole * STRIDE])
            short = True
        if hashes != tile:
            at = _first_difference(hashes, tile)
            self._bad(first + at, f"leaf {first + at} is not what the tree says")
        elif short:
            at = len(hashes) // HASH_BYTES
            self._bad(first + at, f"leaf {first + at} is missing or malformed")
        for at, text in chunk.problems:
            self._bad(first + at, f"leaf {first + at}: {text}")
        for at, opening in chunk.openings:
            if at >= wide:
                continue  # beyond the tree: its checkpoint is gone
            start = at * STRIDE + STRIDE - 64
            wrong = opens(opening, bundle[start : start + 64])
            if wrong:
                self._bad(
                    first + at,
                    f"leaf {first + at}: the {wrong} of entry {opening.entry} is not what was logged",
                )
            self.opened += (opening.header is not None) + (opening.content is not None)
            if not wrong and opening.header is not None and "ledger.erased" in opening.header:
                told = _ERASED.search(opening.header)
                if told:
                    self.erased.add(int(told[1]))
        self._note_closed(first, wide, chunk)
        return hashes

    def _note_closed(self, first: int, wide: int, chunk: Chunk) -> None:
        """Counts the parts that are not shown, and takes note of where."""
        shown = {
            at: (o.header is not None) + (o.content is not None) for at, o in chunk.openings if at < wide
        }
        closed = 2 * wide - sum(shown.values())
        self.closed += closed
        if closed and chunk.openings and len(self.closed_at) < _CLOSED:
            entries = {at: o.entry for at, o in chunk.openings}
            for at in range(wide):
                if shown.get(at, 0) < 2:
                    self.closed_at[first + at] = entries.get(at, 0)

    def _row(self, rows: list[bytearray], level: int, top: bytes, index: int) -> None:
        """Adds the root of the full tile (`level`, `index`) to the row above, which is checked when it is full."""
        if level == len(rows):
            rows.append(bytearray())
        row = rows[level]
        row += top
        if len(row) == _ROW:
            full = bytes(row)
            row.clear()
            self._same(full, Tile(level + 1, index // WIDTH))
            self._row(rows, level + 1, fold(full), index // WIDTH)

    def _same(self, row: bytes, tile: Tile) -> None:
        given = self.source.tile(tile)[: len(row)]
        if given != row:
            at = _first_difference(row, given)
            span = 1 << (HEIGHT * tile.level)
            start = (tile.index * WIDTH + at) * span
            if any(start <= leaf < start + span for leaf, _ in self.problems):
                return  # it is known which leaf
            self._bad(
                start, f"leaves {start} to {start + span - 1} are not those that the tiles above sum up"
            )

    # Roots

    def _compare(self, known: list[tuple[int, bytes, str]]) -> int:
        """Holds every known root against the tree; returns how many agree."""
        exact = min((leaf for leaf, _ in self.problems if leaf >= 0), default=None)
        agreed = {(size, whose) for size, root, whose in known if self.roots.get(size) == root}
        for size, root, whose in sorted(known):
            if self.roots.get(size) != root and (exact is None or exact >= size):
                # Which leaf it is can't be told from a root, only that it comes after the last root that agrees;
                # and what the log says of itself tells nothing of where a witness disagrees.
                good = max((s for s, w in agreed if w == whose and s < size), default=0)
                self._bad(
                    good, f"{whose} of {size} has another root: some leaf from {good} to {size - 1} is wrong"
                )
        return len({size for size, _ in agreed})

    def _witnessed(
        self,
        witness: Witness,
        signed: list[tuple[Checkpoint, Note]],
        size: int,
        newest: Checkpoint | None,
    ) -> Witnessed:
        if isinstance(witness, VerifierKey):
            return self._by_key(witness, signed)
        copy = of_note(witness)
        names = [s.name for s in witness.signatures if s.name != copy.origin] or ["the witness"]
        same = self.roots.get(copy.size) == copy.root
        epoch = newest.epoch if newest else None
        if newest is not None and copy.origin != newest.origin:
            self._bad(-1, f"{names[0]} has kept a checkpoint of another log")
            same = False
        elif copy.size > size:
            same = epoch is not None and (epoch.old_size, epoch.old_root) == (copy.size, copy.root)
            if not same:
                self._bad(size, f"{names[0]} has seen {copy.size} entries, the log has {size}")
        elif not same and epoch and (epoch.old_size, epoch.old_root) == (copy.size, copy.root):
            same = True  # the log grew again after the restart that gave this one up
            self.problems = [
                p for p in self.problems if not p[1].startswith(f"the witness's copy of {copy.size} ")
            ]
        return Witnessed(name=names[0], size=copy.size, root=text_of(copy.root), time=0, ok=same)

    def _by_key(self, key: VerifierKey, signed: list[tuple[Checkpoint, Note]]) -> Witnessed:
        best: tuple[int, int, bytes] | None = None
        for checkpoint, note in signed:
            try:
                when = verified(note, key)
            except IntegrityError as error:
                self._bad(-1, str(error))
                continue
            if when is not None and (best is None or checkpoint.size > best[0]):
                best = (checkpoint.size, when, checkpoint.root)
        if best is None:
            self._bad(-1, f"no checkpoint bears a co-signature of {key.name}")
            return Witnessed(name=key.name, size=0, root=text_of(EMPTY_ROOT), time=0, ok=False)
        size, when, root = best
        return Witnessed(
            name=key.name, size=size, root=text_of(root), time=when, ok=self.roots.get(size) == root
        )

    def _epochs(self, newest: Checkpoint | None) -> tuple[Restart, ...]:
        told = self.source.epochs()
        if (newest.epoch if newest else None) != (told[-1] if told else None):
            self._bad(-1, "the newest checkpoint names another epoch than the log")
        return tuple(
            Restart(
                epoch=e.number, old_size=e.old_size, old_root=text_of(e.old_root), kept=e.kept,
                lost=e.old_size - e.kept,
            )
            for e in told
        )  # fmt: skip


def _signers(note: Note, keys: list[VerifierKey]) -> list[VerifierKey]:
    """The keys that have signed; raises IntegrityError when a signature in the name of one does not hold."""
    return [key for key in keys if verified(note, key) is not None]


def _first_difference(a: bytes, b: bytes) -> int:
    """The number of the first hash in which two rows differ."""
    count = max(len(a), len(b)) // HASH_BYTES
    return next(
        (
            n
            for n in range(count)
            if a[n * HASH_BYTES : (n + 1) * HASH_BYTES] != b[n * HASH_BYTES : (n + 1) * HASH_BYTES]
        ),
        count,
    )


def text_of(root: bytes) -> str:
    """A root as checkpoints write it: base64."""
    return base64.b64encode(root).decode()
