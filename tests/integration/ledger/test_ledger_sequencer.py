"""The sequencer on a real database: late commits, several at once, restores, keys, and the witness."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.ledger import append, entries, log_keys
from clearway.ledger import tree_store as tree
from clearway.ledger.cosigning import accept
from clearway.ledger.epochs import open_epoch
from clearway.ledger.keys import Signer
from clearway.ledger.leaf import leaf_hashes
from clearway.ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from clearway.ledger.note import parse, verified
from clearway.ledger.sequencer import Following, integrate, integrate_all, signer_of, waiting
from clearway.ledger.stored import Stored, pending
from clearway.ledger.tiles import ENTRIES, Tile
from clearway.ledger.verify import verify
from clearway.ledger.witness import Witness
from clearway.records.errors import ClearwayError, ConfigError, IntegrityError, NotFoundError
from clearway.store.connect import connect

Db = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def home_of_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log-home")


@pytest.fixture
def signing(shared: Db, home_of_log: Path) -> Signer:
    return signer_of(shared, home_of_log)


def added(db: Db, count: int) -> list[int]:
    with db.transaction():
        return [append(db, "asset.added", f"asset/{n}", {"n": n}, aud=0) for n in range(count)]


def assert_verifies(db: Db) -> None:
    report = verify(Stored(db, whole=True), pending=pending(db))
    assert report.ok, report.reasons


def test_entries_get_their_places_in_batches_and_the_whole_verifies(shared: Db, signing: Signer) -> None:
    added(shared, 700)
    first = integrate(shared, signing, limit=300)
    assert (first.added, first.more) == (300, True)
    done = integrate_all(shared, signing)
    # The first batch also holds the entry that tells of the log's key.
    assert done.size == 701
    assert not waiting(shared)
    assert integrate(shared, signing).added == 0
    assert_verifies(shared)
    checkpoint, note = tree.newest(shared) or pytest.fail("no checkpoint")
    assert (checkpoint.size, checkpoint.root) == (701, done.root)
    assert verified(note, signing.keys[0].public) == 0
    bundles = tree.read_tiles(shared, [Tile(ENTRIES, n) for n in range(3)])
    hashes = b"".join(leaf_hashes(bundles[Tile(ENTRIES, n)]) for n in range(3))
    assert root_of(hashes) == done.root


def test_proofs_from_the_database_hold(shared: Db, signing: Signer) -> None:
    added(shared, 10)
    size = integrate_all(shared, signing).size
    root = tree.root(shared, size)
    for leaf in (0, 1, 255, 256, 511, size - 1):
        proof = tree.inclusion(shared, leaf, size)
        verify_inclusion(leaf_hash(tree.leaf_bytes(shared, leaf)), leaf, size, proof, root)
    for old in (0, 1, 256, 257, size - 1, size):
        proof = tree.consistency(shared, old, size)
        verify_consistency(old, tree.root(shared, old), size, root, proof)
    for wrong in (lambda: tree.inclusion(shared, size, size), lambda: tree.inclusion(shared, 0, size + 1),
                  lambda: tree.consistency(shared, 5, size + 1), lambda: tree.leaf_bytes(shared, size),
                  lambda: tree.leaf_bytes(shared, -1), lambda: tree.checkpoint_at(shared, size + 1)):  # fmt: skip
        with pytest.raises(NotFoundError):
            wrong()


def test_an_entry_that_commits_late_is_found_and_one_that_never_does_is_forgotten(
    shared: Db, shared_url: str, signing: Signer
) -> None:
    integrate_all(shared, signing)
    with connect(shared_url) as slow, connect(shared_url) as lost:
        late = append(slow, "asset.late", "asset/late", aud=0)
        gone = append(lost, "asset.gone", "asset/gone", aud=0)
        (after,) = added(shared, 1)
        assert late < gone < after
        integrate_all(shared, signing)
        assert entries.one(shared, after).state == "integrated"
        gaps = {entry for (entry,) in shared.execute("select entry from clearway.log_gap")}
        assert {late, gone} <= gaps
        # Both are still possible, however often the sequencer looks.
        added(shared, 1)
        integrate_all(shared, signing)
        assert {entry for (entry,) in shared.execute("select entry from clearway.log_gap")} == gaps
        assert_verifies(shared)
        lost.rollback()
        slow.commit()
    assert waiting(shared)
    assert pending(shared) == 1
    integrate_all(shared, signing)
    assert entries.one(shared, late).state == "integrated"
    leaf = entries.one(shared, late).leaf
    assert leaf is not None
    assert leaf > (entries.one(shared, after).leaf or 0), (
        "the order of leaves is that of commits, seen in batches"
    )
    added(shared, 1)
    integrate_all(shared, signing)
    assert shared.execute("select count(*) from clearway.log_gap").fetchone() == (0,)
    assert_verifies(shared)


def test_an_entry_in_a_savepoint_that_is_undone_leaves_a_gap_that_closes(shared: Db, signing: Signer) -> None:
    with shared.transaction():
        added(shared, 1)
        with shared.transaction(force_rollback=True):
            added(shared, 3)
        added(shared, 1)
    integrate_all(shared, signing)
    added(shared, 1)
    integrate_all(shared, signing)
    assert shared.execute("select count(*) from clearway.log_gap").fetchone() == (0,)
    assert_verifies(shared)


def test_sequencers_at_once_with_writers_at_once_place_each_entry_once(
    shared_url: str, shared: Db, home_of_log: Path
) -> None:
    stop = threading.Event()
    acknowledged: list[int] = []
    failed: list[BaseException] = []

    def write(n: int) -> None:
        with connect(shared_url, autocommit=True) as db:
            for number in range(40):
                with db.transaction():
                    entry = append(db, "asset.added", f"asset/{n}-{number}", aud=0)
                    if number % 7 == 0:
                        time.sleep(0.01)  # so that later numbers commit before this one
                acknowledged.append(entry)

    def sequence() -> None:
        try:
            with connect(shared_url, autocommit=True) as db:
                while not stop.is_set():
                    integrate(db, signer_of(db, home_of_log), limit=17)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failed.append(error)

    threads = [threading.Thread(target=sequence) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in (*threads, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    integrate_all(shared, signer_of(shared, home_of_log))
    placed = shared.execute(
        "select entry from clearway.log_leaf where entry = any(%s)", (acknowledged,)
    ).fetchall()
    assert len(acknowledged) == 240
    assert {entry for (entry,) in placed} == set(acknowledged)
    assert_verifies(shared)


def test_a_sequencer_that_need_not_wait_leaves_when_another_is_at_work(
    shared_url: str, shared: Db, signing: Signer
) -> None:
    added(shared, 1)
    with connect(shared_url) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", (0x636C_6F67,))
        assert integrate(shared, signing, wait=False).busy
    assert integrate(shared, signing, wait=False).added == 1


def test_the_log_is_integrated_in_a_transaction_of_its_own(shared: Db, signing: Signer) -> None:
    with shared.transaction():
        added(shared, 1)
        with pytest.raises(ClearwayError, match="transaction of its own"):
            integrate(shared, signing)


def test_the_follower_integrates_within_moments_and_outlives_a_lost_connection(
    shared_url: str, shared: Db, home_of_log: Path
) -> None:
    def integrated(entry: int, within_s: float) -> bool:
        ends = time.monotonic() + within_s
        while entries.one(shared, entry).state != "integrated":
            if time.monotonic() > ends:
                return False
            time.sleep(0.01)
        return True

    with Following(shared_url, home_of_log):
        assert integrated(added(shared, 1)[0], 10)
        shared.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'clearway ledger'"
        )
        assert integrated(added(shared, 1)[0], 20)


def test_a_witness_co_signs_what_grows_and_is_shown_under_the_checkpoint(
    shared: Db, signing: Signer, tmp_path: Path
) -> None:
    witness = Witness(tmp_path / "witness", "witness.example")

    def observe() -> bool:
        _, note = tree.newest(shared) or pytest.fail("no checkpoint")
        checkpoint, line = witness.cosign(
            note.render(),
            lambda old, new: tree.consistency(shared, old, new),
            signing.keys[0].public,
            1_795_000_000,
        )
        return accept(shared, checkpoint.size, line)

    added(shared, 3)
    integrate_all(shared, signing)
    assert not observe(), "nobody has accepted this witness yet"
    log_keys.accept_witness(shared, witness.key.public)
    integrate_all(shared, signing)
    assert observe()
    assert observe(), "again, the same"
    _, note = tree.newest(shared, witnessed=True) or pytest.fail("no checkpoint")
    assert verified(note, witness.key.public) == 1_795_000_000
    report = verify(Stored(shared, whole=True), witnesses=[witness.key.public])
    assert report.ok
    assert report.witnesses[0].ok
    real = parse(note.render()).signatures[-1]
    forged = type(real)(real.name, real.key_id, real.body[:-1] + bytes((real.body[-1] ^ 1,)))
    # A false line that came into the database takes nobody's place: the next real one replaces it.
    shared.execute(
        "update clearway.log_cosignature set line = %s",
        (forged.line().rstrip("\n"),),
    )
    assert not verify(Stored(shared, whole=True), witnesses=[witness.key.public]).ok
    assert observe()
    assert verify(Stored(shared, whole=True), witnesses=[witness.key.public]).ok
    with pytest.raises(IntegrityError):
        accept(shared, int(note.text.split("\n")[1]), forged)


def test_old_checkpoints_thin_out_but_not_those_that_a_witness_signed(shared: Db, signing: Signer) -> None:
    witnessed = shared.execute("select size from clearway.log_cosignature").fetchall()
    for _ in range(70):
        added(shared, 1)
        integrate(shared, signing)
    kept = {size for (size,) in shared.execute("select size from clearway.log_checkpoint")}
    assert len(kept) <= 64 + len(witnessed) + 3
    assert {size for (size,) in witnessed} <= kept
    assert_verifies(shared)


def test_a_rotated_key_signs_from_then_on_and_the_first_still_vouches_for_all(
    shared: Db, home_of_log: Path
) -> None:
    old = signer_of(shared, home_of_log)
    first = log_keys.parse_key(tree.keys(shared)[0].vkey)
    new = log_keys.rotate(shared, old)
    added(shared, 1)
    with pytest.raises(ConfigError):
        integrate(shared, old)
    integrate_all(shared, new)
    assert signer_of(shared, home_of_log).keys[0].public == new.keys[0].public
    assert (home_of_log / "ledger" / "log.key").stat().st_mode & 0o777 == 0o600
    both = log_keys.add_post_quantum(shared, new)
    added(shared, 1)
    integrate_all(shared, both)
    _, note = tree.newest(shared) or pytest.fail("no checkpoint")
    assert [verified(note, key.public) for key in both.keys] == [0, 0]
    report = verify(Stored(shared, whole=True), key=first, own=new.keys[0].public)
    assert report.ok, report.reasons
    assert len(report.keys) == 3


def test_another_home_does_not_sign_this_log_nor_make_a_key_for_it(shared: Db, tmp_path: Path) -> None:
    added(shared, 1)
    with pytest.raises(ConfigError, match="signed by another's"):
        signer_of(shared, tmp_path)
    assert list(tmp_path.iterdir()) == []
    other = Signer.of_home(tmp_path, tree.head(shared).origin)
    with pytest.raises(ConfigError, match="not the one that signs this log"):
        integrate(shared, other)


def test_a_restored_database_is_not_signed_until_its_epoch_is_opened(db: Db, tmp_path: Path) -> None:
    signer = signer_of(db, tmp_path)
    added(db, 300)
    kept = integrate_all(db, signer)
    # What a restore does: everything after the backup is gone, and the home knows of it.
    with db.transaction(force_rollback=True):
        pass
    dump = {
        table: db.execute(f"select * from clearway.{table}".encode()).fetchall()
        for table in ("log_state", "log_checkpoint", "log_tile", "log_leaf")
    }
    added(db, 50)
    seen = integrate_all(db, signer)
    _, copy = tree.newest(db) or pytest.fail("no checkpoint")
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute("delete from clearway.log_entry where entry > 301")
        for table, rows in dump.items():
            db.execute(f"delete from clearway.{table}".encode())
            marks = ", ".join(["%s"] * len(rows[0]))
            for row in rows:
                db.execute(f"insert into clearway.{table} values ({marks})".encode(), row)
    assert_verifies(db)  # by itself it is a whole log
    assert not verify(Stored(db, whole=True), witnesses=[copy]).ok
    added(db, 1)
    with pytest.raises(IntegrityError, match="restored from a backup"):
        integrate(db, signer)
    epoch = open_epoch(db, signer, "the disk failed")
    assert (epoch.number, epoch.old_size, epoch.old_root, epoch.kept) == (2, seen.size, seen.root, kept.size)
    report = verify(Stored(db, whole=True), witnesses=[copy])
    assert report.ok, report.reasons
    assert [(e.epoch, e.lost) for e in report.epochs] == [(2, 50)]
    told = entries.listed(db, entries.Filter(act="ledger.epoch_opened"))
    assert [e.subject for e in told] == ["epoch/2"]
    added(db, 100)
    integrate_all(db, signer)
    checkpoint, _ = tree.newest(db) or pytest.fail("no checkpoint")
    assert checkpoint.epoch == epoch
    assert verify(Stored(db, whole=True), witnesses=[copy]).ok


def test_a_rewritten_database_is_not_signed_at_all(db: Db, tmp_path: Path) -> None:
    signer = signer_of(db, tmp_path)
    added(db, 300)
    integrate_all(db, signer)
    with db.transaction():
        tile = tree.read_tiles(db, [Tile(0, 0)])[Tile(0, 0)]
        tree.write_tiles(db, {Tile(0, 0): tile[::-1]})
        db.execute(
            "update clearway.log_tile set body = overlay(body placing '\\x00'::bytea from 3) where level = 1"
        )
    added(db, 1)
    with pytest.raises(IntegrityError, match="not those that were signed here"):
        integrate(db, signer)
    with pytest.raises(IntegrityError, match="rewritten"):
        open_epoch(db, signer, "trying to get away with it")
