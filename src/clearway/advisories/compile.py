"""Writing the compiled table: whole, or as a changed copy of the one that stands.

Both ways write a new file beside the old one, sync it and put it in place with one rename,
so a reader meets the old state or the new one. What is read from the database is one
snapshot. The changed copy re-derives exactly what a changed record can touch: the flaws its
names reach, the packages it speaks of now or spoke of before, and its own note.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from array import array
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from clearway.records.errors import UpstreamError

from . import groups as grouping
from . import sources
from .derived import FACTS, VEX, Facts
from .table import TABLE_FORMAT, Flaw, Meta, Table, package_key
from .vendors import bundled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from clearway.records.advisory import Kev, Ssvc

    from .snapshot import Snapshot
    from .store import Stamp
    from .table import RecordNote, ScoreNote

_ENCODE = msgspec.msgpack.Encoder().encode
_SCHEMA = """
create table meta(key text primary key, value blob) without rowid;
create table package(key text primary key, body blob);
create table flaw(id text primary key, body blob);
create table alias(id text primary key, flaws text) without rowid;
create table record(id text primary key, body blob);
create table vex(key text primary key, body blob);
"""


def compile_whole(snapshot: Snapshot, path: Path, *, built: str) -> Meta:
    """Compiles everything in the snapshot to `path`; returns what the file says of itself."""
    facts = _Collected()
    content = 0
    for source, identifier, sha256, body in snapshot.records():
        content += _fingerprint(source, identifier, sha256)
        facts.add(FACTS.decode(body))
    edges = list(snapshot.edges())
    derived = grouping.derive(facts.notes, edges)
    speaks_of: dict[str, set[str]] = {}
    with _new_file(path) as db:
        filtered = array("I")
        claims = packages = 0
        for ecosystem, name, bodies in _by_package(snapshot.claims()):
            if ecosystem == VEX:
                db.execute("insert into vex values (?, ?)", (name, _array(bodies)))
                continue
            key = package_key(ecosystem, name)
            db.execute("insert into package values (?, ?)", (key, _array(bodies)))
            filtered.append(crc32(key.encode("utf-8", "surrogatepass")))
            claims += len(bodies)
            packages += 1
        for notes in facts.notes.values():
            for note in notes:
                speaks_of.setdefault(note.source, set()).update(p[0] for p in note.packages)
        db.executemany(
            "insert into record values (?, ?)", ((i, _ENCODE(tuple(n))) for i, n in facts.notes.items() if n)
        )
        flaws = _flaws(derived, edges, facts, snapshot)
        db.executemany("insert into flaw values (?, ?)", ((f.id, _ENCODE(f)) for f in flaws))
        db.executemany("insert into alias values (?, ?)", ((i, " ".join(f)) for i, f in derived.of.items()))
        meta = Meta(
            format=TABLE_FORMAT,
            generation=snapshot.generation,
            home=snapshot.home,
            built=built,
            content=f"{content % _MODULUS:064x}",
            sources=sources.notes(snapshot.loaded(), speaks_of),
            kev=snapshot.catalogue("kev").version,
            kev_received=snapshot.catalogue("kev").received,
            epss=snapshot.catalogue("epss").version,
            vendor_map=bundled().version,
            refused_merges=len(derived.refused),
            records=len(facts.notes),
            packages=packages,
            flaws=len(derived.flaws),
            claims=claims,
        )
        _write_meta(db, meta, filtered)
    return meta


def compile_changes(
    snapshot: Snapshot,
    path: Path,
    touched: Sequence[str],
    stood: Sequence[Stamp],
    replaced: Sequence[Stamp],
    *,
    built: str,
) -> Meta:
    """Compiles what a few records change into a copy of the table at `path`.

    `stood` are the records that stand since the table was compiled, `replaced` those that no
    longer do, `touched` every id about which either speaks. The result equals `compile_whole`
    of the same snapshot, but for the order of rows on disk.
    """
    old = Table.open(path)
    try:
        before = [note for i in touched for note in old.records(i)]
        near = set(touched)
        for identifier in touched:
            for flaw_id in old.flaws_of(identifier):
                flaw = old.flaw(flaw_id)
                near.update(() if flaw is None else flaw.ids)
        edges = list(snapshot.edges_around(near))
        reached = near | {e.subject for e in edges} | {e.target for e in edges}
        facts = _Collected()
        wanted = set(touched)
        for _, _, _, body in snapshot.records_with_ids(reached):
            facts.add(FACTS.decode(body))
        content = int(old.meta.content, 16) + sum(_fingerprint(*s) for s in stood)
        content -= sum(_fingerprint(*s) for s in replaced)
        derived = grouping.derive(facts.notes, edges)
        stale = {f for i in reached for f in old.flaws_of(i)}
        packages = {p for note in before for p in note.packages}
        packages |= {p for i in wanted for note in facts.notes.get(i, ()) for p in note.packages}
        meta = old.meta
        known = {p for p in packages if old.claims(*p)}
        old_claims = sum(len(old.claims(*p)) for p in packages)
    finally:
        old.close()
    loaded = snapshot.loaded()
    speaks_of = {n.source: {*n.covers, *n.partial} for n in meta.sources}
    for notes in facts.notes.values():
        for note in notes:
            speaks_of.setdefault(note.source, set()).update(p[0] for p in note.packages)
    with _new_file(path, copy=True) as db:
        kept: set[tuple[str, str]] = set()
        claims = 0
        filtered = array("I")
        filtered.frombytes(db.execute("select value from meta where key = 'filter'").fetchone()[0])
        for ecosystem, name, bodies in _by_package(snapshot.claims_of(packages)):
            kept.add((ecosystem, name))
            claims += len(bodies)
            key = package_key(ecosystem, name)
            db.execute("insert or replace into package values (?, ?)", (key, _array(bodies)))
            if (ecosystem, name) not in known:
                filtered.append(crc32(key.encode("utf-8", "surrogatepass")))
        db.executemany("delete from package where key = ?", ((package_key(*p),) for p in packages - kept))
        for identifier in wanted:
            own = facts.notes.get(identifier)
            if own:
                db.execute("insert or replace into record values (?, ?)", (identifier, _ENCODE(tuple(own))))
            else:
                db.execute("delete from record where id = ?", (identifier,))
        db.executemany("delete from flaw where id = ?", ((f,) for f in stale - set(derived.flaws)))
        db.executemany("delete from alias where id = ?", ((i,) for i in reached - set(derived.of)))
        flaws = _flaws(derived, edges, facts, snapshot)
        db.executemany("insert or replace into flaw values (?, ?)", ((f.id, _ENCODE(f)) for f in flaws))
        db.executemany(
            "insert or replace into alias values (?, ?)", ((i, " ".join(f)) for i, f in derived.of.items())
        )
        count = db.execute("select (select count(*) from record), (select count(*) from flaw)").fetchone()
        meta = msgspec.structs.replace(
            meta,
            generation=snapshot.generation,
            built=built,
            content=f"{content % _MODULUS:064x}",
            sources=sources.notes(loaded, speaks_of),
            records=count[0],
            flaws=count[1],
            packages=meta.packages + len(kept) - len(known),
            claims=meta.claims + claims - old_claims,
        )
        _write_meta(db, meta, filtered)
    return meta


_MODULUS = 1 << 256


def _fingerprint(source: str, identifier: str, sha256: bytes) -> int:
    """One record's share of the content hash: a sum, so that one record can be taken out again."""
    return int.from_bytes(hashlib.sha256(f"{source}\0{identifier}\0".encode() + sha256).digest())


class _Collected:
    """Facts of many records, by the id they are about."""

    def __init__(self) -> None:
        self.notes: dict[str, list[RecordNote]] = {}
        self.scores: dict[str, list[ScoreNote]] = {}
        self.ssvc: dict[str, Ssvc] = {}
        self.kev: dict[str, Kev] = {}

    def add(self, facts: Facts) -> None:
        for note in facts.notes:
            if not note.withdrawn:
                self.notes.setdefault(note.id, []).append(note)
        for identifier, score in facts.scores:
            self.scores.setdefault(identifier, []).append(score)
        for entry in facts.ssvc:
            known = self.ssvc.get(entry.cve)
            if known is None or entry.dated >= known.dated:
                self.ssvc[entry.cve] = entry
        for listing in facts.kev:
            known_kev = self.kev.get(listing.cve)
            # The catalogue itself outranks what a CVE record's container says of it.
            if known_kev is None or not known_kev.catalogue:
                self.kev[listing.cve] = listing
            self.notes.setdefault(listing.cve, [])


def _flaws(
    derived: grouping.Groups, edges: Iterable[grouping.Edge], facts: _Collected, snapshot: Snapshot
) -> Iterator[Flaw]:
    asserted: dict[str, list[tuple[str, str, str, str]]] = {}
    for edge in edges:
        # A bundle's edge is about its target; any other is about the record that asserts it.
        about = edge.target if edge.kind == "bundles" else edge.subject
        for flaw in derived.of.get(about, ()):
            asserted.setdefault(flaw, []).append((edge.subject, edge.kind, edge.target, edge.source))
    epss = snapshot.epss([f for f in derived.flaws if grouping.is_cve(f)])
    for group in derived.flaws.values():
        scores = tuple(s for i in (*group.ids, *group.bundled_by) for s in facts.scores.get(i, ()))
        rated = [s.score for s in scores if s.score is not None]
        yield Flaw(
            id=group.id,
            ids=group.ids,
            records=tuple((n.source, n.id) for i in group.ids for n in facts.notes.get(i, ())),
            bundled_by=tuple((n.source, n.id) for i in group.bundled_by for n in facts.notes.get(i, ())),
            asserted=tuple(sorted(asserted.get(group.id, ()))),
            kev=facts.kev.get(group.id),
            ssvc=facts.ssvc.get(group.id),
            epss=epss.get(group.id),
            scores=scores,
            best_score=max(rated) if rated else None,
        )


def _by_package(rows: Iterable[tuple[str, str, bytes]]) -> Iterator[tuple[str, str, list[bytes]]]:
    """Runs of one package; the rows come sorted by package and record."""
    at: tuple[str, str] | None = None
    bodies: list[bytes] = []
    for ecosystem, name, body in rows:
        if at != (ecosystem, name):
            if at is not None:
                yield (*at, bodies)
            at, bodies = (ecosystem, name), []
        bodies.append(body)
    if at is not None:
        yield (*at, bodies)


def _array(bodies: list[bytes]) -> bytes:
    """A msgpack array of ready-made msgpack values (msgpack specification, "array format family")."""
    count = len(bodies)
    if count < 16:
        head = bytes((0x90 | count,))
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(bodies)


def _write_meta(db: sqlite3.Connection, meta: Meta, filtered: array[int]) -> None:
    db.execute("insert or replace into meta values ('table', ?)", (_ENCODE(meta),))
    db.execute("insert or replace into meta values ('filter', ?)", (filtered.tobytes(),))


@contextmanager
def _new_file(path: Path, *, copy: bool = False) -> Iterator[sqlite3.Connection]:
    """A database beside `path` that replaces it, synced, when the block ends well; else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        draft.unlink(missing_ok=True)
        if copy:
            shutil.copyfile(path, draft)
        with closing(sqlite3.connect(draft, isolation_level=None)) as db:
            # The draft is nobody's until the rename: no journal, one sync at the end.
            db.executescript(
                "pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-65536;"
                + ("" if copy else _SCHEMA)
            )
            db.execute("begin")
            yield db
            db.execute("commit")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (sqlite3.Error, OSError) as error:
        raise UpstreamError(
            f"the advisory table can't be written: {error}",
            where=str(path),
            mend="free disk space or mend the folder's rights, then run `clearway ingest --rebuild`",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
