"""The tree in the database: tiles, checkpoints and what stands beside them. Readable by everybody."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import IntegrityError, NotFoundError

from . import tiles as t
from .checkpoint import Checkpoint, Epoch, of_note
from .merkle import EMPTY_ROOT
from .note import Note, VerifierKey, parse, parse_key, signature
from .tiles import Tile

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]


_HEAD = """
select s.origin, s.head, s.size,
    array(select vkey from clearway.log_key where retired is null order by number),
    e.number, e.old_size, e.old_root, e.kept, pg_snapshot_xmin(now.s)::text, pg_snapshot_xmax(now.s)::text,
    array(select entry from clearway.log_gap order by entry)
from clearway.log_state s cross join pg_current_snapshot() now(s)
    left join lateral (select * from clearway.log_epoch order by number desc limit 1) e on true
"""


class Head(Struct, frozen=True, kw_only=True):
    """How far the log is."""

    origin: str
    head: int
    size: int
    keys: tuple[str, ...]  # those that sign now
    epoch: Epoch | None
    oldest: str  # transactions older than this are over
    newest: str  # none has this number or a higher one yet
    gaps: list[int]  # numbers that were passed over and may still come


class LogKey(Struct, frozen=True, kw_only=True):
    """One key of the log, and the note in which the key before says that it follows."""

    number: int
    vkey: str
    endorsement: str
    retired: bool


def head(db: Connection) -> Head:
    """How far the log is, who signs it, and how far transactions are at this moment."""
    row = db.execute(_HEAD).fetchone()
    if row is None:
        raise IntegrityError("the log's state is gone", where="log_state", mend="restore the database")
    origin, head, size, keys, number, old_size, old_root, kept, oldest, newest, gaps = row
    return Head(
        origin=origin,
        head=head,
        size=size,
        keys=tuple(keys),
        epoch=None
        if number is None
        else Epoch(number=number, old_size=old_size, old_root=old_root, kept=kept),
        oldest=oldest,
        newest=newest,
        gaps=gaps,
    )


def epochs(db: Connection) -> list[tuple[Epoch, int]]:
    """The restarts of the log, oldest first, each with the entry that tells of it."""
    rows = db.execute(
        "select number, old_size, old_root, kept, entry from clearway.log_epoch order by number"
    )
    return [
        (Epoch(number=n, old_size=size, old_root=root, kept=kept), entry)
        for n, size, root, kept, entry in rows
    ]


def keys(db: Connection) -> list[LogKey]:
    """Every key that has signed the log, oldest first."""
    rows = db.execute(
        "select number, vkey, endorsement, retired is not null from clearway.log_key order by number"
    )
    return [LogKey(number=n, vkey=v, endorsement=e, retired=r) for n, v, e, r in rows]


def witnesses(db: Connection) -> list[VerifierKey]:
    """The witnesses whose co-signatures are taken."""
    return [
        parse_key(vkey) for (vkey,) in db.execute("select vkey from clearway.log_witness order by name, vkey")
    ]


def read_tiles(db: Connection, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
    """Those of `wanted` that are there, in one query."""
    places = list(wanted)
    if not places:
        return {}
    rows = db.execute(
        "select level, index, body from unnest(%s::smallint[], %s::bigint[]) w(level, index) "
        "join clearway.log_tile using (level, index)",
        ([p.level for p in places], [p.index for p in places]),
    )
    return {Tile(level, index): body for level, index, body in rows}


def write_tiles(db: Connection, changed: Mapping[Tile, bytes]) -> None:
    """Puts tiles in their places, over narrower ones of themselves."""
    places = list(changed)
    db.execute(
        "insert into clearway.log_tile (level, index, body) "
        "select * from unnest(%s::smallint[], %s::bigint[], %s::bytea[]) "
        "on conflict (level, index) do update set body = excluded.body",
        ([p.level for p in places], [p.index for p in places], [changed[p] for p in places]),
    )


def root(db: Connection, size: int) -> bytes:
    """The root of the first `size` entries, from a few tiles.

    Raises:
        IntegrityError: a tile is missing or cut.
    """
    if size == 0:
        return EMPTY_ROOT
    ranges = t.root_ranges(size)
    return t.hashes(ranges, read_tiles(db, t.needed(ranges)))[0]


def inclusion(db: Connection, leaf: int, size: int) -> list[bytes]:
    """The proof that leaf number `leaf` is in the tree of `size`.

    Raises:
        NotFoundError: it is not.
    """
    ranges = t.inclusion_ranges(leaf, min(size, _size(db, size)))
    return t.hashes(ranges, read_tiles(db, t.needed(ranges)))


def consistency(db: Connection, old_size: int, size: int) -> list[bytes]:
    """The proof that the tree of `size` begins with the one of `old_size`.

    Raises:
        NotFoundError: the log is not as large.
    """
    ranges = t.consistency_ranges(old_size, min(size, _size(db, size)))
    return t.hashes(ranges, read_tiles(db, t.needed(ranges)))


def _size(db: Connection, wanted: int) -> int:
    row = db.execute("select size from clearway.log_state").fetchone()
    size = int(row[0]) if row else 0
    if wanted > size:
        raise NotFoundError(f"the log has {size} entries, not {wanted}", mend="ask for a size it has")
    return size


def leaf_bytes(db: Connection, leaf: int) -> bytes:
    """The leaf with this number, from its bundle.

    Raises:
        NotFoundError: there is none.
    """
    from .leaf import LEAF_BYTES, STRIDE

    place = Tile(t.ENTRIES, leaf // t.WIDTH)
    at = (leaf % t.WIDTH) * STRIDE + 2
    found = read_tiles(db, [place]).get(place, b"")[at : at + LEAF_BYTES] if leaf >= 0 else b""
    if len(found) != LEAF_BYTES:
        raise NotFoundError(f"no leaf {leaf}", mend="ask for a leaf below the log's size")
    return found


def newest(db: Connection, *, witnessed: bool = False) -> tuple[Checkpoint, Note] | None:
    """The newest checkpoint with all its signatures; None while there is none.

    `witnessed` asks for the newest one that a witness has co-signed.
    """
    row = db.execute(
        "select c.size, c.note from clearway.log_checkpoint c where not %s "
        "or exists (select from clearway.log_cosignature s where s.size = c.size) order by c.size desc limit 1",
        (witnessed,),
    ).fetchone()
    return None if row is None else _with_cosignatures(db, *row)


def checkpoint_at(db: Connection, size: int) -> tuple[Checkpoint, Note]:
    """The checkpoint of one size.

    Raises:
        NotFoundError: none was signed at that size, or it is no longer kept.
    """
    row = db.execute("select size, note from clearway.log_checkpoint where size = %s", (size,)).fetchone()
    if row is None:
        raise NotFoundError(f"no checkpoint of {size} entries is kept")
    return _with_cosignatures(db, *row)


def kept_notes(db: Connection) -> list[str]:
    """Every checkpoint that is kept, oldest first, with its signatures."""
    sizes = db.execute("select size, note from clearway.log_checkpoint order by size").fetchall()
    return [_with_cosignatures(db, size, note)[1].render() for size, note in sizes]


def _with_cosignatures(db: Connection, size: int, text: str) -> tuple[Checkpoint, Note]:
    note = parse(text)
    lines = db.execute(
        "select line from clearway.log_cosignature where size = %s order by name, key_id limit 16", (size,)
    )
    whole = note.with_signatures(signature(line) for (line,) in lines)
    return of_note(whole), whole


def encoded(hashes: Iterable[bytes]) -> list[str]:
    """Hashes in base64, as proofs are sent."""
    return [base64.b64encode(one).decode() for one in hashes]
