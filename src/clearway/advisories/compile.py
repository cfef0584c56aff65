"""Writing the compiled table: whole, or the changes of a few records beside the one that stands.

Both write a new file and put it in place, synced, with one rename, so a reader meets the old
state or the new one. What is read from the database is one snapshot. Changes re-derive exactly
what the changed records can touch: the flaws that their names reach, the packages they speak of
now or spoke of before, and their own notes (`changes`).
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import sqlite3
import threading
from array import array
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import compress

import msgspec

from clearway.records.errors import UpstreamError
from clearway.store.apart import deaf_to_ctrl_c

from . import groups as grouping
from . import sources
from .changes import changed_rows, with_catalogues
from .collect import Collected
from .derived import FACTS, VEX
from .orphans import die_with
from .rows import array_of, by_package
from .table import CHANGES_SUFFIX, TABLE_FORMAT, Changes, Meta, Table, package_key, place_of
from .vendors import bundled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .outcome import Stamp
    from .snapshot import Snapshot

# From this many changed rows on, a whole compilation is the better answer.
MOST_CHANGES = 5_000
_MODULUS = 1 << 256
_ENCODE = msgspec.msgpack.Encoder().encode
_SCHEMA = """
create table meta(key text primary key, value blob) without rowid;
create table package(id integer primary key, key text, body blob);
create table flaw(id text primary key, body blob);
create table alias(id text primary key, flaws blob) without rowid;
create table record(id text primary key, body blob);
create table vex(key text primary key, body blob);
"""


class _Packages(msgspec.Struct, array_like=True):
    """What writing the packages found."""

    places: bytes
    packages: int
    claims: int


def compile_whole(snapshot: Snapshot, path: Path, *, built: str) -> Meta:
    """Compiles everything in the snapshot to `path`; returns what the file says of itself.

    Packages and flaws are written by two processes, since they share nothing but the snapshot.

    Raises:
        UpstreamError: the file can't be written; the one that stands is untouched.
    """
    with _replacing(path) as draft, _uncollected():
        _create(draft)
        packages = _beside(lambda reader: _write_packages(reader, draft), snapshot)
        facts = Collected()
        content = 0
        for source, identifier, sha256, body in snapshot.records():
            content += _fingerprint(source, identifier, sha256)
            facts.add(FACTS.decode(body))
        edges = list(snapshot.edges())
        derived = grouping.derive(facts.ids, edges)
        epss = snapshot.epss([f for f in derived.flaws if grouping.is_cve(f)])
        flaws = [(f.id, _ENCODE(f)) for f in facts.flaws(derived, edges, epss)]
        found = packages()
        meta = Meta(
            format=TABLE_FORMAT,
            base=uuid4().hex,
            generation=snapshot.generation,
            home=snapshot.home,
            built=built,
            content=f"{content % _MODULUS:064x}",
            sources=sources.notes(snapshot.loaded(), facts.speaks_of),
            ssvc=bool(facts.ssvc),
            vendor_map=bundled().edition,
            refused_merges=len(derived.refused),
            records=len(facts.notes),
            packages=found.packages,
            flaws=len(derived.flaws),
            claims=found.claims,
        )
        meta = with_catalogues(meta, snapshot)
        with _writing(draft) as db:
            db.executemany(
                "insert into record values (?, ?)", ((i, array_of(n)) for i, n in facts.all_notes())
            )
            db.executemany("insert into flaw values (?, ?)", flaws)
            db.executemany(
                "insert into alias values (?, ?)", ((i, " ".join(f).encode()) for i, f in derived.of.items())
            )
            db.execute("insert into meta values ('table', ?)", (_ENCODE(meta),))
            db.execute("insert into meta values ('places', ?)", (found.places,))
    path.with_suffix(CHANGES_SUFFIX).unlink(missing_ok=True)
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
    """Writes what a few records change beside the table at `path`; what is then read equals `compile_whole`.

    `stood` are the records that stand since the table was compiled, `replaced` those that no
    longer do, `touched` every id about which either speaks.

    Raises:
        UpstreamError: the file can't be written; what stands is untouched.
    """
    old = Table.open(path)
    with closing(old):
        rows, meta = changed_rows(snapshot, old, touched, {s[0] for s in (*stood, *replaced)})
        for name, before in old.changed.items():
            rows[name] = {**before, **rows.get(name, {})}
    if sum(map(len, rows.values())) > MOST_CHANGES:
        return compile_whole(snapshot, path, built=built)
    content = int(old.meta.content, 16) + sum(_fingerprint(*s) for s in stood)
    content -= sum(_fingerprint(*s) for s in replaced)
    meta = msgspec.structs.replace(
        meta, generation=snapshot.generation, built=built, content=f"{content % _MODULUS:064x}"
    )
    with _replacing(path.with_suffix(CHANGES_SUFFIX)) as draft:
        draft.write_bytes(_ENCODE(Changes(old.meta.base, meta, rows)))
    return meta


def _write_packages(snapshot: Snapshot, draft: Path) -> _Packages:
    claims = 0
    packages: list[tuple[int, str, bytes]] = []
    with _writing(draft) as db:
        for (ecosystem, name), bodies in by_package(snapshot.claims()):
            if ecosystem == VEX:
                db.execute("insert into vex values (?, ?)", (name, compress(array_of(bodies), 1)))
                continue
            key = package_key(ecosystem, name)
            packages.append((place_of(key), key, array_of(bodies)))
            claims += len(bodies)
        packages.sort()
        db.executemany(
            "insert into package values (?, ?, ?)",
            ((i, k, body) for i, (_, k, body) in enumerate(packages, 1)),
        )
    return _Packages(array("I", [place for place, _, _ in packages]).tobytes(), len(packages), claims)


def _beside(work: Callable[[Snapshot], _Packages], snapshot: Snapshot) -> Callable[[], _Packages]:
    """Starts `work` on a second connection to the same snapshot, in a process of its own where that is safe.

    Returns what waits for its answer. A process that has threads must not fork, and a
    snapshot that can't be shared has no second connection: then the work is done at once.
    """
    reader = snapshot.shared()
    if reader is None or threading.active_count() > 1:
        found = work(snapshot)
        return lambda: found
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    parent = os.getpid()

    def run() -> None:
        here.close()
        die_with(parent)
        try:
            with reader() as second:
                there.send_bytes(_ENCODE(work(second)))
        finally:
            there.close()

    process = context.Process(target=run, daemon=True)
    with deaf_to_ctrl_c():
        process.start()
    there.close()

    def wait() -> _Packages:
        try:
            return msgspec.msgpack.decode(here.recv_bytes(), type=_Packages)
        except EOFError:
            raise UpstreamError(
                "the process that writes the packages ended before its time",
                mend="see its message above, then run `clearway ingest --rebuild`",
            ) from None
        finally:
            process.join()

    return wait


def _fingerprint(source: str, identifier: str, sha256: bytes) -> int:
    """One record's share of the content hash: a sum, so that one record can be taken out again."""
    return int.from_bytes(hashlib.sha256(f"{source}\0{identifier}\0".encode() + sha256).digest())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: a million small objects that all live to the end, and no cycles among them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _create(draft: Path) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        db.executescript("pragma journal_mode=off; pragma synchronous=off;" + _SCHEMA)


@contextmanager
def _writing(draft: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on a draft. It is nobody's until the rename: no journal, one sync at the end."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        db.executescript("pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-65536;")
        db.execute("begin")
        yield db
        db.execute("commit")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place, synced, when the block ends well; else it is removed.

    Whoever compiles holds the intake lock, so no other draft can be in the making.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left_over in path.parent.glob(f"{path.name}.*.new"):  # of a compilation that was killed
            left_over.unlink(missing_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            yield draft
            _sync(draft, os.O_RDWR)
            draft.replace(path)
            _sync(path.parent, os.O_RDONLY)
        finally:
            draft.unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        raise UpstreamError(
            f"the advisory table can't be written: {error}",
            where=str(path),
            mend="free disk space or mend the folder's rights, then run `clearway ingest --rebuild`",
        ) from error


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
