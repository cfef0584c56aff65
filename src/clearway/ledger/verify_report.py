"""What a verification is given and what it answers: a holder of a log, chunk by chunk, and the report."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from .checkpoint import Epoch
from .leaf import Opening
from .tiles import Tile
from .tree_store import LogKey


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


def text_of(root: bytes) -> str:
    """A root as checkpoints write it: base64."""
    return base64.b64encode(root).decode()
