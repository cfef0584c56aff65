"""The table's file: opened with the changes beside it as they stand at one moment, and its rows by key.

The file is written whole or as a changed copy by `compile` and put in place by one rename, so a reader sees one state.
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
from typing import TYPE_CHECKING, Any

import msgspec

from clearway.records.errors import ConfigError, IntegrityError

from .table_claims import place_of
from .table_meta import CHANGES_SUFFIX, TABLE_FORMAT, Changes, Meta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRIES = 20  # a whole compilation takes seconds, so nobody loses this race twice
_REBUILD = "run `clearway ingest --rebuild` to compile it anew from the database"
_SELECT = {
    "package": "select key, body from package where id = ?",
    "flaw": "select body from flaw where id = ?",
    "alias": "select flaws from alias where id = ?",
    "record": "select body from record where id = ?",
    "vex": "select body from vex where key = ?",
}
_NO_ROWS: dict[str, bytes | None] = {}


class TableFile:
    """An open file and its changes. `changed` is table -> key -> body, None for a row that is gone."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path
        self.meta = msgspec.msgpack.decode(self.value("table"), type=Meta)
        self.changed: dict[str, dict[str, bytes | None]] = {}
        self._places: array[int] | None = None

    @classmethod
    def open(cls, path: Path) -> TableFile:
        """The file at `path`.

        Raises:
            ConfigError: there is none yet.
            IntegrityError: it is damaged or of another layout.
        """
        if not path.is_file():
            raise ConfigError(
                "no advisories are loaded yet",
                where=str(path),
                mend="run `clearway ingest PATH` with advisories, or `clearway demo`",
            )
        try:
            found = cls._with_changes(path)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise _damaged(path, error) from None
        if found.meta.format != TABLE_FORMAT:
            raise IntegrityError(
                f"the advisory table has layout {found.meta.format}, this version reads {TABLE_FORMAT}",
                where=str(path),
                mend=_REBUILD,
            )
        return found

    @classmethod
    def _with_changes(cls, path: Path) -> TableFile:
        """The file and the changes that name it, both as they stand at one moment."""
        quoted = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        beside = path.with_suffix(CHANGES_SUFFIX)
        for left in reversed(range(_TRIES)):
            opened = path.stat()
            db = sqlite3.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            found = cls(db, path)
            try:
                changes = msgspec.msgpack.decode(beside.read_bytes(), type=Changes)
            except FileNotFoundError:
                changes = None
            if changes is not None and changes.base == found.meta.base:
                found.meta, found.changed = changes.meta, changes.rows
                return found
            # A compilation puts the file in place first, then takes older changes away: while the
            # file stayed the same, there were no changes to it, or another file's were left behind.
            stands = path.stat()
            if (stands.st_ino, stands.st_mtime_ns) == (opened.st_ino, opened.st_mtime_ns) or not left:
                return found
            db.close()
        raise AssertionError("the last try returns")

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def value(self, key: str) -> bytes:
        """A row of `meta`; raises sqlite3.DatabaseError without one."""
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"meta row {key!r} is missing")
        return bytes(row[0])

    def one(self, name: str, key: str) -> bytes | None:
        """The body of a row of any table but `package`; None without one. Raises IntegrityError."""
        changed = self.changed.get(name, _NO_ROWS)
        if key in changed:
            return changed[key]
        row = self._row(name, key)
        return None if row is None else row[0]

    def package(self, key: str) -> bytes | None:
        """The body of a package's row; None without one. Raises IntegrityError."""
        changed = self.changed.get("package", _NO_ROWS)
        if key in changed:
            return changed[key]
        place = place_of(key)
        places = self.places()
        at = bisect_left(places, place)
        while at < len(places) and places[at] == place:  # two keys may share a place
            row = self._row("package", at + 1)
            if row is not None and row[0] == key:
                return bytes(row[1])
            at += 1
        return None

    def places(self) -> array[int]:
        """The place of each package of the file, in order."""
        if self._places is None:
            places = array("I")
            try:
                places.frombytes(self.value("places"))
            except (sqlite3.Error, ValueError) as error:
                raise _damaged(self.path, error) from None
            self._places = places
        return self._places

    def all_places(self) -> set[int]:
        """The places of all packages, the changed ones too."""
        known = set(self.places())
        known.update(map(place_of, self.changed.get("package", _NO_ROWS)))
        return known

    def all(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Key and body of every row of `package` or `flaw`, in no order."""
        changed = self.changed.get(name, _NO_ROWS)
        column = "key" if name == "package" else "id"
        try:
            for key, body in self._db.execute(f"select {column}, body from {name}"):  # noqa: S608 - constants
                if key not in changed:
                    yield key, body
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from None
        for key, new in changed.items():
            if new is not None:
                yield key, new

    def products(self) -> frozenset[str]:
        """The products that some VEX statement names."""
        try:
            found = {row[0] for row in self._db.execute("select key from vex")}
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from None
        return frozenset(found.union(self.changed.get("vex", _NO_ROWS)))

    def _row(self, name: str, key: str | int) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._db.execute(_SELECT[name], (key,)).fetchone()
        except sqlite3.Error as error:
            raise _damaged(self.path, error) from None
        return row


def _damaged(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(f"the advisory table can't be read: {error}", where=str(path), mend=_REBUILD)
