"""A superuser who changes the log behind its back: each way is found, and the first bad leaf named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.ledger import append
from clearway.ledger import tree_store as tree
from clearway.ledger.append import erase
from clearway.ledger.keys import Signer
from clearway.ledger.leaf import bundled, leaf_hashes, leaf_of
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.ledger.stored import Stored
from clearway.ledger.tiles import ENTRIES, WIDTH, Tile, grow
from clearway.ledger.verify import verify
from clearway.ledger.verify_report import Report
from clearway.ledger.witness import Witness
from clearway.store.connect import connect
from database import server  # noqa: F401
from intake_world import drop_database, new_database

Db = psycopg.Connection[Any]
LEAF = 300
NO_HEADER = "header_salt = null, act = null, actor = null, credential = null, subject = null, at = null"
SIZE = 601  # with the entry that tells of the key


@pytest.fixture(scope="module")
def signed(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Signer]]:  # noqa: F811
    url = new_database(server, "made")
    with connect(url, autocommit=True) as db:
        signer = signer_of(db, tmp_path_factory.mktemp("log-home"))
        integrate_all(db, signer)
        for _ in range(2):
            with db.transaction():
                for n in range(300):
                    append(db, "asset.added", f"asset/{n}", {"n": n}, aud=0)
            integrate_all(db, signer)
    yield url, signer
    drop_database(server, url)


@pytest.fixture
def db(signed: tuple[str, Signer]) -> Iterator[Db]:
    """In a transaction that is undone, with the triggers that hold the owner back out of the way."""
    with connect(signed[0]) as opened:
        opened.execute("set local session_replication_role = replica")
        yield opened
        opened.rollback()


def entry_of(db: Db, leaf: int) -> int:
    row = db.execute("select entry from clearway.log_leaf where leaf = %s", (leaf,)).fetchone()
    assert row is not None
    return int(row[0])


def report(db: Db, **how: Any) -> Report:
    return verify(Stored(db, whole=True), **how)


def test_untouched_it_verifies(db: Db) -> None:
    found = report(db)
    assert found.ok, found.reasons
    assert (found.size, found.opened) == (SIZE, 2 * SIZE)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 7",
        "credential = 7",
        "act = 'asset.removed'",
        "subject = 'asset/x'",
        "at = at + interval '1 microsecond'",
        "content = '{\"n\":1}'",
        "content = ''",
        "header_salt = content_salt",
        "content_salt = header_salt",
        "header_hash = content_hash",
        "content_hash = header_hash",
    ],
)
def test_a_changed_column_of_an_entry_is_found_at_its_leaf(db: Db, change: str) -> None:
    db.execute(f"update clearway.log_entry set {change} where entry = %s".encode(), (entry_of(db, LEAF),))
    found = report(db)
    assert (found.ok, found.first_bad) == (False, LEAF)


def test_a_changed_entry_whose_hashes_are_changed_with_it_is_found(db: Db) -> None:
    entry = entry_of(db, LEAF)
    db.execute(
        "update clearway.log_entry set content = '{}', "
        "content_hash = sha256('clearway/content/1:'::bytea || content_salt || convert_to('{}', 'UTF8')) "
        "where entry = %s",
        (entry,),
    )
    found = report(db)
    assert (found.ok, found.first_bad) == (False, LEAF)
    assert "were changed" in found.reasons[0]


def test_a_deleted_entry_is_found(db: Db) -> None:
    entry = entry_of(db, LEAF)
    db.execute("delete from clearway.log_entry where entry = %s", (entry,))
    found = report(db)
    assert (found.ok, found.first_bad) == (False, LEAF)
    assert f"entry {entry} is gone" in found.reasons[0]


def test_a_deleted_entry_and_its_place_are_found(db: Db) -> None:
    db.execute("delete from clearway.log_entry where entry = %s", (entry_of(db, LEAF),))
    db.execute("delete from clearway.log_leaf where leaf = %s", (LEAF,))
    assert report(db).first_bad == LEAF


def test_the_last_entries_deleted_are_found(db: Db) -> None:
    db.execute("delete from clearway.log_leaf where leaf >= %s", (SIZE - 10,))
    assert report(db).first_bad == SIZE - 10


def test_two_entries_that_changed_places_are_found(db: Db) -> None:
    one, other = entry_of(db, LEAF), entry_of(db, LEAF + 1)
    db.execute("update clearway.log_leaf set entry = -1 where leaf = %s", (LEAF,))
    db.execute("update clearway.log_leaf set entry = %s where leaf = %s", (one, LEAF + 1))
    db.execute("update clearway.log_leaf set entry = %s where leaf = %s", (other, LEAF))
    assert report(db).first_bad == LEAF


def test_an_entry_that_is_put_into_the_past_is_found(db: Db) -> None:
    db.execute(
        "insert into clearway.log_entry overriding system value "
        "select -5, aud, actor, credential, act, 'asset/forged', at, header_salt, content, content_salt, header_hash, "
        "content_hash from clearway.log_entry where entry = %s",
        (entry_of(db, LEAF),),
    )
    found = report(db)
    assert (found.ok, found.first_bad) == (False, None)
    assert "entry -5 was put in later" in found.reasons[0]


def test_an_entry_erased_without_a_word_is_found(db: Db) -> None:
    entry = entry_of(db, LEAF)
    for told in (1, entry):
        db.execute(
            "update clearway.log_entry set content = null, content_salt = null, content_erased = %s where entry = %s",
            (told, entry),
        )
        found = report(db)
        assert (found.ok, found.first_bad) == (False, LEAF)
        assert (
            f"leaf {LEAF}: the content of entry {entry} is not there, and no entry says that it was erased"
            in found.reasons
        )


@pytest.mark.parametrize(
    ("part", "gone"),
    [("content", "content = null, content_salt = null"), ("header", NO_HEADER)],
)
def test_an_erasure_that_leaves_no_mark_is_found_at_its_leaf(db: Db, part: str, gone: str) -> None:
    entry = entry_of(db, LEAF)
    db.execute(f"update clearway.log_entry set {gone} where entry = %s".encode(), (entry,))
    found = report(db)
    assert (found.ok, found.first_bad) == (False, LEAF)
    assert (
        f"the {part} of entry {entry} is not there, and no entry says that it was erased" in found.reasons[0]
    )


def test_the_word_for_one_erasure_does_not_do_for_another(db: Db) -> None:
    entry, other = entry_of(db, LEAF), entry_of(db, LEAF + 1)
    told = erase(db, entry, ["content"], "asked for")
    assert report(db).ok
    db.execute(
        "update clearway.log_entry set content = null, content_salt = null, content_erased = %s where entry = %s",
        (told, other),
    )
    found = report(db)
    assert found.first_bad == LEAF + 1
    assert f"the content of entry {other} is not there" in found.reasons[0]


def test_the_word_for_one_part_does_not_do_for_the_other(db: Db, tmp_path: Path) -> None:
    entry = entry_of(db, LEAF)
    told = erase(db, entry, ["content"], "asked for")
    db.execute(
        f"update clearway.log_entry set {NO_HEADER}, header_erased = %s where entry = %s".encode(),
        (told, entry),
    )
    found = report(db)
    assert (found.ok, found.first_bad, found.erased) == (False, LEAF, 1)
    assert f"the header of entry {entry} is not there" in found.reasons[0]


def test_an_entry_that_waits_for_its_place_is_erased_by_a_word_too(db: Db) -> None:
    entry = append(db, "asset.added", "asset/waits", {"n": 1}, aud=0)
    assert report(db).ok
    db.execute("savepoint before")
    db.execute("update clearway.log_entry set content = null, content_salt = null where entry = %s", (entry,))
    found = report(db)
    assert (found.ok, found.first_bad) == (False, None)
    assert f"the content of entry {entry} is not there" in found.reasons[0]
    db.execute("rollback to savepoint before")
    erase(db, entry, ["content"], "asked for")
    assert report(db).ok
    db.execute("update clearway.log_entry set subject = 'asset/other' where entry = %s", (entry,))
    assert (
        f"the header of entry {entry}, which waits for its place, is not what was logged"
        in report(db).reasons
    )


NOTHING_SAYS = "an entry says first that exactly this part"


def test_the_owners_own_statement_takes_no_part_that_no_entry_names(signed: tuple[str, Signer]) -> None:
    with connect(signed[0]) as db:  # with the triggers
        entry, other = entry_of(db, LEAF), entry_of(db, LEAF + 1)
        told = erase(db, entry, ["content"], "asked for")
        for change, which in (
            (f"{NO_HEADER}, header_erased = {told}", entry),
            (f"{NO_HEADER}, header_erased = {told}", other),
            (f"content = null, content_salt = null, content_erased = {told}", other),
            (f"content = null, content_salt = null, content_erased = {other}", other),
            (f"content_erased = {told + 1}", entry),
        ):
            with pytest.raises(psycopg.DatabaseError, match=NOTHING_SAYS), db.transaction():
                db.execute(f"update clearway.log_entry set {change} where entry = %s".encode(), (which,))
        forged = append(
            db, "ledger.erased", f"entry/{other}",
            {"entry": other, "parts": ["content"], "hashes": {"content": "00" * 32}, "reason": "x"}, aud=0,
        )  # fmt: skip
        with pytest.raises(psycopg.DatabaseError, match=NOTHING_SAYS), db.transaction():
            db.execute(
                "update clearway.log_entry set content = null, content_salt = null, content_erased = %s "
                "where entry = %s",
                (forged, other),
            )
        erase(db, entry, ["header"], "that too")
        assert report(db).ok
        db.rollback()


def test_an_erasure_from_before_hashes_were_told_still_counts(db: Db) -> None:
    entry = entry_of(db, LEAF)
    said = {"entry": entry, "parts": ["content"], "reason": "asked for"}
    told = append(db, "ledger.erased", f"entry/{entry}", said, aud=0)
    db.execute("set local session_replication_role = origin")
    db.execute(
        "update clearway.log_entry set content = null, content_salt = null, content_erased = %s where entry = %s",
        (told, entry),
    )
    assert report(db).ok


@pytest.mark.parametrize("level", [ENTRIES, 0, 1])
def test_a_changed_tile_is_found(db: Db, level: int) -> None:
    db.execute(
        "update clearway.log_tile set body = set_byte(body, 40, (get_byte(body, 40) + 1) % 256) "
        "where level = %s and index = %s".replace("% 256", "%% 256"),
        (level, 0),
    )
    found = report(db)
    assert not found.ok
    assert found.first_bad == {ENTRIES: 0, 0: 1, 1: 256}[level]


def test_a_deleted_tile_is_found(db: Db) -> None:
    db.execute("delete from clearway.log_tile where level = 0 and index = 1")
    assert report(db).first_bad == 256


def test_a_log_that_is_cut_back_with_its_checkpoints_is_caught_by_the_witness(db: Db) -> None:
    _, copy = tree.newest(db) or pytest.fail("no checkpoint")
    db.execute("delete from clearway.log_checkpoint where size = %s", (SIZE,))
    assert not report(db, witnesses=[copy]).ok


def rewrite(db: Db, signer: Signer, entry: int) -> None:
    """Everything that somebody with the database and the signing key can do to hide a change."""
    db.execute(
        "update clearway.log_entry set content = '{\"n\":-1}', content_hash = "
        "sha256('clearway/content/1:'::bytea || content_salt || convert_to('{\"n\":-1}', 'UTF8')) where entry = %s",
        (entry,),
    )
    leaves = [
        leaf_of(header, content)
        for header, content in db.execute(
            "select header_hash, content_hash from clearway.log_leaf join clearway.log_entry using (entry) "
            "order by leaf"
        )
    ]
    data = bundled(leaves)
    stride = len(data) // len(leaves)
    tiles = grow(0, leaf_hashes(data), {})
    for start in range(0, len(leaves), WIDTH):
        tiles[Tile(ENTRIES, start // WIDTH)] = data[start * stride : (start + WIDTH) * stride]
    tree.write_tiles(db, tiles)
    for (size,) in db.execute("select size from clearway.log_checkpoint").fetchall():
        checkpoint, _ = tree.checkpoint_at(db, size)
        root = tree.root(db, size)
        note = signer.sign(type(checkpoint)(origin=checkpoint.origin, size=size, root=root))
        db.execute(
            "update clearway.log_checkpoint set root = %s, note = %s where size = %s",
            (root, note.render(), size),
        )


def test_a_superuser_who_holds_the_signing_key_is_caught_by_the_witness_alone(
    db: Db, signed: tuple[str, Signer], tmp_path: Path
) -> None:
    signer = signed[1]
    witness = Witness(tmp_path / "elsewhere", "witness.example")
    _, note = tree.newest(db) or pytest.fail("no checkpoint")
    key = signer.keys[0].public
    witness.cosign(note.render(), lambda old, new: tree.consistency(db, old, new), key, 1_795_000_000)
    _, copy = witness.last(key.name) or pytest.fail("the witness keeps nothing")
    assert report(db, witnesses=[copy], key=key).ok

    rewrite(db, signer, entry_of(db, LEAF))

    assert report(db, key=key).ok, "the log itself can't tell"
    found = report(db, key=key, witnesses=[copy])
    assert not found.ok
    assert found.first_bad is not None
    assert "the witness's copy" in found.reasons[0]
    assert not report(db, key=key, witnesses=[witness.key.public]).ok, "no co-signature of it is there"
    _, note = tree.newest(db) or pytest.fail("no checkpoint")
    from clearway.records.errors import IntegrityError

    with pytest.raises(IntegrityError):
        witness.cosign(note.render(), lambda old, new: tree.consistency(db, old, new), key, 1_795_000_060)
