"""The log in the database as something to verify or to export: a `verify.Source`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import handed
from . import tree_store as tree
from .bundle import FORMAT, BundleWriter, Manifest
from .checkpoint import Epoch
from .leaf import STRIDE, Opening
from .merkle import HASH_BYTES
from .tiles import ENTRIES, WIDTH, Tile
from .tree_store import LogKey
from .verify_report import Chunk

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_TILES_AT_ONCE = 32
_OPENINGS = """
select l.leaf, l.entry, e.entry is not null,
    case when e.act is not null then clearway.log_header(e.act, e.actor, e.at, e.credential, e.subject) end,
    e.header_salt, e.content, e.content_salt, e.header_hash || e.content_hash
from clearway.log_leaf l left join clearway.log_entry e using (entry)
where l.leaf >= %s and l.leaf < %s order by l.leaf
"""
# An erasure counts as soon as it is committed, and the entry that says so may wait for its place.
_WAITING = """
select e.entry,
    case when e.act is not null then clearway.log_header(e.act, e.actor, e.at, e.credential, e.subject) end,
    e.header_salt, e.content, e.content_salt, e.header_hash || e.content_hash
from clearway.log_entry e, clearway.log_state s
where (e.act is null or e.content is null or e.act = 'ledger.erased')
    and not exists (select from clearway.log_leaf l where l.entry = e.entry)
order by e.entry
"""
_UNPLACED = """
select e.entry from clearway.log_entry e, clearway.log_state s
where e.entry <= s.head and not exists (select from clearway.log_leaf l where l.entry = e.entry)
    and not exists (select from clearway.log_gap g where g.entry = e.entry)
order by e.entry limit 10
"""


class Stored:
    """The log as one transaction sees it.

    `whole` is for who sees every entry: one that is not there is then wrong, not hidden. `opened` fetches what
    opens the leaves.
    """

    def __init__(self, db: Connection, *, whole: bool, opened: bool = True) -> None:
        self._db = db
        self.whole = whole
        self._opened = opened

    def notes(self) -> list[str]:
        return tree.kept_notes(self._db)

    def keys(self) -> list[LogKey]:
        return tree.keys(self._db)

    def epochs(self) -> list[Epoch]:
        return [epoch for epoch, _ in tree.epochs(self._db)]

    def elsewhere(self) -> list[str]:
        if not self.whole:
            return []
        unplaced = [e for (e,) in self._db.execute(_UNPLACED)]
        state = tree.head(self._db)
        newest = tree.newest(self._db)
        found = [f"entry {e} was put in later, where the tree has no place for it" for e in unplaced]
        if state.size != (newest[0].size if newest else 0):
            found.append(f"the log says {state.size} entries, and its newest checkpoint another number")
        return found

    def waiting(self) -> Iterator[tuple[Opening, bytes]]:
        if self.whole and self._opened:
            for entry, *parts, both in self._db.execute(_WAITING, binary=True):
                yield Opening(entry, *parts), both

    def tile(self, tile: Tile) -> bytes:
        return tree.read_tiles(self._db, [tile]).get(tile, b"")

    def chunks(self, size: int) -> Iterator[Chunk]:
        count = -(-size // WIDTH)
        for first in range(0, count, _TILES_AT_ONCE):
            here = range(first, min(count, first + _TILES_AT_ONCE))
            rows = tree.read_tiles(self._db, [Tile(level, n) for n in here for level in (0, ENTRIES)])
            opened = self._openings(here, size, rows)
            for n in here:
                wide = min(WIDTH, size - n * WIDTH)
                openings, problems = opened.get(n, ([], []))
                yield Chunk(
                    bundle=rows.get(Tile(ENTRIES, n), b"")[: wide * STRIDE],
                    tile=rows.get(Tile(0, n), b"")[: wide * HASH_BYTES],
                    openings=openings,
                    problems=problems,
                )

    def _openings(
        self, here: range, size: int, rows: dict[Tile, bytes]
    ) -> dict[int, tuple[list[tuple[int, Opening]], list[tuple[int, str]]]]:
        if not self._opened:
            return {}
        found: dict[int, tuple[list[tuple[int, Opening]], list[tuple[int, str]]]] = {
            n: ([], []) for n in here
        }
        start, end = here.start * WIDTH, min(size, here.stop * WIDTH)
        expected = start
        for leaf, entry, there, header, header_salt, content, content_salt, both in self._db.execute(
            _OPENINGS, (start, end), binary=True
        ):
            for gone in range(expected, leaf):
                found[gone // WIDTH][1].append((gone % WIDTH, "no entry is known for it"))
            expected = leaf + 1
            openings, problems = found[leaf // WIDTH]
            at = leaf % WIDTH
            if not there:
                if self.whole:
                    problems.append((at, f"entry {entry} is gone"))
                continue
            inside = at * STRIDE + STRIDE - 64
            if both != rows.get(Tile(ENTRIES, leaf // WIDTH), b"")[inside : inside + 64]:
                problems.append((at, f"the hashes of entry {entry} were changed"))
            openings.append((at, Opening(entry, header, header_salt, content, content_salt)))
        for gone in range(expected, end):
            found[gone // WIDTH][1].append((gone % WIDTH, "no entry is known for it"))
        return found


@contextmanager
def snapshot(db: Connection) -> Iterator[None]:
    """A read-only transaction that sees one state of the log throughout. `db` is outside of any transaction."""
    with db.transaction():
        db.execute("set transaction isolation level repeatable read, read only")
        yield


def is_untouched(db: Connection) -> bool:
    """Whether no entry ever had a place and nothing was ever signed, by all that the database keeps of it."""
    row = db.execute(
        "select exists (select from clearway.log_leaf) or exists (select from clearway.log_tile) "
        "or exists (select from clearway.log_checkpoint) or exists (select from clearway.log_key) "
        "or exists (select from clearway.log_epoch) or exists (select from clearway.log_witness) "
        "or exists (select from clearway.log_state where head > 0 or size > 0)"
    ).fetchone()
    return row is not None and not row[0]


def pending(db: Connection) -> int:
    """How many committed entries have no leaf yet."""
    now = tree.head(db)
    row = db.execute(
        "select (select count(*) from clearway.log_entry where entry > %s) "
        "+ (select count(*) from clearway.log_entry where entry = any(%s))",
        (now.head, now.gaps),
        prepare=False,
    ).fetchone()
    return int(row[0]) if row else 0


def export_to(db: Connection, path: Path, *, opened: bool) -> Manifest:
    """Writes the log to a new bundle; with `opened`, what opens its leaves too, as far as `db` may see it.

    What is opened leaves with an entry, or not at all. `db` is outside of any transaction.

    Raises:
        UsageError: there is a file of that name, or no such folder.
        ConflictError: another export is being written there.
        UpstreamError, ConfigError: the file can't be written.
    """
    with BundleWriter(path) as writer:
        with snapshot(db):
            source = Stored(db, whole=False, opened=opened)
            state = tree.head(db)
            manifest = Manifest(
                format=FORMAT,
                origin=state.origin,
                size=state.size,
                keys=tuple(source.keys()),
                witnesses=tuple(key.text() for key in tree.witnesses(db)),
                epochs=tuple(source.epochs()),
                opened=opened,
            )
            made = writer.whole(manifest, source.notes(), source.chunks(state.size), source.tile)
        if opened:
            handed.exported(db, state.size, made)
        writer.publish()
    return manifest
