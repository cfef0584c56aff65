"""The tree as tiles (C2SP tlog-tiles): rows of up to 256 hashes, from which every root and proof is made.

Tile (level, index) holds the hashes of the subtrees of 256^level leaves, 256 a tile; level 0 holds leaf
hashes. A tile grows to the right until it is full, and never changes otherwise, so a narrower version
is the beginning of a wider one. Beside them stand the *bundles* of entries themselves, at level
`ENTRIES`. Pure: the caller fetches the tiles that a question needs, and there are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from clearway.records.errors import InputError, IntegrityError, NotFoundError

from .merkle import HASH_BYTES, fold, join, perfect

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1  # the level of bundles, "tile/entries/…"
MAX_SIZE = 1 << 50  # far beyond what a log holds; keeps numbers from outside small


class Tile(NamedTuple):
    """Where a tile stands."""

    level: int
    index: int  # type: ignore[assignment]  # the standard's word; nobody searches in a tile's place


Tiles = Mapping[Tile, bytes]
Node = tuple[int, int]  # (level, index): the root of the leaves [index << level, (index + 1) << level)
Range = list[Node]  # perfect subtrees that stand side by side; one hash of a proof


def width(tile: Tile, size: int) -> int:
    """How many hashes (or entries) `tile` has in a tree of `size`; 0 when it is not there."""
    across = size >> (HEIGHT * max(tile.level, 0))
    return max(0, min(WIDTH, across - tile.index * WIDTH))


def at_size(size: int) -> Iterator[Tile]:
    """Every tile of a tree of `size`, bundles left out, level by level."""
    level = 0
    while across := size >> (HEIGHT * level):
        yield from (Tile(level, index) for index in range(-(-across // WIDTH)))
        level += 1


def path(tile: Tile, wide: int = WIDTH) -> str:
    """The path of a tile: "tile/0/x001/067", "tile/entries/000.p/17"."""
    digits = f"{tile.index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    return f"tile/{level}/{number}" + ("" if wide == WIDTH else f".p/{wide}")


_PATH = re.compile(
    r"tile/(entries|0|[1-9]|[1-5]\d|6[0-3])/((?:x\d{3}/){0,5}\d{3})(?:\.p/([1-9]\d?|1\d\d|2[0-4]\d|25[0-5]))?",
    re.ASCII,
)


def parse(text: str) -> tuple[Tile, int]:
    """The tile and width of a path.

    Raises:
        InputError: the path is not the one spelling of any tile.
    """
    match = _PATH.fullmatch(text)
    if match is None:
        raise InputError("this is no tile's path", mend="see C2SP tlog-tiles: tile/LEVEL/NUMBER[.p/WIDTH]")
    level, number, wide = match.groups()
    tile = Tile(ENTRIES if level == "entries" else int(level), int(re.sub(r"\D", "", number)))
    found = tile, int(wide) if wide else WIDTH
    if path(*found) != text:
        raise InputError("this is no tile's path", mend="write the number without needless zeroes")
    return found


# Roots and proofs: first the ranges that make one up, then their tiles, then the hashes.


def root_ranges(size: int) -> list[Range]:
    """The one range whose hash is the root of a tree of `size`; none for an empty tree."""
    return [perfect(0, size)] if size else []


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The hashes of an inclusion proof, as ranges, from the leaf up (RFC 6962 §2.1.1).

    Raises:
        NotFoundError: there is no such leaf in a tree of `size`.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise NotFoundError(f"no leaf {index} in a tree of {size}", mend="ask for a leaf below the size")
    found = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append(perfect(middle, end))
            end = middle
        else:
            found.append(perfect(start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """The hashes of a consistency proof, as ranges (RFC 6962 §2.1.2); none from 0 or to the same size.

    Raises:
        NotFoundError: a tree of `old_size` does not come before one of `size`.
    """
    if not 0 <= old_size <= size <= MAX_SIZE:
        raise NotFoundError(f"no tree of {old_size} before one of {size}", mend="ask for sizes that grow")
    if old_size in (0, size):
        return []
    found = []
    start, end = 0, size
    whole = True  # the old tree is the range itself, whose root the reader knows
    while old_size < end:
        middle = start + _split(end - start)
        if old_size <= middle:
            found.append(perfect(middle, end))
            end = middle
        else:
            found.append(perfect(start, middle))
            start = middle
            whole = False
    if not whole:
        found.append(perfect(start, end))
    return found[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 §2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def needed(ranges: Iterable[Range]) -> set[Tile]:
    """The tiles that the hashes of `ranges` are read from."""
    return {_place(node)[0] for one in ranges for node in one}


def hashes(ranges: Iterable[Range], tiles: Tiles) -> list[bytes]:
    """The hash of each range.

    Raises:
        IntegrityError: a tile is missing or too narrow.
    """
    return [join([_node(node, tiles) for node in one]) for one in ranges]


def _place(node: Node) -> tuple[Tile, int, int]:
    """The tile of a node, and from which to which of its bytes the node's subtree lies."""
    level, index = node
    inside = level % HEIGHT
    first = index << inside
    at = (first % WIDTH) * HASH_BYTES
    return Tile(level // HEIGHT, first >> HEIGHT), at, at + (HASH_BYTES << inside)


def _node(node: Node, tiles: Tiles) -> bytes:
    tile, start, end = _place(node)
    found = tiles.get(tile, b"")[start:end]
    if len(found) != end - start:
        raise IntegrityError("a tile of the log is missing or cut", where=path(tile))
    return fold(found)


# Growth


def edge(size: int) -> list[Tile]:
    """The tiles of a tree of `size` that are not full: what growing begins with."""
    found = []
    level = 0
    while across := size >> (HEIGHT * level):
        if across % WIDTH:
            found.append(Tile(level, across // WIDTH))
        level += 1
    return found


def grow(size: int, leaves: bytes, tiles: Tiles) -> dict[Tile, bytes]:
    """The tiles that change when `leaves`, leaf hashes one after the other, follow on a tree of `size`.

    `tiles` holds at least `edge(size)`.

    Raises:
        IntegrityError: one of those is missing or of the wrong width.
    """
    changed: dict[Tile, bytes] = {}
    level = 0
    while leaves:
        across = size >> (HEIGHT * level)
        index, filled = divmod(across, WIDTH)
        row = tiles.get(Tile(level, index), b"") if filled else b""
        if len(row) != filled * HASH_BYTES:
            raise IntegrityError("a tile of the log is missing or cut", where=path(Tile(level, index)))
        row += leaves
        above = []
        for start in range(0, len(row), WIDTH * HASH_BYTES):
            part = row[start : start + WIDTH * HASH_BYTES]
            changed[Tile(level, index)] = part
            index += 1
            if len(part) == WIDTH * HASH_BYTES:
                above.append(fold(part))
        leaves = b"".join(above)
        level += 1
    return changed
