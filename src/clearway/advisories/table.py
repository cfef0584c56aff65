"""The compiled advisory table: one read-only SQLite file that answers without the database.

It holds, by package, every source's claims as version intervals; by flaw, its names and dated
facts; and what the loaded sources cover. It carries TLP:CLEAR records only. The file is written
whole or as a changed copy by `compile` and put in place by one rename, so a reader sees one state.
SQLite is a file format here, opened `immutable` (2 ms), never a second store.

    meta(key, value)              "table": Meta; "places": the crc32 of each package's key, in row order
    package(id, key, body)        row i + 1 is the package of places[i]; key "ecosystem\\0name"; body: list of Claim
    flaw(id, body)                preferred id; body: Flaw
    alias(id, flaws)              any id -> preferred ids, space-separated, as bytes
    record(id, body)              record id; body: list of RecordNote, one a source
    vex(key, body)                product "type/namespace/name"; body: list of VexClaim

All bodies are msgpack; a vex body is that compressed with zlib, since thousands repeat.

What a few records change is not worth a new file: it lies beside it as `advisories.changes`, one
msgpack `Changes` whose rows stand before those of the file that it names.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32, decompress

import msgspec
from msgspec import Struct

from clearway.records.advisory import Kev, Ssvc
from clearway.records.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Raised when the layout changes: an older file is then rebuilt, never misread.
TABLE_FORMAT = 2
# From this many look-ups on, a set of the places is cheaper than searching them each time.
_SET_PAYS_AT = 400
CHANGES_SUFFIX = ".changes"
_TRIES = 20  # a whole compilation takes seconds, so nobody loses this race twice
_SELECT = {
    "package": "select key, body from package where id = ?",
    "flaw": "select body from flaw where id = ?",
    "alias": "select flaws from alias where id = ?",
    "record": "select body from record where id = ?",
    "vex": "select body from vex where key = ?",
}

TABLE_FILE = "table/advisories.sqlite"  # inside a home

IntervalTuple = tuple[bytes, bytes, str, str, str]  # lo, hi, introduced, end, kind of end


class Claim(Struct, frozen=True, array_like=True):
    """One record's word on one package: `lo <= key < hi` is inside an interval.

    `status` is "affected" or "not_affected": the second is a source clearing versions.
    `listed` are enumerated versions outside the intervals, as (key, text); the key is empty for a
    text without order. `unread` says what of the statement could not be ordered or read; it makes
    a version that nothing else settles *unknown*. `silent` when the source does not speak of the
    versions it does not name (CVE `defaultStatus` unknown): those below its lowest range are then
    unknown, those past a stated end are what it calls fixed. For a scheme without keys lo and hi
    are empty and the texts rule.
    """

    record: str
    source: str
    status: str
    scheme: str
    intervals: tuple[IntervalTuple, ...] = ()
    listed: tuple[tuple[bytes, str], ...] = ()
    unread: str = ""
    conditions: tuple[str, ...] = ()
    module: str = ""  # rpm, built in a module: its stream ("nodejs:18"), or ".module_el8" when none is told
    silent: bool = False


class ScoreNote(Struct, frozen=True, array_like=True):
    """A severity as its source gave it."""

    system: str
    vector: str
    score: float | None
    rating: str
    source: str
    dated: str


class FlawFacts(Struct, frozen=True, array_like=True):
    """What matching needs of a flaw: the head of `Flaw`, read without the rest."""

    id: str
    ids: tuple[str, ...]
    kev: Kev | None = None
    ssvc: Ssvc | None = None
    epss: tuple[float, float | None, str, str] | None = None  # probability, percentile, date, model
    best_score: float | None = None


class Flaw(FlawFacts, frozen=True, array_like=True):
    """One flaw: its names, who asserts them, and the dated facts about it."""

    records: tuple[tuple[str, str], ...] = ()  # (source, record id) that speak of it
    bundled_by: tuple[tuple[str, str], ...] = ()  # records about this and other flaws
    asserted: tuple[tuple[str, str, str, str], ...] = ()  # (subject, kind, target, source)
    scores: tuple[ScoreNote, ...] = ()


class RecordNote(Struct, frozen=True, array_like=True):
    """What one source's record says of itself, without its text."""

    id: str
    source: str
    format: str
    published: str = ""
    modified: str = ""
    withdrawn: str = ""
    packages: tuple[tuple[str, str], ...] = ()
    title: str = ""


class VexClaim(Struct, frozen=True, array_like=True):
    """One VEX statement, indexed by the product it names."""

    flaws: tuple[str, ...]
    status: str
    product: str  # purl as written
    subcomponents: tuple[str, ...]
    justification: str
    document: str
    source: str
    timestamp: str
    expires: str
    impact: str = ""


class SourceNote(Struct, frozen=True):
    """One loaded source: how much of it, how old, and what it covers.

    `covers` are the ecosystems about which its silence means "no known flaw". `partial` are
    those it speaks of without covering them. `newest` is the latest date inside its records,
    `received` when they were taken in; both ISO.
    """

    source: str
    records: int
    newest: str
    received: str
    undated: int = 0  # records without a date of their own, which `newest` says nothing about
    title: str = ""
    licence: str = ""
    covers: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()


class Meta(Struct, frozen=True):
    """What the file is. `generation` is the database's count of committed intake batches."""

    format: int
    base: str  # random id of the whole compilation, which a file of changes names
    generation: int
    home: str  # random id of the database it was compiled from
    built: str
    content: str  # sha256 over what was compiled: equal content, equal hash
    sources: tuple[SourceNote, ...]
    kev: str = ""  # catalogue version; "" means not loaded, never "nothing is in KEV"
    kev_received: str = ""
    epss: str = ""  # date of the newest scores loaded
    ssvc: bool = False  # whether any source of SSVC values is loaded
    vendor_map: str = ""
    refused_merges: int = 0
    records: int = 0
    packages: int = 0
    flaws: int = 0
    claims: int = 0


class Changes(Struct, frozen=True):
    """Rows that stand before those of the file `base`: table -> key -> body, None for a row that is gone."""

    base: str
    meta: Meta
    rows: dict[str, dict[str, bytes | None]]


class Coverage(Struct, frozen=True):
    """Whether silence about a package of this ecosystem says anything."""

    covered: bool
    sources: tuple[str, ...]
    reason: str = ""


CLAIMS = msgspec.msgpack.Decoder(tuple[Claim, ...])
_NO_ROWS: dict[str, bytes | None] = {}
_FLAW = msgspec.msgpack.Decoder(Flaw)
_FACTS = msgspec.msgpack.Decoder(FlawFacts)


def place_of(key: str) -> int:
    """Where a package's row stands in order: the crc32 of its key."""
    return crc32(key.encode("utf-8", "surrogatepass"))


def package_key(ecosystem: str, name: str) -> str:
    """The key of a package row."""
    return f"{ecosystem}\0{name}"


def product_key(purl: str) -> str:
    """`type/namespace/name` of a purl, without version and qualifiers; "" for anything else."""
    if not purl.startswith("pkg:"):
        return ""
    rest = purl[4:].lstrip("/").partition("#")[0].partition("?")[0]
    at = rest.rfind("@")
    return (rest[:at] if at > rest.rfind("/") else rest).lower()


class Table:
    """An open table. Look-ups are remembered: a fleet meets the same packages again and again."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path
        self.meta = msgspec.msgpack.decode(self._value("table"), type=Meta)
        self.changed: dict[str, dict[str, bytes | None]] = {}
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self._flaws: dict[str, Flaw | None] = {}
        self._facts: dict[str, FlawFacts | None] = {}
        self._of: dict[str, tuple[str, ...]] = {}
        self._places: array[int] | None = None
        self._known: set[int] | None = None  # the places, as a set
        self._starts: dict[str, int] = {}  # ecosystem -> where the place of its names starts from
        self._products: frozenset[str] | None = None  # that some VEX statement names
        self._covered: dict[str, tuple[str, ...]] = {}
        self._partial: dict[str, tuple[str, ...]] = {}

    def _note_coverage(self) -> None:
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
        if not path.is_file():
            raise ConfigError(
                "no advisories are loaded yet",
                where=str(path),
                mend="run `clearway ingest PATH` with advisories, or `clearway demo`",
            )
        rebuild = "run `clearway ingest --rebuild` to compile it anew from the database"
        try:
            table = cls._with_changes(path)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise IntegrityError(
                f"the advisory table can't be read: {error}", where=str(path), mend=rebuild
            ) from None
        if table.meta.format != TABLE_FORMAT:
            raise IntegrityError(
                f"the advisory table has layout {table.meta.format}, this version reads {TABLE_FORMAT}",
                where=str(path),
                mend=rebuild,
            )
        table._note_coverage()
        return table

    @classmethod
    def _with_changes(cls, path: Path) -> Table:
        """The file and the changes that name it, both as they stand at one moment."""
        quoted = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        beside = path.with_suffix(CHANGES_SUFFIX)
        for left in reversed(range(_TRIES)):
            opened = path.stat()
            db = sqlite3.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            table = cls(db, path)
            try:
                changes = msgspec.msgpack.decode(beside.read_bytes(), type=Changes)
            except FileNotFoundError:
                changes = None
            if changes is not None and changes.base == table.meta.base:
                table.meta, table.changed = changes.meta, changes.rows
                return table
            # A compilation puts the file in place first, then takes older changes away: while the
            # file stayed the same, there were no changes to it, or another file's were left behind.
            stands = path.stat()
            if (stands.st_ino, stands.st_mtime_ns) == (opened.st_ino, opened.st_mtime_ns) or not left:
                return table
            db.close()
        raise AssertionError("the last try returns")

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def _value(self, key: str) -> bytes:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"meta row {key!r} is missing")
        return bytes(row[0])

    def _one(self, name: str, key: str) -> bytes | None:
        changed = self.changed.get(name, _NO_ROWS)
        if key in changed:
            return changed[key]
        row = self._row(name, key)
        return None if row is None else row[0]

    def _row(self, name: str, key: str | int) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._db.execute(_SELECT[name], (key,)).fetchone()
        except sqlite3.Error as error:
            raise IntegrityError(
                f"the advisory table can't be read: {error}",
                where=str(self.path),
                mend="run `clearway ingest --rebuild` to compile it anew from the database",
            ) from None
        return row

    def claims(self, ecosystem: str, name: str) -> tuple[Claim, ...]:
        """Every source's claims on one package; empty when none speaks of it."""
        key = f"{ecosystem}\0{name}"
        found = self._claims.get(key)
        if found is None:
            body = self._package(key)
            found = self._claims[key] = () if body is None else CLAIMS.decode(body)
        return found

    def expect(self, questions: int) -> None:
        """Makes ready for so many different packages: from some hundreds on, `speaks_of` then costs next to nothing."""
        if questions > _SET_PAYS_AT and self._known is None:
            known = set(self._order())
            known.update(map(place_of, self.changed.get("package", _NO_ROWS)))
            self._known = known

    def speaks_of(self, ecosystem: str, name: str) -> bool:
        """Whether any source may speak of a package; False is certain, True is nearly so."""
        known = self._known
        if known is None:
            return bool(self.claims(ecosystem, name))
        start = self._starts.get(ecosystem)
        if start is None:
            start = self._starts[ecosystem] = place_of(package_key(ecosystem, ""))
        return crc32(name.encode("utf-8", "surrogatepass"), start) in known

    def _order(self) -> array[int]:
        if self._places is None:
            self._places = array("I")
            self._places.frombytes(self._value("places"))
        return self._places

    def _package(self, key: str) -> bytes | None:
        changed = self.changed.get("package", _NO_ROWS)
        if key in changed:
            return changed[key]
        place = place_of(key)
        places = self._order()
        at = bisect_left(places, place)
        while at < len(places) and places[at] == place:  # two keys may share a place
            row = self._row("package", at + 1)
            if row is not None and row[0] == key:
                return bytes(row[1])
            at += 1
        return None

    def flaws_of(self, identifier: str) -> tuple[str, ...]:
        """The preferred ids that this id or record stands for; empty when nobody knows it."""
        found = self._of.get(identifier)
        if found is None:
            text = self._one("alias", identifier)
            # ids have no spaces; a source that wrote one after an id has named no further flaw
            found = () if text is None else tuple(text.decode().split())
            self._of[identifier] = found
        return found

    def flaw(self, preferred: str) -> Flaw | None:
        """The flaw of that preferred id."""
        if preferred not in self._flaws:
            body = self._one("flaw", preferred)
            self._flaws[preferred] = None if body is None else _FLAW.decode(body)
        return self._flaws[preferred]

    def facts(self, preferred: str) -> FlawFacts | None:
        """As `flaw`, but only what matching needs."""
        if preferred not in self._facts:
            body = self._one("flaw", preferred)
            self._facts[preferred] = None if body is None else _FACTS.decode(body)
        return self._facts[preferred]

    def all_facts(self) -> Iterator[FlawFacts]:
        """The facts of every flaw, in no order."""
        for _, body in self._all("flaw"):
            yield _FACTS.decode(body)

    def all_packages(self) -> Iterator[tuple[str, str, tuple[Claim, ...]]]:
        """(ecosystem, name, claims) of every package that a record speaks of, in no order."""
        for key, body in self._all("package"):
            ecosystem, _, name = key.partition("\0")
            yield ecosystem, name, CLAIMS.decode(body)

    def _all(self, name: str) -> Iterator[tuple[str, bytes]]:
        changed = self.changed.get(name, _NO_ROWS)
        column = "key" if name == "package" else "id"
        for key, body in self._db.execute(f"select {column}, body from {name}"):  # noqa: S608 - constants
            if key not in changed:
                yield key, body
        for key, new in changed.items():
            if new is not None:
                yield key, new

    def records(self, identifier: str) -> tuple[RecordNote, ...]:
        """The notes of the records with this id, one a source."""
        body = self._one("record", identifier)
        return () if body is None else msgspec.msgpack.decode(body, type=tuple[RecordNote, ...])

    def has_vex(self) -> bool:
        """Whether any VEX statement is loaded."""
        return bool(self.vex_products())

    def vex_products(self) -> frozenset[str]:
        """The products that some VEX statement names: \"type/namespace/name\"."""
        if self._products is None:
            found = {row[0] for row in self._db.execute("select key from vex")}
            self._products = frozenset(found.union(self.changed.get("vex", _NO_ROWS)))
        return self._products

    def vex(self, key: str) -> tuple[VexClaim, ...]:
        """VEX statements whose product is "type/namespace/name", whatever its version."""
        if key not in self.vex_products():
            return ()
        body = self._one("vex", key)
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
