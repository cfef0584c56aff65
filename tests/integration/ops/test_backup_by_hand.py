"""Backups and restores as somebody types them: what goes wrong is told with its cure, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ops_program import clearway

from clearway import ledger
from clearway.app import backup, restore
from clearway.ledger import keys as ledger_keys
from clearway.ledger import sequencer
from clearway.records.errors import ClearwayError, ConfigError, NotFoundError, UsageError
from clearway.store.connect import connect
from clearway.store.server import URL_VARIABLE, lease
from intake_world import World, drop_database, new_database, osv, write


@pytest.fixture
def unsigned(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home where only intake has run: its log has entries that nobody has sequenced or signed yet."""
    folder = tmp_path_factory.mktemp("unsigned")
    world = World(new_database(server, "made"), folder / "home")
    world.take(write(folder / "in.jsonl", osv("GHSA-1"), osv("GHSA-2")))
    yield world
    drop_database(server, world.url)


@pytest.fixture
def taken(unsigned: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup of it; the commands that follow work on it too."""
    monkeypatch.setenv(URL_VARIABLE, unsigned.url)
    path = tmp_path / "one.backup"
    backup.take(unsigned.home, path)
    return path


def test_a_home_whose_log_was_never_signed_can_be_restored(
    taken: Path,
    unsigned: World,
    empty_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    done = clearway(tmp_path / "fresh", url, "restore", str(taken))
    assert done.returncode == 0, done.stderr
    assert "nothing had been signed on its log yet" in done.stdout
    with connect(url) as db:
        kept = db.execute("select count(*) from clearway.record").fetchone()
        waiting = db.execute("select count(*) from clearway.log_entry where act = 'backup.taken'").fetchone()
    assert kept == (2,)
    assert waiting == (0,)  # that one was committed after the snapshot
    with connect(url, autocommit=True) as db:  # and its log begins like any
        ledger.append(db, "asset.added", "asset/1", {}, aud=0)
        sequencer.integrate_all(db, sequencer.signer_of(db, tmp_path / "fresh"))


def test_a_home_that_is_not_there_is_not_made_to_be_backed_up(
    tmp_path: Path, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match="no database to back up"):
        backup.take(tmp_path / "mistyped", tmp_path / "x.backup")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    with pytest.raises(NotFoundError, match="the database is empty"):
        backup.take(tmp_path / "home", tmp_path / "x.backup")
    assert not (tmp_path / "x.backup").exists()


def test_a_place_that_is_none_is_named_as_it_was_typed(taken: Path, unsigned: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder") as caught:
        backup.take(unsigned.home, tmp_path / "not" / "here.backup")
    assert caught.value.where == str(tmp_path / "not")
    for path, kind, reason in (
        (tmp_path, UsageError, "is a folder"),
        (write(tmp_path / "osv.json", osv("GHSA-1")), UsageError, "no backup of Clearway"),
        (tmp_path / "nothing", NotFoundError, "no such file"),
    ):
        with pytest.raises(kind, match=reason):
            restore.restore(tmp_path / "fresh", path)
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("key", ["nothing-of-that-name", "clearway/x+1a2b3c4d", "clearway/x+1a2b3c4d+AZ00"])
def test_a_key_that_is_none_is_a_wrong_word_and_not_a_record_set_aside(
    taken: Path, unsigned: World, tmp_path: Path, key: str
) -> None:
    done = clearway(tmp_path / "fresh", unsigned.url, "restore", str(taken), "--key", key)
    assert done.returncode == 2, done.stderr
    assert "--key:" in done.stderr


def test_the_keys_of_another_log_are_refused_and_named(
    taken: Path,
    unsigned: World,
    empty_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed = tmp_path / "signed.backup"
    with connect(unsigned.url, autocommit=True) as db:
        ledger.append(db, "asset.added", "asset/1", {}, aud=0)
        sequencer.integrate_all(db, sequencer.signer_of(db, unsigned.home))
    backup.take(unsigned.home, signed)
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    fresh = tmp_path / "fresh"
    (fresh / "ledger").mkdir(parents=True, mode=0o700)
    file = fresh / "ledger" / "log.key"
    ledger_keys.load_or_make(file, "clearway/other", "ed25519")
    with pytest.raises(ConfigError, match="not of the log in the backup"):
        restore.restore(fresh, signed)
    file.write_text("not a key\n")
    with pytest.raises(ConfigError, match="can't be read") as caught:
        restore.restore(fresh, signed)
    assert caught.value.where == str(file)
    with connect(url) as db:
        assert db.execute("select to_regnamespace('clearway')").fetchone() == (None,)


def test_a_full_disk_is_told_with_the_file_that_was_asked_for(
    taken: Path, unsigned: World, tmp_path: Path
) -> None:
    done = clearway(unsigned.home, unsigned.url, "backup", str(tmp_path / "full.backup"), limit_bytes=100_000)
    assert done.returncode == 8, done.stderr
    assert f"{tmp_path}/full.backup:" in done.stderr
    assert "--home" not in done.stderr


@pytest.mark.slow
def test_a_disk_that_fills_up_under_a_restore_leaves_it_to_be_repeated(taken: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"can't mount here: {done.stderr.decode().strip()}")
    try:
        home = disk / "home"
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(URL_VARIABLE)
            with pytest.raises(ClearwayError, match="free some space"):
                restore.restore(home, taken)
            subprocess.run(["mount", "-o", "remount,size=500m", disk], check=True)
            restore.restore(home, taken)
            with lease(home) as url, connect(url) as db:
                assert db.execute("select count(*) from clearway.record").fetchone() == (2,)
        assert not (home / "restore.json").exists()
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
