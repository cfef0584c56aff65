"""The one writer of the tree: gives committed entries their places, in batches, and signs the result.

    1. The log's advisory lock is taken: whoever else integrates waits, or leaves.
    2. What this home signed last is held against the database (`going_on`): a restored or rewritten one is not signed.
    3. Entries that are committed and have no leaf are read, by number. An entry whose number is lower than one
       already placed, because its transaction took longer, is found again through `log_gap`.
    4. Their leaves are added to the tree, the tiles that changed are written, a checkpoint is signed.
    5. All of it is committed at once, and readers are told the new size.

The order of leaves is the order of batches, and by number within one: what is committed first is not always
first, and nothing is ever moved.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ClearwayError, ConfigError, InputError, IntegrityError, UpstreamError

from . import tiles as t
from . import tree_store as tree
from .checkpoint import Checkpoint
from .going_on import chain_to_sign
from .keys import Signer
from .leaf import STRIDE, bundled, leaf_hashes, leaf_of
from .log_keys import ensure_registered, known
from .memory import remember
from .merkle import EMPTY_ROOT
from .note import Note
from .tiles import ENTRIES, WIDTH, Tile

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

log = logging.getLogger("clearway.ledger")

BATCH = 8_192  # entries at most in one checkpoint
CHANNEL = "clearway_ledger"
IDLE_S = 0.1
LEAST_S = 0.03  # between two batches: more entries share one signature and one sync
_LOCK = 0x636C_6F67
_KEPT = 64  # checkpoints; older ones thin out to one an hour


class Integrated(Struct, frozen=True, kw_only=True):
    """What one batch did."""

    size: int  # of the tree now
    root: bytes
    added: int
    more: bool = False  # the batch was full
    busy: bool = False  # somebody else holds the lock, and nothing was done


def integrate(db: Connection, signer: Signer, *, limit: int = BATCH, wait: bool = True) -> Integrated:
    """Integrates one batch in a transaction of its own; adds nothing when nothing is waiting.

    `db` is the owner's connection, outside of any transaction. With `wait` False, returns at once while
    another integrates.

    Raises:
        IntegrityError: the database is not the log that this home signed last, or tells of a restart nobody opened.
        ConfigError: this home's key is not the one that signs this log.
    """
    note: Note | None = None
    if not tree.head(db).keys:
        ensure_registered(db, signer)
    with db.transaction():
        if not _locked(db, wait):
            return Integrated(size=0, root=EMPTY_ROOT, added=0, busy=True)
        now = tree.head(db)
        signer = known(signer, now)
        rows = _waiting(db, now, limit)
        had = tree.read_tiles(db, {*t.edge(now.size), Tile(ENTRIES, now.size // WIDTH)})
        root = _root(now.size, had)
        chain = chain_to_sign(db, signer, now, root)
        if not rows:
            if now.gaps:
                _forget_gaps(db, [], now)
            return Integrated(size=now.size, root=root, added=0)
        changed = _grown(now.size, [leaf_of(header, content) for _, header, content in rows], had)
        size = now.size + len(rows)
        root = _root(size, {**had, **changed})
        note = signer.sign(Checkpoint.of(now.origin, size, root, chain))
        with db.pipeline():  # nothing is asked any more: one way for all of it
            tree.write_tiles(db, changed)
            entries = [row[0] for row in rows]
            _place(db, now.size, entries)
            _forget_gaps(db, entries, now)  # before this batch's own, which are newer than the horizon
            _keep_gaps(db, now.head, max(now.head, entries[-1]), entries)
            db.execute(
                "insert into clearway.log_checkpoint (size, root, epoch, note) values (%s, %s, %s, %s)",
                (size, root, now.epoch.number if now.epoch else 1, note.render()),
            )
            db.execute(
                "update clearway.log_state set head = greatest(head, %s), size = %s", (entries[-1], size)
            )
            _thin(db)
            db.execute("select pg_notify(%s, %s)", (CHANNEL, str(size)))
    remember(signer.folder, note)
    return Integrated(size=size, root=root, added=len(rows), more=len(rows) >= limit)


def integrate_all(db: Connection, signer: Signer) -> Integrated:
    """Integrates until nothing is waiting; the last batch, with all that was added."""
    added = 0
    while True:
        done = integrate(db, signer)
        added += done.added
        if not done.more:
            return Integrated(size=done.size, root=done.root, added=added)


def waiting(db: Connection) -> bool:
    """Whether a committed entry has no leaf yet; a look-up, for loops."""
    # Numbers are given as values, and the greatest is one step in the index: a join that was planned while the tables
    # were small would read them whole once they are large.
    row = db.execute(
        "select coalesce((select max(entry) from clearway.log_entry) > (select head from clearway.log_state), false), "
        "array(select entry from clearway.log_gap)"
    ).fetchone()
    assert row is not None
    return bool(row[0]) or bool(row[1] and _late(db, row[1]))


def signer_of(db: Connection, home: Path) -> Signer:
    """The signer of `home` for the log in `db`. A key is made only for a log that nobody has signed.

    Raises:
        ConfigError: the home has no key or another log's, or it can be read by others.
    """
    now = tree.head(db)
    return Signer.of_home(home, now.origin, make=not now.keys)


def held_back(db: Connection, home: Path) -> str:
    """Why `home` signs nothing more of the log, with the cure; "" where nothing holds it back. Changes nothing.

    Raises:
        ConfigError: the home has no key, or its files can't be read by their owner alone.
    """
    signer = signer_of(db, home)
    with db.transaction():
        if not _locked(db, wait=False):
            return ""  # a batch is being signed at this moment
        now = tree.head(db)
        try:
            chain_to_sign(db, signer, now, tree.root(db, now.size))
        except (IntegrityError, InputError) as error:
            return f"{error.what}: {error.mend}" if error.mend else error.what
    return ""


def follow(url: str, home: Path, stop: threading.Event) -> None:
    """Integrates as entries come, until `stop` is set.

    Where several processes follow one log, one of them works and the others look on. A database that is gone is
    tried again; a log that this home must not sign is said once, and looked at again until a person has acted.
    """
    from clearway.store.connect import connect, translated

    pause = IDLE_S
    said = ""
    while not stop.is_set():
        try:
            with translated(), connect(url, autocommit=True, application_name="clearway ledger") as db:
                signer = signer_of(db, home)
                while not stop.is_set():
                    began = time.monotonic()
                    worked = waiting(db) and integrate_again(db, home, signer)
                    pause, said = IDLE_S, ""
                    stop.wait(max(0.0, LEAST_S - (time.monotonic() - began)) if worked else IDLE_S)
        except ClearwayError as error:
            if str(error) != said and not isinstance(error, UpstreamError):
                said = str(error)
                log.error("the log is not integrated: %s", error)
            stop.wait(pause)
            pause = min(pause * 2, 5.0)


class Following:
    """`follow` in a thread of this process, for the length of the block."""

    def __init__(self, url: str, home: Path) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=follow, args=(url, home, self._stop), name="ledger", daemon=True
        )

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for a batch that is under way."""
        self._stop.set()
        self._thread.join(10.0)


def integrate_again(db: Connection, home: Path, signer: Signer) -> bool:
    """One batch of many, without waiting for whoever else is at it; whether it was ours to do. As `integrate`."""
    try:
        return not integrate(db, signer, wait=False).busy
    except ConfigError:
        # The key may have been rotated in the meantime: its file is read again, once.
        signer.keys = signer_of(db, home).keys
        return not integrate(db, signer, wait=False).busy


def _locked(db: Connection, wait: bool) -> bool:
    # No row is locked or written before entries are read: this transaction must have no number yet (see _keep_gaps).
    lock = b"pg_advisory_xact_lock" if wait else b"pg_try_advisory_xact_lock"
    row = db.execute(
        b"select pg_current_xact_id_if_assigned() is null, " + lock + b"(%s)::text", (_LOCK,)
    ).fetchone()
    if row is None or not row[0]:
        raise ClearwayError("the log is integrated in a transaction of its own", where="ledger")
    return bool(row[1] != "false")


def _waiting(db: Connection, now: tree.Head, limit: int) -> list[tuple[int, bytes, bytes]]:
    """Every late entry, then those after the last up to the limit; ascending in each."""
    late = _late(db, now.gaps) if now.gaps else []
    fresh = db.execute(
        "select entry, header_hash, content_hash from clearway.log_entry where entry > %s order by entry limit %s",
        (now.head, max(0, limit - len(late))),
        binary=True,
    ).fetchall()
    return late + fresh


def _late(db: Connection, gaps: list[int]) -> list[tuple[int, bytes, bytes]]:
    return db.execute(
        "select entry, header_hash, content_hash from clearway.log_entry where entry = any(%s) order by entry",
        (gaps,),
        binary=True,
        prepare=False,
    ).fetchall()


def _grown(old: int, leaves: list[bytes], had: t.Tiles) -> dict[Tile, bytes]:
    """The tiles and bundles that change."""
    data = bundled(leaves)
    changed = t.grow(old, leaf_hashes(data), had)
    place, filled = divmod(old, WIDTH)
    data = (had.get(Tile(ENTRIES, place), b"") if filled else b"") + data
    if len(data) != (filled + len(leaves)) * STRIDE:
        raise IntegrityError("a bundle of the log is missing or cut", where=t.path(Tile(ENTRIES, place)))
    for start in range(0, len(data), WIDTH * STRIDE):
        changed[Tile(ENTRIES, place)] = data[start : start + WIDTH * STRIDE]
        place += 1
    return changed


def _root(size: int, edge: t.Tiles) -> bytes:
    """The root of a tree, which stands in the tiles of its edge alone."""
    return t.hashes(t.root_ranges(size), edge)[0] if size else EMPTY_ROOT


def _place(db: Connection, first: int, entries: list[int]) -> None:
    db.execute(
        "insert into clearway.log_leaf (leaf, entry) "
        "select %s + n - 1, entry from unnest(%s::bigint[]) with ordinality w(entry, n)",
        (first, entries),
    )


def _keep_gaps(db: Connection, old: int, new: int, placed: list[int]) -> None:
    """Notes the numbers that were passed over, with this transaction's own number.

    It is given at the first write, after the entries were read; and a transaction has its own before it takes
    a number for an entry. So every transaction that may still bring one of these has a lower number.
    """
    db.execute(
        "insert into clearway.log_gap (entry, xid) select n, pg_current_xact_id() from ("
        "select generate_series(%s::bigint + 1, %s::bigint) except select unnest(%s::bigint[])) missing(n)",
        (old, new, placed),
    )


def _forget_gaps(db: Connection, placed: list[int], now: tree.Head) -> None:
    """Drops what has come, and what never will: its transaction was over before entries were read, and it was not
    there. Numbers from another server's life (a restore) are over too.
    """
    db.execute(
        "delete from clearway.log_gap where entry = any(%s) or xid < %s::xid8 or xid > %s::xid8",
        (placed, now.oldest, now.newest),
    )


def _thin(db: Connection) -> None:
    """Drops the checkpoint that has just become old, unless it is co-signed, an epoch's, or its hour's last."""
    db.execute(
        "delete from clearway.log_checkpoint c "
        "where c.size = (select size from clearway.log_checkpoint order by size desc offset %s limit 1) "
        "and not exists (select from clearway.log_cosignature s where s.size = c.size) "
        "and not exists (select from clearway.log_epoch e where e.kept = c.size) "
        "and date_trunc('hour', c.signed) = (select date_trunc('hour', n.signed) from clearway.log_checkpoint n "
        "where n.size > c.size order by n.size limit 1)",
        (_KEPT,),
    )
