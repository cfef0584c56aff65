"""What a holder of a log does not show of its entries, and what entries say was erased. Pure; a part of `verify`.

One rule, for a database and for a file: a part that is not shown is *erased* when an entry that is shown says so of
exactly this entry and this part, by its hash. Everything else that is not shown is *withheld*, whatever the reason:
the holder has no text for it, no opening for its leaf, or no file for the whole bundle. An entry's number is the
holder's word, and the hash is the tree's, so it is the hash that binds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge

import msgspec
from msgspec import Struct

from .append import ERASED
from .leaf import PARTS, Opening

_REMEMBERED = (
    200_000  # closed parts that are held against what says of an erasure; those beyond count as withheld
)
_SHOWN = 20


class Closed(Struct, frozen=True, order=True):
    """One part that is not shown. `entry` is its number as the holder tells it, 0 for none; `leaf` -1 for no place."""

    leaf: int
    part: str
    entry: int
    digest: str = ""  # the part's hash, hexadecimal

    def text(self) -> str:
        """What is wrong with it, where nothing may be withheld."""
        whose = f" of entry {self.entry}" if self.entry else ""
        where = f"leaf {self.leaf}: " if self.leaf >= 0 else ""
        return f"{where}the {self.part}{whose} is not there, and no entry says that it was erased"


class Settled(Struct, frozen=True):
    """What came of it: how many closed parts an entry `erased`, how many are `withheld`, and the `first` of these."""

    erased: int
    withheld: int
    first: Sequence[Closed]

    @property
    def leaves(self) -> tuple[int, ...]:
        """The leaves of the first ones."""
        return tuple(dict.fromkeys(one.leaf for one in self.first if one.leaf >= 0))


class _Header(Struct):
    act: str
    subject: str


class _Said(Struct):
    entry: int
    parts: list[str]
    hashes: Mapping[str, str] | None = None


_header = msgspec.json.Decoder(_Header).decode
_said = msgspec.json.Decoder(_Said).decode


def erasure(header: str | None, content: str | None) -> Iterator[tuple[int, str, str]]:
    """What an entry says was erased: (entry, part, hash of it), for each part; nothing where it says none.

    The hash is "" in an entry from before hashes were told: it names the part by the entry's number alone.
    """
    if header is None or content is None or ERASED not in header:
        return
    try:
        told, said = _header(header), _said(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return
    if told.act != ERASED or told.subject != f"entry/{said.entry}":
        return
    for part in set(said.parts) & set(PARTS):
        if said.hashes is None:
            yield said.entry, part, ""
        elif digest := said.hashes.get(part):
            yield said.entry, part, digest


class Unshown:
    """Takes note of what is closed and of what says of erasures, in any order, and holds one against the other."""

    def __init__(self) -> None:
        self.parts = 0  # closed ones that have a place
        self._open: list[Closed] = []  # those that an entry may yet say was erased
        self._never: list[Closed] = []  # the first of those that nothing can
        self._told: dict[tuple[int, str], set[str]] = {}

    def says(self, opening: Opening) -> None:
        """Notes what an entry says was erased. `opening` was held against its leaf."""
        for entry, part, digest in erasure(opening.header, opening.content):
            self._told.setdefault((entry, part), set()).add(digest)

    def closed(self, leaf: int, opening: Opening, hashes: bytes) -> None:
        """Notes the parts that an opening does not show; `hashes` are the 64 bytes of its leaf."""
        for n, part in enumerate(PARTS):
            if getattr(opening, part) is None:
                one = Closed(leaf, part, opening.entry, hashes[n * 32 : n * 32 + 32].hex())
                self.parts += leaf >= 0
                if len(self._open) < _REMEMBERED:
                    self._open.append(one)
                else:
                    self._withheld(one)

    def unopened(self, first: int, count: int, opened: Mapping[int, Opening]) -> None:
        """Notes the leaves of a bundle, from leaf `first` on, that have no opening at all."""
        missing = count - len(opened)
        if not missing:
            return
        self.parts += 2 * missing
        for at in range(count):
            if len(self._never) >= _SHOWN:
                return
            if at not in opened:
                for part in PARTS:
                    self._withheld(Closed(first + at, part, 0))

    @property
    def too_many(self) -> bool:
        """Whether some were not held against what says of erasures, being beyond what is remembered."""
        return len(self._open) >= _REMEMBERED

    def _withheld(self, one: Closed) -> None:
        if len(self._never) < _SHOWN:
            self._never.append(one)

    def settled(self) -> Settled:
        """Holds each closed part against what entries say; one erasure explains one part."""
        left = {at: set(digests) for at, digests in self._told.items()}
        unexplained: list[Closed] = []
        erased = 0
        for one in self._open:
            digests = left.get((one.entry, one.part), set())
            if digests & {one.digest, ""}:
                del left[one.entry, one.part]
                erased += one.leaf >= 0
            else:
                unexplained.append(one)
        first = list(merge(sorted(unexplained), sorted(self._never)))[:_SHOWN]
        return Settled(erased, self.parts - erased, first)


def beyond() -> str:
    """The words for `Unshown.too_many`."""
    return f"over {_REMEMBERED:,} parts are not there: those after them are not held against what says of an erasure"
