"""Restoring a backup into an empty home and database, and going on as a new epoch of the log.

    1. Every byte of the file is held against its manifest, and the manifest against who signed it.
    2. The home is looked at: it is empty, or that of this very restore, which was cut short.
    3. What is under way is written down there before anything else (`restore.json`); until its end the home opens for
       nobody else. Then the database is looked at in the same way.
    4. The dump is played in one transaction: whole or not at all. The home's files follow.
    5. The tables are brought to this release; the log is verified, and its root held against the manifest.
    6. What may have ended since and would open something ends: sessions, one-time codes, open requests for approval;
       and armed embargoes freeze. A new epoch names the tree that is given up; the compiled
       table is built anew; the mark is removed.

Each step finds out what the one before it left, so that the same command, given again, goes on.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.access.restored import Back, Voided
from clearway.ledger import keys as ledger_keys
from clearway.ledger.log_keys import followed
from clearway.ledger.note import parse_key
from clearway.records.errors import ClearwayError, ConfigError, ConflictError, InputError, IntegrityError
from clearway.store.closing import CLOSE
from clearway.store.connect import connect, translated
from clearway.store.failures import at
from clearway.store.migrate import head, migrate
from clearway.store.server import RESTORING, URL_VARIABLE, lease

from . import pg_programs as programs
from . import restore_log as log
from .backup_file import DUMP, HOME
from .backup_read import ANOTHER, Backup, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from clearway.ledger.note import VerifierKey

    Connection = psycopg.Connection[Any]

_LOCK = 0x726573746F7265  # of the session that restores, in its database
_KEY_FILE = f"{HOME}{ledger_keys.FOLDER}/{ledger_keys.LOG_KEY}"
# What a home may have before: an empty embedded database, the log's keys, the sign-in settings, a mark of ours.
# `vault`, `desk` and `leases` are the findings desk's keys, which no backup holds.
_MAY_BE = frozenset({"postgres", ledger_keys.FOLDER, "sign-in.toml", RESTORING, "vault", "desk", "leases"})
_ROLES = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'clearway_app') then
        create role clearway_app nologin noinherit;
    end if;
    if not exists (select from pg_roles where rolname = 'clearway_login') then
        create role clearway_login login noinherit;
    end if;
    if not pg_has_role('clearway_login', 'clearway_app', 'member') then
        grant clearway_app to clearway_login;
    end if;
    if not pg_has_role(current_user, 'clearway_app', 'member') then
        execute format('grant clearway_app to %I', current_user);
    end if;
exception when duplicate_object or unique_violation then null;
end $$;
"""
_OWN = """
do $$
declare t text;
begin
    foreach t in array array[{tables}]::text[] loop
        execute format('create policy own on %s to %I using (true) with check (true)', t::regclass, current_user);
    end loop;
end $$;
"""
# A worker that finds the database again must not end an embargo before the restore is done: they come frozen.
_FREEZE = """
do $$
begin
    if to_regclass('clearway.embargo') is not null then
        update clearway.embargo set frozen = '{why}'
        where ended_by is null and frozen = '' and (until is not null or on_exploitation);
    end if;
end $$;
"""


class Mark(Struct, frozen=True):
    """A restore that is under way in a home: of which backup."""

    backup: str  # the SHA-256 of its manifest


class Restored(Struct, frozen=True, kw_only=True):
    """What a restore ended with. `signed`: the key that vouches for the file, "" when none was asked to."""

    taken: str
    entries: int
    epoch: int
    lost: int
    signed: str
    ended: Voided  # what was, because it may have been since
    back: Back  # what is in force as it was then


class _NotEmptyError(ConflictError):
    """The database holds something else than this restore."""


def restore(
    home: Path,
    path: Path,
    *,
    key: VerifierKey | None = None,
    witnesses: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Restored:
    """Puts the backup in `path` into `home` and its database.

    `key` is a key of the log that is known from elsewhere; the file must be signed by it, or by one that it endorsed,
    itself or through others.
    `witnesses` are given to the log's verification (`ledger verify --witness`); a copy of a checkpoint from after the
    backup is the tree that the new epoch gives up, so that what was lost is told.

    Raises:
        IntegrityError: the file is damaged, or the log in it does not verify.
        ConfigError: a newer release made it, the log's key is not here, or the home is another's.
        ConflictError: home or database are not empty, or another restore runs there.
        UpstreamError: the database refused.
    """
    say("reading the backup and checking every part of it")
    with opened(path) as backup:
        manifest = backup.manifest
        if manifest.migration > head():
            raise ConfigError(
                f"a newer release made this backup (migration {manifest.migration}, this release knows {head()})",
                where=str(path),
                mend="upgrade Clearway",
            )
        signed = _signer(backup, key)
        _check_home(home, backup)
        with at(home):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            _marked(home, backup),
            lease(home, restoring=True) as url,
            translated(),
            connect(url, autocommit=True) as db,
        ):
            _alone(db, home)
            played = _is_played(db, home, backup)
            if not played:
                say("restoring the database")
                _play(db, url, backup)
            _put_files(home, backup)
            migrate(url)
            say("verifying the log")
            log.check_root(db, backup)
            seen, later = log.of_witnesses(db, witnesses)
            if witnesses or not log.is_unsigned(db, backup):
                log.verify(home, seen, key)
            log.know_later(db, home, later)
            voided, back = log.void(db, backup)
            epoch, lost = log.go_on(db, home, backup)
            if later:
                log.verify(home, witnesses, key)
            say("compiling the advisory table")
            _compile(home)
            db.execute("comment on schema clearway is null")
        with at(home):
            (home / RESTORING).unlink(missing_ok=True)
    return Restored(
        taken=manifest.taken,
        entries=manifest.log.size,
        epoch=epoch,
        lost=lost,
        signed=signed.text() if signed else "",
        ended=voided,
        back=back,
    )


def _signer(backup: Backup, key: VerifierKey | None) -> VerifierKey | None:
    """The key that is known and has signed the file: what is in it is run by the database as its owner."""
    kept = backup.manifest.log
    try:
        # The file's own keys prove that it is whole, not whose it is. Those that a known key vouches for do, whoever
        # has put their endorsements there.
        keys = [parse_key(text) for text in kept.keys] if key is None else followed(key, kept.chain())
    except InputError as error:
        raise IntegrityError(
            f"a key of the backup's log can't be read: {error.what}", where=str(backup.path), mend=ANOTHER
        ) from error
    found = backup.signed_by(keys)
    if key is None:
        if backup.is_signed and found is None:
            raise IntegrityError(
                "the backup is signed by none of its log's keys", where=str(backup.path), mend=ANOTHER
            )
        return None
    if found is None:
        raise IntegrityError(
            f"the backup is not signed by {key.name}+{key.key_id.hex()}, nor by a key that it endorsed",
            where=str(backup.path),
            mend="name the key that signed the log when it was taken, or one from before it; or another backup",
        )
    return found


def _check_home(home: Path, backup: Backup) -> None:
    """That nothing stands in the home that the restore would overwrite, and that the log can be signed on."""
    there = _mark_of(home)
    with at(home):
        names = {path.name for path in home.iterdir()} if home.exists() else set()
    if there is None:
        if extra := sorted(names - _MAY_BE):
            raise ConflictError(
                f"the home is not empty: {extra[0]}",
                where=str(home),
                mend="restore into an empty folder: --home DIR",
            )
    elif there.backup != backup.digest:
        raise ConflictError(
            "the restore of another backup was cut short here",
            where=str(home / RESTORING),
            mend="finish that one, or restore into another home and database",
        )
    kept = backup.manifest.log
    file = home / ledger_keys.FOLDER / ledger_keys.LOG_KEY
    if file.exists():
        try:
            found = ledger_keys.load_or_make(file, kept.origin, "ed25519")
        except InputError as error:
            raise ConfigError(
                f"the key in this home can't be read: {error.what}", where=str(file),
                mend=f"put the folder {ledger_keys.FOLDER}/ of the home that signed the log there, mode 0600",
            ) from error  # fmt: skip
        if kept.keys and found.public.text() not in kept.keys:
            raise ConfigError(
                "the key in this home is not of the log in the backup",
                where=str(file),
                mend=f"put the folder {ledger_keys.FOLDER}/ of the home that signed it there, mode 0600; if it was "
                f"rotated since, give the one before, {ledger_keys.LOG_KEY}.N, its name back",
            )
    elif kept.keys and _KEY_FILE not in backup.places:
        raise ConfigError(
            "the backup was taken without the keys that sign the log, and this home has none",
            where=str(home / ledger_keys.FOLDER),
            mend=f"put the folder {ledger_keys.FOLDER}/ of the home that signed it there, mode 0600, then repeat",
        )


def _mark_of(home: Path) -> Mark | None:
    try:
        return msgspec.json.decode((home / RESTORING).read_bytes()[:4096], type=Mark)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"can't be read: {error}", where=str(home / RESTORING), mend="take another home"
        ) from error


@contextmanager
def _marked(home: Path, backup: Backup) -> Iterator[None]:
    """Marks the home before there is anything else in it: from here on it is this restore's, and opens for no other.

    A home whose database turns out to be another's keeps no mark.
    """
    if _mark_of(home) is None:
        ledger_keys.replace(home / RESTORING, msgspec.json.encode(Mark(backup.digest)).decode() + "\n")
    try:
        yield
    except _NotEmptyError:
        with at(home):
            (home / RESTORING).unlink(missing_ok=True)
        raise


def _alone(db: Connection, home: Path) -> None:
    """Keeps any other restore out of this database for as long as the session lives; raises ConflictError."""
    row = db.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if not (row and row[0]):
        raise ConflictError(
            "a restore runs here",
            where=URL_VARIABLE if os.environ.get(URL_VARIABLE) else str(home),
            mend="wait for it to end; if it was cut short, give the same command again",
        )


def _is_played(db: Connection, home: Path, backup: Backup) -> bool:
    """Whether the dump is there already, from this restore, cut short after it; False for an empty database."""
    row = db.execute(
        "select to_regnamespace('clearway') is not null or to_regnamespace('clearway_jobs') is not null, "
        "obj_description(to_regnamespace('clearway'), 'pg_namespace')"
    ).fetchone()
    assert row is not None
    if row[0] and row[1] != _said(backup):
        raise _NotEmptyError(
            "the database is not empty: it has the schema clearway",
            where=URL_VARIABLE if os.environ.get(URL_VARIABLE) else str(home),
            mend="restore into an empty database",
        )
    return bool(row[0])


def _play(db: Connection, url: str, backup: Backup) -> None:
    """The dump, with what belongs to whoever owns this database, and a word on whose it is."""
    tables = ", ".join(f"'{name}'" for name in backup.manifest.owned if _is_name(name, backup))
    said = f"comment on schema clearway is '{_said(backup)}';"
    programs.restore(
        programs.folder_for(db.info.server_version),
        url,
        lambda: backup.pieces(DUMP),
        before=_ROLES,
        after="\n".join(
            (
                # A dump turns policies into errors; an owner that is no superuser acts by its own.
                "set search_path = ''; set row_security = on;",
                _OWN.format(tables=tables),
                _FREEZE.format(why=log.words(backup).replace("'", "''")),
                CLOSE,
                said,
            )
        ),
    )


def _said(backup: Backup) -> str:
    return f"a restore is under way: {backup.digest}"


def _is_name(name: str, backup: Backup) -> bool:
    if not all(part.isidentifier() and part.isascii() for part in name.split(".")) or name.count(".") != 1:
        raise IntegrityError("a table's name is none", where=f"{backup.path}: manifest.json")
    return True


def _put_files(home: Path, backup: Backup) -> None:
    """The home's files, each whole; what is there already stays: it is newer, or is the same."""
    for name in backup.home_files:
        target = home / name.removeprefix(HOME)
        if target.exists() or target.is_symlink():
            continue
        with at(target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = target.with_name(f".{target.name}.restoring")
            unfinished.unlink(missing_ok=True)
            fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                for piece in backup.pieces(name):
                    file.write(piece)
                file.flush()
                os.fsync(fd)
            unfinished.rename(target)


def _compile(home: Path) -> None:
    from clearway.advisories.commands import ingest

    try:
        ingest(home, [], rebuild=True, quiet=True)
    except ClearwayError as error:
        raise type(error)(
            error.what,
            where=error.where,
            mend=f"the database is restored; give the same command again. {error.mend}",
        ) from error
