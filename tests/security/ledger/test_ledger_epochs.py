"""A restart counts where somebody who holds the key opened it: what a superuser writes of one is not signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.app.doctor_team import team
from clearway.ledger import append, memory
from clearway.ledger import tree_store as tree
from clearway.ledger.check import verify_home
from clearway.ledger.checkpoint import Epoch
from clearway.ledger.epochs import open_epoch
from clearway.ledger.keys import FOLDER, SIGNED, Signer
from clearway.ledger.sequencer import integrate, integrate_all, signer_of
from clearway.ledger.stored import Stored
from clearway.ledger.verify import verify
from clearway.ledger.witness import Witness
from clearway.records.errors import IntegrityError
from clearway.store.connect import connect
from clearway.store.server import URL_VARIABLE
from database import server  # noqa: F401
from intake_world import drop_database, new_database

Db = psycopg.Connection[Any]
TREE = ("log_cosignature", "log_checkpoint", "log_tile", "log_leaf", "log_gap")


@pytest.fixture
def url(server: str) -> Iterator[str]:  # noqa: F811
    made = new_database(server, "made")
    yield made
    drop_database(server, made)


@pytest.fixture
def db(url: str) -> Iterator[Db]:
    with connect(url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def signer(db: Db, home: Path) -> Signer:
    """A log of 301 entries, signed at 101, 201 and 301."""
    made = signer_of(db, home)
    for _ in range(3):
        added(db, 100)
        integrate_all(db, made)
    return made


def added(db: Db, count: int) -> None:
    with db.transaction():
        for n in range(count):
            append(db, "asset.added", f"asset/{n}", {"n": n}, aud=0)


def rewrite(db: Db, entry: int) -> None:
    """An entry is changed, and all that the tree says of the log goes, so that it is made anew."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(
            "update clearway.log_entry set content = '{\"n\":-1}', content_hash = "
            "sha256('clearway/content/1:'::bytea || content_salt || convert_to('{\"n\":-1}', 'UTF8')) "
            "where entry = %s",
            (entry,),
        )
        for table in TREE:
            db.execute(f"delete from clearway.{table}".encode())
        db.execute("update clearway.log_state set head = 0, size = 0")


def row(db: Db, epoch: Epoch, entry: int) -> None:
    db.execute(
        "insert into clearway.log_epoch (number, old_size, old_root, kept, entry) values (%s, %s, %s, %s, %s)",
        (epoch.number, epoch.old_size, epoch.old_root, epoch.kept, entry),
    )


def told(db: Db, epoch: Epoch) -> int:
    """What `open_epoch` writes into the database, written by somebody else."""
    with db.transaction():
        return append(
            db, "ledger.epoch_opened", f"epoch/{epoch.number}",
            {"reason": "the disk failed", "epoch": epoch.number, "old_size": epoch.old_size,
             "old_root": epoch.old_root.hex(), "kept": epoch.kept, "lost": epoch.old_size - epoch.kept},
            aud=0,
        )  # fmt: skip


def kept_all(db: Db) -> Epoch:
    last, _ = tree.newest(db) or pytest.fail("no checkpoint")
    return Epoch(number=2, old_size=last.size, old_root=last.root, kept=last.size)


def bare_row(db: Db) -> None:
    epoch = kept_all(db)
    rewrite(db, 6)
    row(db, epoch, 1)


def row_with_its_entry(db: Db) -> None:
    epoch = kept_all(db)
    rewrite(db, 6)
    row(db, epoch, told(db, epoch))


def row_of_one_entry_less(db: Db) -> None:
    last = kept_all(db)
    epoch = Epoch(number=2, old_size=last.old_size, old_root=last.old_root, kept=last.kept - 1)
    rewrite(db, 6)
    row(db, epoch, told(db, epoch))


@pytest.mark.parametrize("forge", [bare_row, row_with_its_entry, row_of_one_entry_less])
def test_a_restart_that_a_superuser_writes_into_the_database_is_not_signed(
    db: Db, signer: Signer, home: Path, url: str, monkeypatch: pytest.MonkeyPatch, forge: Callable[[Db], None]
) -> None:
    monkeypatch.setenv(URL_VARIABLE, url)
    before = (home / FOLDER / SIGNED).read_text()
    forge(db)
    with pytest.raises(IntegrityError, match="nothing is signed"):
        integrate_all(db, signer)
    assert tree.newest(db) is None
    assert (home / FOLDER / SIGNED).read_text() == before
    assert not verify_home(home, key=None, witnesses=()).ok
    # Nor does who is told to open an epoch sign it as if nothing had been lost.
    with pytest.raises(IntegrityError):
        open_epoch(db, signer, "it does not start")


@pytest.mark.parametrize(
    "change", ["update clearway.log_epoch set old_size = old_size + 5", "update clearway.log_epoch set kept = kept - 1",
               "update clearway.log_epoch set old_root = sha256('x')", "update clearway.log_epoch set number = 3",
               "delete from clearway.log_epoch"],
)  # fmt: skip
def test_a_restart_that_was_opened_here_may_not_be_told_otherwise(
    db: Db, signer: Signer, change: str
) -> None:
    open_epoch(db, signer, "the disk failed")
    db.execute(change.encode())
    added(db, 1)
    with pytest.raises(IntegrityError, match="does not tell of epoch 2 as it was signed here"):
        integrate(db, signer)


def dumped(db: Db, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: db.execute(f"select * from clearway.{table}".encode()).fetchall() for table in tables}


def put_back(db: Db, dump: dict[str, list[tuple[Any, ...]]]) -> None:
    """The tables as they were dumped after 301 entries, for the rest of a transaction without triggers."""
    db.execute("set local session_replication_role = replica")
    db.execute("delete from clearway.log_entry where entry > 301")
    for table, rows in dump.items():
        db.execute(f"delete from clearway.{table}".encode())
        for one in rows:
            marks = ", ".join(["%s"] * len(one))
            db.execute(f"insert into clearway.{table} values ({marks})".encode(), one)


def test_a_database_cut_back_and_changed_below_the_cut_is_not_gone_on_from(db: Db, signer: Signer) -> None:
    """The home remembers what it signed before the last, and a backup that begins otherwise is none."""
    copy = dumped(db, "log_state", "log_checkpoint", "log_tile", "log_leaf")
    added(db, 50)
    integrate_all(db, signer)
    with db.transaction():
        put_back(db, copy)
        db.execute(
            "update clearway.log_tile set body = overlay(body placing '\\x00'::bytea from 3) where level >= 0"
        )
    with pytest.raises(IntegrityError, match="not those that were signed here"):
        open_epoch(db, signer, "the disk failed")
    assert memory.noted(signer.folder) == ()


def test_another_home_of_the_team_signs_a_restart_that_the_key_has_signed(
    db: Db, signer: Signer, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / FOLDER).mkdir(parents=True)
    for path in (home / FOLDER).iterdir():
        (other / FOLDER / path.name).write_bytes(path.read_bytes())
        (other / FOLDER / path.name).chmod(0o600)
    epoch = open_epoch(db, signer, "the disk failed")
    added(db, 1)
    theirs = signer_of(db, other)
    integrate_all(db, theirs)
    checkpoint, _ = tree.newest(db) or pytest.fail("no checkpoint")
    assert checkpoint.epoch == epoch


def test_a_backup_from_before_an_epoch_goes_on_with_both_in_the_chain(
    db: Db, signer: Signer, tmp_path: Path
) -> None:
    """Restored twice from one backup: the second time, the database does not know of the first."""
    witness = Witness(tmp_path / "witness", "w.example")

    def cosign(epoch: int = 0) -> int:
        _, note = tree.newest(db) or pytest.fail("no checkpoint")
        key = signer.keys[0].public
        return witness.cosign(
            note.render(), lambda old, new: tree.consistency(db, old, new), key, 1, accept_epoch=epoch
        )[0].size

    cosign()
    _, copy = tree.newest(db) or pytest.fail("no checkpoint")
    dump = dumped(db, "log_state", "log_checkpoint", "log_tile", "log_leaf", "log_epoch")
    for number in (2, 3):
        added(db, 40)
        integrate_all(db, signer)
        cosign()
        with db.transaction():
            put_back(db, dump)
        epoch = open_epoch(db, signer, "the disk failed")
        assert (epoch.number, epoch.kept) == (number, 301)
        with pytest.raises(IntegrityError, match=f"since epoch {number}"):
            cosign()
        cosign(number)
    report = verify(Stored(db, whole=True), witnesses=[copy, witness.seen(copy.text.split("\n")[0])])
    assert report.ok, report.reasons
    assert [(e.epoch, e.kept, e.proved) for e in report.epochs] == [(2, 301, 301), (3, 301, 301)]
    assert [w.proved for w in report.witnesses] == [301, report.size]


def test_a_cut_short_opening_is_begun_anew(db: Db, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("clearway.ledger.epochs._tell", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_epoch(db, signer, "cut short")
    added(db, 3)
    integrate_all(db, signer)
    epoch = open_epoch(db, signer, "the disk failed")
    assert epoch.number == 2
    assert verify(Stored(db, whole=True)).ok


def test_the_doctor_says_why_nothing_is_signed(
    db: Db, signer: Signer, home: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, url)

    def told_by_doctor() -> str:
        return next((check.found for check in team(home) if check.name == "log signing"), "")

    assert told_by_doctor() == ""
    epoch = kept_all(db)
    row(db, epoch, told(db, epoch))
    said = told_by_doctor()
    assert "epoch 2, which was not opened here: nothing is signed" in said
    assert "keep it as evidence" in said
