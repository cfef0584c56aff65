"""A backup is whole or not there, restores into nothing else than emptiness, and the log tells of it."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest
from ops_program import clearway, started, step_to

from clearway import ledger
from clearway.access import approval, embargo, invitation
from clearway.access.clockwatch import Reading
from clearway.advisories.table import Table
from clearway.app import backup, commands_backup, doctor, restore
from clearway.app.backup_read import opened
from clearway.http import webhook_store
from clearway.ledger import log_keys, sequencer
from clearway.ledger import tree_store as tree
from clearway.ledger.check import verify_home
from clearway.ledger.checkpoint import Checkpoint
from clearway.ledger.note import Note, SigningKey
from clearway.records.errors import (
    AuthenticationError,
    ClearwayError,
    ConfigError,
    ConflictError,
    IntegrityError,
    UsageError,
)
from clearway.store.connect import connect
from clearway.store.migrate import current, head
from clearway.store.principal import Pool
from clearway.store.server import RESTORING, URL_VARIABLE
from intake_world import World, drop_database, new_database, osv, write
from people import People, people_of

ROWS = "select source, id, sha256, sha256(raw), current from clearway.record order by 1, 2, 3"


def acts(url: str, home: Path, count: int) -> None:
    """So many entries on the log, with their places and a signature."""
    with connect(url, autocommit=True) as db:
        for number in range(count):
            ledger.append(db, "asset.added", f"asset/{number}", {"n": number}, aud=0)
        sequencer.integrate_all(db, sequencer.signer_of(db, home))


@pytest.fixture(scope="module")
def living(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home with records, a compiled table and a signed log. One for the module: tests only add entries."""
    folder = tmp_path_factory.mktemp("living")
    world = World(new_database(server, "made"), folder / "home")
    world.take(write(folder / "in.jsonl", osv("GHSA-1"), osv("GHSA-2")))
    acts(world.url, world.home, 5)
    yield world
    drop_database(server, world.url)


@pytest.fixture(scope="module")
def people(living: World, taken: Path) -> Iterator[People]:
    """Who works in it, after the first backup."""
    yield from people_of(living.url)


@pytest.fixture(scope="module")
def taken(living: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with keys, the first thing that was done to it."""
    path = tmp_path_factory.mktemp("taken") / "one.backup"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_VARIABLE, living.url)
        backup.take(living.home, path, with_keys=True)
    return path


@pytest.fixture(autouse=True)
def _its_database(taken: Path, living: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, living.url)


def test_a_restored_home_has_the_same_rows_and_a_log_that_goes_on_as_a_new_epoch(
    living: World,
    taken: Path,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    before = living.sql(ROWS)
    with connect(living.url) as db:
        root = tree.root(db, 6)
    fresh, url = tmp_path / "fresh", empty_database()
    monkeypatch.setenv(URL_VARIABLE, url)
    done = restore.restore(fresh, taken)
    assert (done.entries, done.epoch, done.lost) == (6, 2, 0)
    with connect(url) as db:
        assert db.execute(ROWS).fetchall() == before
        epoch = tree.head(db).epoch
        assert epoch is not None
        assert (epoch.number, epoch.old_size, epoch.old_root) == (2, 6, root)
        assert db.execute("select obj_description('clearway'::regnamespace, 'pg_namespace')").fetchone() == (
            None,
        )
    report = verify_home(fresh, key=None, witnesses=())
    assert report.ok, report.reasons
    table = Table.of_home(fresh)
    assert table.meta.records == 2
    table.close()
    assert not (fresh / RESTORING).exists()
    assert stat.S_IMODE((fresh / "ledger" / "log.key").stat().st_mode) == 0o600


def test_of_two_restores_at_once_the_second_is_told_that_one_runs(
    taken: Path, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    told: list[str] = []

    def second(step: str) -> None:
        if step == "restoring the database":
            for home in (tmp_path / "fresh", tmp_path / "another"):
                with pytest.raises(ConflictError, match="a restore runs here"):
                    restore.restore(home, taken)
                told.append(home.name)

    assert restore.restore(tmp_path / "fresh", taken, say=second).epoch == 2
    assert told == ["fresh", "another"]


def test_entries_that_were_signed_after_the_backup_are_told_to_be_lost(
    living: World,
    taken: Path,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    acts(living.url, living.home, 3)
    with connect(living.url) as db:
        size = tree.head(db).size
    # The database is gone, the home with its keys and its last checkpoint is not.
    fresh = tmp_path / "fresh"
    (fresh / "ledger").mkdir(parents=True, mode=0o700)
    for path in (living.home / "ledger").iterdir():
        (fresh / "ledger" / path.name).write_bytes(path.read_bytes())
        (fresh / "ledger" / path.name).chmod(0o600)
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    done = restore.restore(fresh, taken)
    assert (done.entries, done.lost) == (6, size - 6)
    assert done.lost >= 4, "those three, and the entry of the backup itself"
    assert verify_home(fresh, key=None, witnesses=()).ok


def test_a_witness_copy_from_after_the_backup_tells_what_was_lost_and_a_copy_of_another_log_stops_it(
    living: World,
    taken: Path,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    acts(living.url, living.home, 2)
    with connect(living.url) as db:
        newest = tree.newest(db)
        assert newest is not None
        checkpoint, note = newest
    copy = tmp_path / "witness.checkpoint"
    copy.write_text(note.render(), "utf-8")
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    done = restore.restore(tmp_path / "fresh", taken, witnesses=(str(copy),))
    assert (done.entries, done.lost) == (6, checkpoint.size - 6)
    forged = SigningKey(checkpoint.origin, "ed25519", b"f" * 32)
    copy.write_text(Note(note.text, (forged.sign(note.text),)).render(), "utf-8")
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    with pytest.raises(IntegrityError, match="not signed by this log"):
        restore.restore(tmp_path / "other", taken, witnesses=(str(copy),))
    # Of the same size as the restored log, but another tree: a fork.
    key = SigningKey.parse(_key(living))
    fork = Checkpoint(origin=checkpoint.origin, size=6, root=b"x" * 32).text()
    copy.write_text(Note(fork, (key.sign(fork),)).render(), "utf-8")
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    with pytest.raises(IntegrityError, match="another root"):
        restore.restore(tmp_path / "third", taken, witnesses=(str(copy),))


def test_the_file_is_the_owners_alone_and_holds_the_keys_only_when_asked(
    living: World, tmp_path: Path
) -> None:
    path = tmp_path / "plain.backup"
    manifest = backup.take(living.home, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    seed = (living.home / "ledger" / "log.key").read_text("utf-8").strip().split("+", 4)[4]
    assert seed.encode() not in path.read_bytes()
    assert not any("key" in part.name for part in manifest.parts)
    with opened(path) as found:
        assert found.signed_by([SigningKey.parse(_key(living)).public]) is not None


def _key(world: World) -> str:
    return (world.home / "ledger" / "log.key").read_text("utf-8")


def test_a_backup_without_keys_asks_for_them_before_it_touches_anything(
    living: World, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "plain.backup"
    backup.take(living.home, path)
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    with pytest.raises(ConfigError, match=r"without the keys.*put the folder ledger/"):
        restore.restore(tmp_path / "fresh", path)
    with connect(url) as db:
        assert db.execute("select to_regnamespace('clearway')").fetchone() == (None,)


def test_that_a_backup_was_taken_is_on_the_log(living: World, taken: Path) -> None:
    told = living.sql(
        "select content::jsonb ->> 'with_keys', content::jsonb ->> 'sha256' from clearway.log_entry where act = %s "
        "order by entry limit 1",
        backup.TAKEN,
    )
    with opened(taken) as found:
        part = found.manifest.part("database.dump")
        assert part is not None
        assert told == [("true", part.sha256)]


def test_a_file_of_that_name_is_left_alone(living: World, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")
    with pytest.raises(UsageError, match="name another"):
        backup.take(living.home, path)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if "unfinished" in p.name] == []


def test_a_home_or_a_database_that_is_not_empty_is_refused(
    living: World,
    taken: Path,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with pytest.raises(ConflictError, match="the database is not empty"):
        restore.restore(tmp_path / "fresh", taken)
    assert not (tmp_path / "fresh" / RESTORING).exists()
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    with pytest.raises(ConflictError, match="the home is not empty"):
        restore.restore(living.home, taken)


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_a_flipped_byte_in_any_part_is_found_and_the_part_named(taken: Path, tmp_path: Path) -> None:
    data = taken.read_bytes()
    places = {}
    with tarfile.open(taken) as tar:
        for member in tar:
            places[member.name] = member.offset_data + member.size // 2
            places[f"the header of {member.name}"] = member.offset + 126  # its size
    bad = tmp_path / "bad.backup"
    for name, place in places.items():
        bad.write_bytes(_flipped(data, place))
        with pytest.raises((IntegrityError, ConfigError)) as caught, opened(bad) as found:
            # The last one is the signature: it is held against the key that is known.
            restore._signer(found, None)
        if not name.startswith(("the header", "clearway-backup", "manifest.note")):
            assert name in caught.value.where


def test_a_cut_file_is_no_backup_wherever_it_was_cut(taken: Path, tmp_path: Path) -> None:
    data = taken.read_bytes()
    bad = tmp_path / "bad.backup"
    for size in (513, 2_000, len(data) // 3, len(data) // 2, len(data) - 3_000):
        bad.write_bytes(data[:size])
        with pytest.raises(ClearwayError) as caught, opened(bad):
            pass
        assert caught.value.code in ("integrity", "input-invalid")


def _with_manifest(path: Path, target: Path, *, key: SigningKey | None = None, **changes: object) -> Path:
    """The same backup with another manifest, its hash and all, as who has `key`, or none, would write it."""
    out = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            data = file.read()
            if member.name == "clearway-backup" and "layout" in changes:
                data = f"{changes['layout']}\n".encode()
            elif member.name == "manifest.json":
                data = msgspec.json.encode({**msgspec.json.decode(data), **changes})
                digest = hashlib.sha256(data).hexdigest()
            elif member.name == "manifest.note":
                text = f"clearway backup\n{digest}\n"
                data = (Note(text, (key.sign(text),)).render() if key else text).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    target.write_bytes(out.getvalue())
    return target


def test_a_backup_of_a_newer_release_is_refused_with_its_cure(taken: Path, tmp_path: Path) -> None:
    for changes in ({"layout": 3, "what_it_holds": 7}, {"migration": "9999"}):
        newer = _with_manifest(taken, tmp_path / f"{len(changes)}.backup", **changes)
        done = clearway(tmp_path / "fresh", "", "restore", str(newer))
        assert done.returncode == 3
        assert "newer release" in done.stderr
        assert "upgrade Clearway" in done.stderr
    assert not (tmp_path / "fresh").exists()


def test_with_a_known_key_only_what_it_signed_is_restored(
    living: World,
    taken: Path,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    forged = _with_manifest(taken, tmp_path / "forged.backup", release="0.0.9")
    key = SigningKey.parse(_key(living)).public
    with pytest.raises(IntegrityError, match="not signed by"):
        restore.restore(tmp_path / "fresh", forged, key=key)
    assert restore.restore(tmp_path / "fresh", taken, key=key).signed == key.text()


@pytest.mark.slow
def test_a_key_from_before_a_rotation_is_followed_to_the_one_that_signed_the_backup(
    server: str, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home, url = tmp_path / "home", new_database(server, "made")
    monkeypatch.setenv(URL_VARIABLE, url)
    try:
        acts(url, home, 3)
        with connect(url, autocommit=True) as db:
            first = sequencer.signer_of(db, home)
            second = log_keys.rotate(db, first)
            sequencer.integrate_all(db, log_keys.rotate(db, second))
            third = sequencer.signer_of(db, home)
            old, middle, new = (signer.keys[0].public for signer in (first, second, third))
        path = tmp_path / "rotated.backup"
        backup.take(home, path, with_keys=True)
    finally:
        drop_database(server, url)
    with opened(path) as read:
        notes = read.manifest.log.endorsements
        kept = read.manifest.log
    assert [bool(note) for note in notes] == [False, True, True]

    stranger = SigningKey(old.name, "ed25519", b"s" * 32)
    forged = SigningKey(old.name, "ed25519", b"f" * 32)
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    for name, key, changes in (
        ("stranger", stranger.public, {}),
        # Whoever makes a file writes its keys: a word for another key, in the name of one that is known.
        ("own", old, {"keys": [old.text(), forged.public.text()], "endorsements": ["", notes[1]]}),
        ("self", old, {"keys": [old.text(), forged.public.text()],
                       "endorsements": ["", log_keys.endorse(stranger, forged)]}),
        ("bare", old, {"keys": [old.text(), forged.public.text()], "endorsements": []}),
        ("cut", old, {"keys": [old.text(), new.text()[:-4]], "endorsements": notes[:2]}),
        ("gap", old, {"keys": [old.text(), new.text()], "endorsements": ["", notes[2]]}),
    ):  # fmt: skip
        made = _with_manifest(
            path, tmp_path / f"{name}.backup", key=forged, log=msgspec.to_builtins(kept) | changes
        )
        with pytest.raises(IntegrityError):
            restore.restore(tmp_path / "fresh", made, key=key)
        assert not (tmp_path / "fresh").exists(), name
    bare = {name: told for name, told in msgspec.to_builtins(kept).items() if name != "endorsements"}
    without = _with_manifest(path, tmp_path / "one.backup", key=third.keys[0], layout=1,
                             log=bare)  # fmt: skip
    with pytest.raises(IntegrityError, match="nor by a key that it endorsed"):
        restore.restore(tmp_path / "fresh", without, key=old)

    done = clearway(tmp_path / "fresh", empty_database(), "restore", str(path), "--key", old.text(), "--json")
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["signed"] == new.text()
    for number, (file, key) in enumerate(((path, middle), (without, new))):
        monkeypatch.setenv(URL_VARIABLE, empty_database())
        assert restore.restore(tmp_path / f"fresh-{number}", file, key=key).signed == new.text()


def test_a_rewritten_log_does_not_pass_as_a_restore(
    living: World, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    path = tmp_path / "bad.backup"
    with connect(living.url, autocommit=True) as db:
        db.execute("set session_replication_role = replica")  # a superuser goes round the triggers
        kept = db.execute("select content from clearway.log_entry where entry = 3").fetchone()
        db.execute("update clearway.log_entry set content = '{\"n\":99}' where entry = 3")
        backup.take(living.home, path, with_keys=True)
        db.execute("update clearway.log_entry set content = %s where entry = 3", kept)
    done = clearway(tmp_path / "fresh", empty_database(), "restore", str(path))
    assert done.returncode == 9, done.stderr
    assert "does not verify" in done.stderr


def test_a_backup_under_load_is_one_moment_of_the_database(
    living: World, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with connect(living.url, autocommit=True) as db:
        db.execute("drop table if exists clearway.load")
        db.execute("create table clearway.load (n int primary key, entry bigint)")
    stop = threading.Event()
    acknowledged: list[int] = []

    def write_on() -> None:
        with connect(living.url, autocommit=True) as db:
            number = 0
            while not stop.is_set():
                with db.transaction():
                    entry = ledger.append(db, "asset.added", f"asset/load-{number}", {"n": number}, aud=0)
                    db.execute("insert into clearway.load values (%s, %s)", (number, entry))
                acknowledged.append(number)
                number += 1

    writer = threading.Thread(target=write_on)
    path = tmp_path / "load.backup"
    with sequencer.Following(living.url, living.home):
        writer.start()
        while len(acknowledged) < 20:
            time.sleep(0.01)
        before = len(acknowledged)
        backup.take(living.home, path, with_keys=True)
        after = len(acknowledged)
        stop.set()
        writer.join()
    assert after > before, "nobody waits for a backup"
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    restore.restore(tmp_path / "fresh", path)
    with connect(url) as db:
        kept = [n for (n,) in db.execute("select n from clearway.load order by n")]
        apart = db.execute(
            "select count(*) from clearway.load l full join (select entry from clearway.log_entry "
            "where subject like 'asset/load-%') e using (entry) where l.n is null or e.entry is null"
        ).fetchone()
    assert kept == list(range(len(kept)))
    assert len(kept) >= before, "what was acknowledged before it began is in it"
    assert apart == (0,), "an act and its entry are both there or neither"
    assert verify_home(tmp_path / "fresh", key=None, witnesses=()).ok


def test_a_disk_without_room_leaves_no_file(living: World, tmp_path: Path) -> None:
    path = tmp_path / "full.backup"
    done = clearway(living.home, living.url, "backup", str(path), limit_bytes=200_000)
    assert done.returncode == 8, done.stderr
    assert "full.backup" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_an_older_release_is_brought_to_this_ones_tables(
    empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, home = empty_database(), tmp_path / "old"
    step_to(old, "0009")
    acts(old, home, 3)
    monkeypatch.setenv(URL_VARIABLE, old)
    monkeypatch.setattr(backup, "head", lambda: "0009")
    assert backup.take(home, tmp_path / "old.backup", with_keys=True).migration == "0009"
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    assert restore.restore(tmp_path / "fresh", tmp_path / "old.backup").epoch == 2
    assert current(url) == head()


def test_a_session_that_was_ended_after_the_backup_is_not_valid_again(
    living: World,
    people: People,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    somebody = people.somebody(people.org("clinic"), "operator")
    backup.take(living.home, tmp_path / "one.backup", with_keys=True)
    with people.acting(somebody) as db:
        assert db.execute("select clearway.me()").fetchone() == (somebody.person,)
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    restore.restore(tmp_path / "fresh", tmp_path / "one.backup")
    with Pool(url) as pool:
        with pool.acting(somebody.key) as db:
            assert db.execute("select clearway.me()").fetchone() == (None,)
        with pool.acting(somebody.token_key) as db:
            assert db.execute("select clearway.me()").fetchone() == (somebody.person,), "a token is as it was"


def test_what_was_used_withdrawn_or_put_off_after_the_backup_does_not_come_back(
    living: World,
    people: People,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    coordinator = people.somebody(people.house, "coordinator")
    member = people.somebody(people.org("mine"), "operator", "coordinator")
    with people.acting(coordinator) as db:
        by_hour, by_news = (embargo.add(db, people.house, name).embargo for name in ("hour", "news"))
        embargo.arm(db, by_hour, now + timedelta(hours=1), now=now)
        embargo.arm(db, by_news, None, now=now, on_exploitation=True)
        unarmed = embargo.add(db, people.house, "neither").embargo
    with people.acting(member) as db:
        asked = approval.ask(db, member.org, "other", "asset/1", {}, "why not").approval
    with people.owner() as db:
        code = invitation.invite(db, member.person, member.org, now=now)
        webhook_store.add(
            db, org=member.org, aud=0, person=member.person, url="https://a.example/", kinds=(), label=""
        )
        db.execute(
            "insert into clearway.identity (person, kind, issuer, subject) values (%s, 'oidc', 'https://id', 'a')",
            (member.person,),
        )
    backup.take(living.home, tmp_path / "one.backup", with_keys=True)
    with people.acting(coordinator) as db:
        embargo.arm(db, by_hour, now + timedelta(days=30), now=now)
        embargo.arm(db, by_news, None, now=now)
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    done = restore.restore(tmp_path / "fresh", tmp_path / "one.backup")
    assert (done.ended.codes, done.ended.approvals, done.ended.embargoes) == (1, 1, 2)
    assert done.back.tokens >= 2
    assert done.back.identities == 1
    commands_backup._show_back(done)
    told = capsys.readouterr().out
    assert "1 one-time code or link, 0 sign-ins under way, 1 request for approval" in told
    assert "frozen until a coordinator looks, since nothing is to end by itself: 2 embargoes" in told
    assert "and their roles, 1 passkey or bound account, " in told
    assert "stopped until somebody makes them active again: 1 webhook\n" in told
    with Pool(url) as pool:
        with pool.owner() as db:
            assert embargo.carry_out(db, Reading(wall=now + timedelta(hours=2), boot="a", up_s=9)) == ()
            assert not embargo.exploited(db, by_news, "listed")
            for number in (by_hour, by_news):
                found = embargo.one(db, number)
                assert found.ended_by is None
                assert found.frozen.startswith("restored from the backup of 20")
            assert embargo.one(db, unarmed).frozen == ""
            assert db.execute(
                "select verdict from clearway.approval where approval = %s", (asked,)
            ).fetchone() == ("withdrawn",)
            acts = db.execute(
                """select act, content::jsonb from clearway.log_entry
                where act in ('embargo.frozen', 'approval.withdrawn', 'restore.voided') order by entry"""
            ).fetchall()
            with pytest.raises(AuthenticationError):
                invitation.accept(db, code, now=now)
        assert [act for act, _ in acts] == [
            "approval.withdrawn",
            "embargo.frozen",
            "embargo.frozen",
            "restore.voided",
        ]
        assert acts[-1][1]["embargoes"] == 2
        assert acts[-1][1]["tokens"] == done.back.tokens
    found = {check.name: check for check in doctor.examine(tmp_path / "fresh")}
    assert "2 frozen: restored from the backup" in found["embargoes"].found


def test_a_worker_that_finds_the_restored_database_too_early_ends_no_embargo(
    living: World,
    people: People,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    with people.owner() as db:
        kept = embargo.add(db, people.house, "soon").embargo
        embargo.arm(db, kept, now + timedelta(hours=1), now=now)
    backup.take(living.home, tmp_path / "one.backup", with_keys=True)
    monkeypatch.setenv(URL_VARIABLE, url := empty_database())
    looked: list[tuple[embargo.Embargo, ...]] = []

    def look(step: str) -> None:
        if step == "verifying the log":
            with connect(url) as db:
                looked.append(embargo.carry_out(db, Reading(wall=now + timedelta(hours=2), boot="a", up_s=9)))

    restore.restore(tmp_path / "fresh", tmp_path / "one.backup", say=look)
    assert looked == [()]


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("restoring the database", marks=pytest.mark.slow),
        "verifying the log",
        pytest.param("compiling the advisory table", marks=pytest.mark.slow),
    ],
)
def test_where_a_restore_was_cut_short_nobody_opens_the_home_until_it_is_done(
    taken: Path, empty_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: str
) -> None:
    """What is not there yet would be made anew and empty, under a key of its own."""
    home, url = tmp_path / "fresh", empty_database()
    monkeypatch.setenv(URL_VARIABLE, url)

    def fail(step: str) -> None:
        if step == at:
            raise RuntimeError(step)

    with monkeypatch.context() as patch:
        if not at:  # before there is anything but an empty database
            patch.setattr(restore, "_alone", lambda *_: fail(at))
        with pytest.raises(RuntimeError):
            restore.restore(home, taken, say=fail)
    every = (
        ("up", "--port", "0"),
        ("ingest", "--rebuild"),
        ("access", "org", "list"),
        ("backup", str(tmp_path / "b")),
    )
    for words in every if not at else every[:1]:
        refused = clearway(home, url, *words)
        assert refused.returncode == 7, refused.stderr
        assert "give the same `clearway restore` again" in refused.stderr
    restore.restore(home, taken)
    assert verify_home(home, key=None, witnesses=()).ok


@pytest.mark.slow
def test_a_restore_that_is_killed_anywhere_can_be_repeated(
    living: World, taken: Path, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    before = living.sql(ROWS)
    steps = ("restoring the database", "restoring the database", "verifying the log", "compiling")
    for number, step in enumerate(steps):
        home, url = tmp_path / f"home{number}", empty_database()
        process = started(home, url, "restore", str(taken))
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(step):
                break
        time.sleep(0.3 * number if number < 2 else 0.02)
        process.kill()
        process.communicate()
        again = clearway(home, url, "restore", str(taken))
        assert again.returncode == 0, again.stderr
        assert "epoch 2" in again.stdout
        with connect(url) as db:
            assert db.execute(ROWS).fetchall() == before
            assert db.execute("select count(*) from clearway.log_epoch").fetchone() == (1,)
        assert clearway(home, url, "ledger", "verify").returncode == 0


def test_a_killed_backup_leaves_no_file_of_that_name_and_the_next_one_works(
    living: World, tmp_path: Path
) -> None:
    path = tmp_path / "killed.backup"
    process = started(living.home, living.url, "backup", str(path))
    unfinished = path.with_name(f".{path.name}.unfinished")
    while not unfinished.exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not path.exists()
    assert unfinished.exists()
    done = clearway(living.home, living.url, "backup", str(path))
    assert done.returncode == 0, done.stderr
    assert not unfinished.exists()
    with opened(path):
        pass


def test_rows_that_the_role_cannot_see_are_noticed_before_they_are_missing(living: World) -> None:
    with connect(living.url, autocommit=True) as db:
        db.execute("create role reader login nosuperuser in role pg_read_all_data")
    try:
        with psycopg.connect(living.url, autocommit=True) as db:
            db.execute("set role reader")
            hidden = {name for (name,) in db.execute(backup._HIDDEN, (["clearway"],))}
            assert {"clearway.log_entry", "clearway.asset"} <= hidden
    finally:
        with connect(living.url, autocommit=True) as db:
            db.execute("drop role reader")
