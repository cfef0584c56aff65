"""Small compiled tables written by hand, for tests that need one and no database."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from clearway.advisories.table import (
    TABLE_FORMAT,
    Claim,
    Flaw,
    Meta,
    RecordNote,
    SourceNote,
    package_key,
    place_of,
)
from clearway.records.advisory import Event
from clearway.versions import intervals, key, scheme_of

_encode = msgspec.msgpack.Encoder().encode


def claim(
    record: str,
    source: str,
    ecosystem: str,
    *events: tuple[str, str],
    listed: Sequence[str] = (),
    status: str = "affected",
    unread: str = "",
) -> Claim:
    """One record's word on one package of `ecosystem`; `events` are (kind, version)."""
    scheme = scheme_of(ecosystem)
    found = intervals(scheme, [Event(kind, version) for kind, version in events])  # type: ignore[arg-type]
    return Claim(
        record,
        source,
        status,
        scheme,
        tuple((i.lo, i.hi, i.introduced, i.end, i.end_kind) for i in found),
        tuple((key(scheme, text), text) for text in listed),
        unread,
    )


def write_table(
    path: Path,
    packages: Mapping[tuple[str, str], Sequence[Claim]],
    *,
    notes: Sequence[RecordNote] = (),
    flaws: Sequence[Flaw] = (),
    covers: Sequence[str] = (),
    content: str = "one",
) -> Path:
    """Writes a table beside `path` and puts it in place with one rename, as the compiler does."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    db = sqlite3.connect(beside)
    db.execute("create table meta(key text primary key, value blob) without rowid")
    db.execute("create table package(id integer primary key, key text, body blob)")
    for name in ("flaw(id text primary key, body blob)", "alias(id text primary key, flaws text)"):
        db.execute(f"create table {name} without rowid")
    for name in ("record(id text primary key, body blob)", "vex(key text primary key, body blob)"):
        db.execute(f"create table {name} without rowid")
    keys = {package_key(*package): claims for package, claims in packages.items()}
    source = SourceNote("test", len(notes), "2026-11-01", "2026-11-02", covers=tuple(covers))
    meta = Meta(
        format=TABLE_FORMAT,
        base=content,
        generation=1,
        home="home",
        built="2026-11-02T00:00:00Z",
        content=content,
        sources=(source,),
    )
    rows = sorted((place_of(key), key, _encode(tuple(claims))) for key, claims in keys.items())
    places = array("I", [place for place, _, _ in rows])
    db.executemany("insert into meta values (?, ?)", [("table", _encode(meta)), ("places", places.tobytes())])
    db.executemany("insert into package values (?, ?, ?)", [(i, k, b) for i, (_, k, b) in enumerate(rows, 1)])
    by_id: dict[str, list[RecordNote]] = {}
    for note in notes:
        by_id.setdefault(note.id, []).append(note)
    db.executemany("insert into record values (?, ?)", [(k, _encode(v)) for k, v in by_id.items()])
    db.executemany("insert into flaw values (?, ?)", [(f.id, _encode(f)) for f in flaws])
    db.executemany("insert into alias values (?, ?)", [(i, f.id.encode()) for f in flaws for i in f.ids])
    db.commit()
    db.close()
    beside.replace(path)
    return path
