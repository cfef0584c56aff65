"""What a verification is given and what it answers: a holder of a log, chunk by chunk, and the report."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
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

    @property
    def whole(self) -> bool:
        """Whether it has all that there is of the log: then a part that it does not show is wrong, and not withheld."""
        ...

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

    def waiting(self) -> Iterator[tuple[Opening, bytes]]:
        """Of the entries without a leaf yet, those that say of an erasure or lack a part, each with its two hashes."""
        ...

    def elsewhere(self) -> list[str]:
        """What is wrong with the holder beside the tree."""
        ...


class Witnessed(Struct, frozen=True, kw_only=True):
    """What a witness has seen, and how much of the log that proves."""

    name: str
    size: int  # the last that it has seen
    root: str
    time: int  # seconds since 1970, 0 when its copy says none
    ok: bool  # whether the log goes on from all that it has seen, but for what a restart says it gave up
    proved: int = 0  # so many first entries of the log are those that it has seen
    given_up: int = 0  # so many of the last entries that it has seen are gone


class Restart(Struct, frozen=True, kw_only=True):
    """One restart of the log, as every checkpoint since then says it."""

    epoch: int
    old_size: int
    old_root: str
    kept: int
    lost: int  # entries that had been signed and are gone
    proved: int = (
        0  # of those kept, so many first ones are shown by a copy from before; the rest is the opener's word
    )


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
    older: int = 0  # of them, signed by a key from before the one named, under a later one that it signed
    opened: int = 0  # parts of entries whose text was checked
    closed: int = 0  # parts that are withheld or erased: committed to, not shown
    erased: int = (
        0  # of these, parts of which an entry that is shown says that they were erased; the rest is withheld
    )
    withheld: tuple[int, ...] = ()  # the first leaves of which a part is withheld
    pending: int = 0  # acknowledged and without a leaf yet


class _Told(Struct):
    epoch: int
    old_size: int
    old_root: str
    kept: int


_decode_told = msgspec.json.Decoder(_Told).decode


def numbers_of(content: str) -> tuple[int, int, str, int] | None:
    """Of the content of an entry that tells of a restart: its number, old size, old root in hexadecimal, what it kept.

    None where it tells none.
    """
    try:
        told = _decode_told(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return told.epoch, told.old_size, told.old_root, told.kept


def text_of(root: bytes) -> str:
    """A root as checkpoints write it: base64."""
    return base64.b64encode(root).decode()
