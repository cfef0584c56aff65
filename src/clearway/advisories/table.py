"""The compiled advisory table: one read-only file that answers without the database.

It holds, by package, every source's claims as version intervals (`table_claims`); by flaw, its names and dated facts
(`table_flaws`); and what the loaded sources cover (`table_meta`). It carries TLP:CLEAR records only. How it lies on the
disk: `table_file`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32, decompress

import msgspec

from clearway.records.errors import ConfigError

from .table_claims import Claim, IntervalTuple, VexClaim, package_key, place_of, product_key
from .table_file import TableFile
from .table_flaws import Flaw, FlawFacts, RecordNote, ScoreNote
from .table_meta import CHANGES_SUFFIX, TABLE_FILE, TABLE_FORMAT, Changes, Coverage, Meta, SourceNote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "CHANGES_SUFFIX", "CLAIMS", "TABLE_FILE", "TABLE_FORMAT", "Changes", "Claim", "Coverage", "Flaw", "FlawFacts",
    "IntervalTuple", "Meta", "RecordNote", "ScoreNote", "SourceNote", "Table", "VexClaim", "package_key", "place_of",
    "product_key",
]  # fmt: skip

# From this many look-ups on, a set of the places is cheaper than searching them each time.
_SET_PAYS_AT = 400
CLAIMS = msgspec.msgpack.Decoder(tuple[Claim, ...])
_FLAW = msgspec.msgpack.Decoder(Flaw)
_FACTS = msgspec.msgpack.Decoder(FlawFacts)


class Table:
    """An open table. Look-ups are remembered: a fleet meets the same packages again and again."""

    def __init__(self, file: TableFile) -> None:
        self._file = file
        self.path = file.path
        self.meta = file.meta
        self.changed = file.changed  # table -> key -> body of what stands before the file's own rows
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self._flaws: dict[str, Flaw | None] = {}
        self._facts: dict[str, FlawFacts | None] = {}
        self._of: dict[str, tuple[str, ...]] = {}
        self._known: set[int] | None = None  # the places, as a set
        self._starts: dict[str, int] = {}  # ecosystem -> where the place of its names starts from
        self._products: frozenset[str] | None = None  # that some VEX statement names
        self._covered: dict[str, tuple[str, ...]] = {}
        self._partial: dict[str, tuple[str, ...]] = {}
        for note in self.meta.sources:
            for ecosystem in note.covers:
                self._covered[ecosystem] = (*self._covered.get(ecosystem, ()), note.source)
            for ecosystem in note.partial:
                self._partial[ecosystem] = (*self._partial.get(ecosystem, ()), note.source)

    @classmethod
    def of_home(cls, home: Path) -> Table:
        """The table of a home; raises as `open` does."""
        return cls.open(home / TABLE_FILE)

    @classmethod
    def open(cls, path: Path) -> Table:
        """The table at `path`.

        Raises:
            ConfigError: there is none yet.
            IntegrityError: the file is damaged or of another layout.
        """
        return cls(TableFile.open(path))

    @classmethod
    def meta_of_home(cls, home: Path) -> Meta | None:
        """What the table of a home was made of; None before the first intake. Raises as `open` does otherwise."""
        try:
            table = cls.of_home(home)
        except ConfigError:
            return None
        try:
            return table.meta
        finally:
            table.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def claims(self, ecosystem: str, name: str) -> tuple[Claim, ...]:
        """Every source's claims on one package; empty when none speaks of it."""
        key = f"{ecosystem}\0{name}"
        found = self._claims.get(key)
        if found is None:
            body = self._file.package(key)
            found = self._claims[key] = () if body is None else CLAIMS.decode(body)
        return found

    def expect(self, questions: int) -> None:
        """Makes ready for so many different packages: from some hundreds on, `speaks_of` then costs next to nothing."""
        if questions > _SET_PAYS_AT and self._known is None:
            self._known = self._file.all_places()

    def speaks_of(self, ecosystem: str, name: str) -> bool:
        """Whether any source may speak of a package; False is certain, True is nearly so."""
        known = self._known
        if known is None:
            return bool(self.claims(ecosystem, name))
        start = self._starts.get(ecosystem)
        if start is None:
            start = self._starts[ecosystem] = place_of(package_key(ecosystem, ""))
        return crc32(name.encode("utf-8", "surrogatepass"), start) in known

    def flaws_of(self, identifier: str) -> tuple[str, ...]:
        """The preferred ids that this id or record stands for; empty when nobody knows it."""
        found = self._of.get(identifier)
        if found is None:
            text = self._file.one("alias", identifier)
            # ids have no spaces; a source that wrote one after an id has named no further flaw
            found = () if text is None else tuple(text.decode().split())
            self._of[identifier] = found
        return found

    def flaw(self, preferred: str) -> Flaw | None:
        """The flaw of that preferred id."""
        if preferred not in self._flaws:
            body = self._file.one("flaw", preferred)
            self._flaws[preferred] = None if body is None else _FLAW.decode(body)
        return self._flaws[preferred]

    def facts(self, preferred: str) -> FlawFacts | None:
        """As `flaw`, but only what matching needs."""
        if preferred not in self._facts:
            body = self._file.one("flaw", preferred)
            self._facts[preferred] = None if body is None else _FACTS.decode(body)
        return self._facts[preferred]

    def all_facts(self) -> Iterator[FlawFacts]:
        """The facts of every flaw, in no order."""
        for _, body in self._file.all("flaw"):
            yield _FACTS.decode(body)

    def all_packages(self) -> Iterator[tuple[str, str, tuple[Claim, ...]]]:
        """(ecosystem, name, claims) of every package that a record speaks of, in no order."""
        for key, body in self._file.all("package"):
            ecosystem, _, name = key.partition("\0")
            yield ecosystem, name, CLAIMS.decode(body)

    def records(self, identifier: str) -> tuple[RecordNote, ...]:
        """The notes of the standing records with this id, one a source."""
        return tuple(note for note in self._notes(identifier) if not note.withdrawn)

    def withdrawn(self, identifier: str) -> tuple[RecordNote, ...]:
        """The notes of the records with this id that their sources have withdrawn or rejected, one a source."""
        return tuple(note for note in self._notes(identifier) if note.withdrawn)

    def _notes(self, identifier: str) -> tuple[RecordNote, ...]:
        body = self._file.one("record", identifier)
        return () if body is None else msgspec.msgpack.decode(body, type=tuple[RecordNote, ...])

    def has_vex(self) -> bool:
        """Whether any VEX statement is loaded."""
        return bool(self.vex_products())

    def vex_products(self) -> frozenset[str]:
        """The products that some VEX statement names: "type/namespace/name"."""
        if self._products is None:
            self._products = self._file.products()
        return self._products

    def vex(self, key: str) -> tuple[VexClaim, ...]:
        """VEX statements whose product is "type/namespace/name", whatever its version."""
        if key not in self.vex_products():
            return ()
        body = self._file.one("vex", key)
        return () if body is None else msgspec.msgpack.decode(decompress(body), type=tuple[VexClaim, ...])

    def coverage(self, ecosystem: str) -> Coverage:
        """Whether a loaded source covers this ecosystem (with its release, where it has releases)."""
        sources = self._covered.get(ecosystem)
        if sources:
            return Coverage(True, sources)
        partial = self._partial.get(ecosystem)
        if partial:
            return Coverage(False, partial, f"{ecosystem} is only partly loaded ({', '.join(partial)})")
        return Coverage(
            False, (), f"no source loaded for {ecosystem}" if ecosystem else "no ecosystem is known"
        )
