"""A compiled table from records given in the test: the real readers and the real compiler, without a database."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from clearway.advisories.compile import compile_whole
from clearway.advisories.derived import FACTS, Derived, derive
from clearway.advisories.snapshot import Catalogue
from clearway.advisories.sources import Loaded
from clearway.advisories.table import RecordNote, Table
from clearway.advisories.vendors import VendorMap, bundled
from clearway.formats import osv
from clearway.records.advisory import Advisory, Kev
from clearway.records.vex import VexDocument


class MemorySnapshot:
    """What `advisories.snapshot.Snapshot` reads from the database, held in memory."""

    generation = 1
    home = "test"

    def __init__(
        self, items: Sequence[Advisory | Kev | VexDocument | tuple[Any, ...]], vendors: VendorMap
    ) -> None:
        self._derived: list[tuple[str, str, Derived]] = []
        for item in items:
            first = item[0] if isinstance(item, tuple) else item
            source = first.source
            identifier = first.cve if isinstance(first, Kev) else first.id
            self._derived.append((source, identifier, derive(item, vendors)))
        self._kev = next((i.catalogue for i in items if isinstance(i, Kev)), "")

    def shared(self) -> None:
        return None

    def records(self) -> Iterator[tuple[str, str, bytes, bytes]]:
        for source, identifier, derived in self._derived:
            yield source, identifier, hashlib.sha256(derived.facts).digest(), derived.facts

    def edges(self) -> Iterator[Any]:
        for _, _, derived in self._derived:
            yield from derived.edges

    def claims(self) -> Iterator[tuple[str, str, bytes]]:
        rows = [(c.ecosystem, c.name, c.body) for _, _, d in self._derived for c in d.claims]
        return iter(sorted(rows))

    def epss(self, cves: Collection[str]) -> dict[str, tuple[float, float | None, str, str]]:
        return {}

    def loaded(self, only: Collection[str] | None = None) -> list[Loaded]:
        counts: dict[str, int] = {}
        newest: dict[str, str] = {}
        for source, _, derived in self._derived:
            counts[source] = counts.get(source, 0) + 1
            for note in FACTS.decode(derived.facts).notes:
                modified = msgspec.msgpack.decode(note, type=RecordNote).modified
                newest[source] = max(newest.get(source, ""), modified)
        return [Loaded(s, n, newest.get(s, ""), "2026-11-25T00:00:00Z") for s, n in counts.items()]

    def catalogue(self, kind: str) -> Catalogue:
        return Catalogue(self._kev, "2026-11-25T00:00:00Z") if kind == "kev" and self._kev else Catalogue()


def table_of(folder: Path, *items: Any, vendors: VendorMap | None = None) -> Table:
    """The open table of `items`: OSV records as dicts, or records of any kind."""
    read = [osv.advisory(i) if isinstance(i, dict) else i for i in items]
    path = folder / "advisories.sqlite"
    compile_whole(MemorySnapshot(read, vendors or bundled()), path, built="2026-11-25T00:00:00Z")  # type: ignore[arg-type]
    return Table.open(path)


def record(
    identifier: str, ecosystem: str, name: str, *events: dict[str, str], kind: str = "ECOSYSTEM", **more: Any
) -> dict[str, Any]:
    """A small OSV record with one range."""
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}}
    if events:
        affected["ranges"] = [{"type": kind, "events": list(events)}]
    for key in ("versions", "ecosystem_specific", "database_specific"):
        if key in more:
            affected[key] = more.pop(key)
    return {"id": identifier, "modified": "2026-01-02T03:04:05Z", "affected": [affected], **more}
