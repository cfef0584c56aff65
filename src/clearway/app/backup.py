"""Taking a backup: one snapshot of the database, told of by the log's signed root, and the home's files beside it.

1. A read-only transaction exports its snapshot, and reads from it what the manifest says: migration, log, size.
2. pg_dump reads the same snapshot, while everybody goes on writing, into the file.
3. The home's files follow, then the manifest, signed by the log's key where the home has it.
4. That a backup was taken is logged, and the file gets its name, in this order of commits: an entry without a
   file may be, a file without an entry not.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearway import __version__, ledger
from clearway.ledger import keys as ledger_keys
from clearway.ledger import tree_store as tree
from clearway.ledger.append import CLEAR
from clearway.ledger.merkle import EMPTY_ROOT
from clearway.ledger.note import SigningKey
from clearway.records.errors import ConfigError, ConflictError, NotFoundError
from clearway.store.connect import connect, translated
from clearway.store.failures import at
from clearway.store.migrate import current, head
from clearway.store.server import URL_VARIABLE, lease

from . import pg_programs as programs
from .backup_file import DUMP, HOME, LAYOUT, LogHead, Manifest, Writer, of_file

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    Connection = psycopg.Connection[Any]

TAKEN = "backup.taken"
_TABLE = ("table/advisories.sqlite", "table/advisories.changes", "feeds/status.json")
_PRIVATE = ("sign-in.toml",)  # may hold a client's secret
# A table whose rows the owner does not see would be dumped empty, in silence.
_HIDDEN = """
select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any(%s) and c.relkind in ('r', 'p') and c.relrowsecurity and c.relforcerowsecurity
    and not (select rolsuper or rolbypassrls from pg_roles where rolname = current_user)
    and not exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd = '*'
        and pg_get_expr(p.polqual, p.polrelid) = 'true'
        and (select oid from pg_roles where rolname = current_user) = any(p.polroles))
order by 1
"""
_OWNED = """
select schemaname || '.' || tablename from pg_policies
where schemaname = 'clearway' and policyname = 'own' order by 1
"""


def take(
    home: Path, path: Path, *, with_keys: bool = False, progress: Callable[[int], None] | None = None
) -> Manifest:
    """Writes a backup of `home` and its database to `path`, which must not exist; what it holds.

    The file is as secret as the database: mode 0600, and with the keys as secret as they are. `progress` is told the
    bytes written so far.

    Raises:
        NotFoundError: there is no home, and no database of its own is named.
        UsageError: there is a file of that name, or no such folder.
        ConfigError: the database has the tables of another release, or can't be read whole.
        ConflictError: another backup is being written there, or a key was rotated meanwhile.
        UpstreamError: the disk is full, or the dump failed.
    """
    if not os.environ.get(URL_VARIABLE) and not (home / "postgres").exists():
        # Else a home that was mistyped would be made, and a backup of nothing would look like one.
        raise NotFoundError(
            "there is no database to back up",
            where=str(home),
            mend="name the home: --home DIR, or CLEARWAY_HOME",
        )
    with lease(home) as url, translated():
        now = current(url)
        if not now:
            raise NotFoundError(
                "the database is empty: there is nothing to back up",
                where="database",
                mend="name another home or CLEARWAY_DATABASE_URL",
            )
        if now != head():
            raise ConfigError(
                f"the database stands at migration {now}, and this release at {head()}",
                where="database",
                mend="run `clearway ingest --rebuild` first, or back up with the release that runs on it",
            )
        with (
            connect(url, autocommit=True, application_name="clearway backup") as db,
            Writer(path) as writer,
        ):
            return _take(db, url, home, writer, with_keys, progress)


def _take(
    db: Connection,
    url: str,
    home: Path,
    writer: Writer,
    with_keys: bool,
    progress: Callable[[int], None] | None,
) -> Manifest:
    done = 0

    def fill(put: Callable[[bytes], None]) -> None:
        nonlocal done

        def counted(piece: bytes) -> None:
            nonlocal done
            put(piece)
            done += len(piece)
            if progress is not None:
                progress(done)

        programs.dump(folder, url, snapshot, counted)

    folder = programs.folder_for(db.info.server_version)
    # The snapshot lives as long as this transaction, which is idle while pg_dump works.
    db.execute("set idle_in_transaction_session_timeout = 0")
    with db.transaction():
        db.execute("set transaction isolation level repeatable read, read only")
        row = db.execute(
            "select pg_export_snapshot(), pg_database_size(current_database()), now()"
        ).fetchone()
        assert row is not None
        snapshot, size, taken = row
        hidden = [name for (name,) in db.execute(_HIDDEN, (list(programs.SCHEMAS),))]
        if hidden:
            raise ConfigError(
                f"rows of {hidden[0]} are hidden from this role, and would be missing",
                where="database",
                mend="name the owner of the tables in CLEARWAY_DATABASE_URL",
            )
        log = _log(db)
        owned = [name for (name,) in db.execute(_OWNED)]
        migration = db.execute("select max(version_num) from clearway.alembic_version").fetchone()
        writer.add(DUMP, fill)
    key = _key(home, log)
    for name in _files(home, with_keys=with_keys):
        _add(writer, home, name)
    if with_keys:
        key = _key(home, log)  # again: the files were read meanwhile
    manifest = Manifest(
        layout=LAYOUT,
        release=__version__,
        migration=str(migration[0]) if migration else "",
        postgres=db.info.server_version,
        taken=taken.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        log=log,
        database_bytes=size,
        owned=owned,
        with_keys=with_keys,
        parts=writer.parts,
    )
    writer.finish(manifest, key)
    told = {"taken": manifest.taken, "log_size": log.size, "with_keys": with_keys}
    with db.transaction():
        ledger.append(db, TAKEN, "backup", {**told, "sha256": writer.parts[0].sha256}, aud=CLEAR)
    writer.publish()
    return manifest


def _log(db: Connection) -> LogHead:
    """The newest signed root in the snapshot; entries that wait for their place are in the dump too."""
    import base64

    now = tree.head(db)
    keys = tree.keys(db)
    root = tree.root(db, now.size) if now.size else EMPTY_ROOT
    return LogHead(
        origin=now.origin,
        size=now.size,
        root=base64.b64encode(root).decode(),
        epoch=now.epoch.number if now.epoch else 1,
        keys=[key.vkey for key in keys],
        endorsements=[key.endorsement for key in keys],
    )


def _key(home: Path, log: LogHead) -> SigningKey | None:
    """The home's signing key, which is one of the log's; None where the home has none."""
    path = home / ledger_keys.FOLDER / ledger_keys.LOG_KEY
    if not path.exists() or not log.keys:
        return None
    key = ledger_keys.load_or_make(path, log.origin, "ed25519")
    if key.public.text() not in log.keys:
        raise ConflictError(
            "the log's key is not one that the backed-up log knows",
            where=str(path),
            mend="if it was rotated just now, give the same command again; else use the home that signs this log",
        )
    return key


def _files(home: Path, *, with_keys: bool) -> list[str]:
    names = [*_TABLE, *(_PRIVATE if with_keys else ()), f"{ledger_keys.FOLDER}/{ledger_keys.SIGNED}"]
    if with_keys:
        names += sorted(
            f"{ledger_keys.FOLDER}/{path.name}"
            for pattern in ("log.key*", "log-pq.key*")
            for path in (home / ledger_keys.FOLDER).glob(pattern)
            if not path.name.endswith(".new")
        )
    return names


def _add(writer: Writer, home: Path, name: str) -> None:
    path = home / name
    with at(path):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as file:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                writer.add(HOME + name, of_file(file))
