"""The tree of a log computed from its leaves alone, and what disagrees with it. Pure; a part of `verify`.

Each leaf is hashed from its bundle and held against its level-0 tile, each row of the tree against the tiles above, and
what is opened of an entry against its leaf.
"""

from __future__ import annotations

from collections.abc import Callable

from clearway.records.errors import IntegrityError

from .leaf import STRIDE, Opening, leaf_hashes, opens
from .merkle import EMPTY_ROOT, HASH_BYTES, fold, join, node_hash, perfect
from .tiles import HEIGHT, WIDTH, Tile
from .verify_closed import Unshown
from .verify_report import Chunk, Source, numbers_of

_EPOCH = '"act":"ledger.epoch_opened"'
_MOST = 10_000  # problems that are kept
_ROW = WIDTH * HASH_BYTES


class Problems:
    """What is wrong: (leaf, what); the leaf is -1 for what concerns none."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def add(self, leaf: int, text: str) -> None:
        """One more, as long as there are not too many."""
        if len(self.found) < _MOST:
            self.found.append((leaf, text))


class TreeWalk:
    """One walk over the leaves of `source`: `roots` by size, how many parts were `opened`, and what is `unshown`."""

    def __init__(
        self, source: Source, problems: Problems, progress: Callable[[int, int], None] | None
    ) -> None:
        self.source = source
        self.problems = problems
        self.progress = progress
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.opened = 0
        self.unshown = Unshown()
        # The numbers that shown entries tell of each restart, by its own.
        self.epochs: dict[int, set[tuple[int, int, str, int]]] = {}

    def root_at(self, size: int) -> bytes:
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

    def check(self, size: int, sizes: set[int]) -> None:
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
            self.problems.add(done, f"leaf {done} and all after it are missing")
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
            self.problems.add(first + at, f"leaf {first + at} is not what the tree says")
        elif short:
            at = len(hashes) // HASH_BYTES
            self.problems.add(first + at, f"leaf {first + at} is missing or malformed")
        for at, text in chunk.problems:
            self.problems.add(first + at, f"leaf {first + at}: {text}")
        opened: dict[int, Opening] = {}
        for at, opening in chunk.openings:
            if at >= wide:
                continue  # beyond the tree: its checkpoint is gone
            if at in opened:
                self.problems.add(first + at, f"leaf {first + at} is opened twice")
                continue
            opened[at] = opening
            start = at * STRIDE + STRIDE - 64
            wrong = opens(opening, bundle[start : start + 64])
            if wrong:
                self.problems.add(
                    first + at,
                    f"leaf {first + at}: the {wrong} of entry {opening.entry} is not what was logged",
                )
            shown = (opening.header is not None) + (opening.content is not None)
            self.opened += shown
            if shown < 2:
                self.unshown.closed(first + at, opening, bundle[start : start + 64])
            if not wrong and opening.header is not None:
                self.unshown.says(opening)
                if _EPOCH in opening.header:
                    self._note_epoch(opening)
        self.unshown.unopened(first, wide, opened)
        return hashes

    def _note_epoch(self, opening: Opening) -> None:
        numbers = numbers_of(opening.content or "")
        if numbers is not None:
            self.epochs.setdefault(numbers[0], set()).add(numbers)

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
            if any(start <= leaf < start + span for leaf, _ in self.problems.found):
                return  # it is known which leaf
            self.problems.add(
                start, f"leaves {start} to {start + span - 1} are not those that the tiles above sum up"
            )


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
