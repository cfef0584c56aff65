"""Intake with the real database: a database of its own for each test, and what stands in it and in its table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from clearway.advisories.intake import Counts
from clearway.advisories.keep import Keeper
from clearway.advisories.snapshot import Snapshot
from clearway.advisories.table import CHANGES_SUFFIX, TABLE_FILE, Meta, Table
from clearway.records.clock import FixedClock
from clearway.store.connect import connect, translated

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
_SCRIPT = Path(sys.executable).parent / "clearway"
PROGRAM = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "clearway.app.cli"]
SRC = Path(__file__).resolve().parents[1] / "src"
_numbers = count()
TABLES = ("package", "flaw", "alias", "record", "vex")


class World:
    """One database and one home for its table. `url` is that of a database of its own."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.path = home / TABLE_FILE

    def take(self, *paths: Path | str, at: datetime = NOW, **how: Any) -> Counts:
        """Takes in as `Keeper.take_in` does with the words of `how`."""
        with translated(), Keeper(self.url, self.home, FixedClock(at)) as keeper:
            return keeper.take_in([str(p) for p in paths], **how)

    def sql(self, query: str, *args: Any) -> list[tuple[Any, ...]]:
        with connect(self.url, autocommit=True) as db:
            return db.execute(query, args).fetchall()  # type: ignore[arg-type]

    def standing(self) -> list[tuple[Any, ...]]:
        """Everything that stands: records, what they assert and claim, and scores."""
        return [
            *self.sql(
                "select source, id, version, sha256, raw, tlp from clearway.record where current order by 1, 2"
            ),
            *self.sql(
                """select r.source, r.id, e.source, e.subject, e.kind, e.target
                from clearway.edge e join clearway.record r using (rec) where r.current order by 1, 2, 4, 5, 6"""
            ),
            *self.sql(
                """select r.source, r.id, c.ecosystem, c.name, c.body
                from clearway.claim c join clearway.record r using (rec) where r.current order by 1, 2, 3, 4, 5"""
            ),
            *self.sql("select cve, model, dated, probability, percentile from clearway.epss order by 1"),
        ]

    def table(self) -> Table:
        return Table.open(self.path)

    def meta(self) -> Meta:
        table = self.table()
        table.close()
        return table.meta

    def rows(self) -> dict[str, dict[str, bytes]]:
        return rows_of(self.path)

    def has_changes_beside(self) -> bool:
        return self.path.with_suffix(CHANGES_SUFFIX).exists()


def rows_of(path: Path) -> dict[str, dict[str, bytes]]:
    """Every row that a reader of the table at `path` meets, the file's and those beside it."""
    table = Table.open(path)
    try:
        found: dict[str, dict[str, bytes]] = {}
        for name in TABLES:
            rows = {r[-2]: bytes(r[-1]) for r in table._file._db.execute(f"select * from {name}")}
            for key, body in table.changed.get(name, {}).items():
                rows.pop(key, None)
                if body is not None:
                    rows[key] = body
            found[name] = rows
        return found
    finally:
        table.close()


def compiled_anew(world: World, folder: Path) -> tuple[dict[str, dict[str, bytes]], Meta]:
    """The rows and meta of a whole compilation of what the database holds now."""
    from clearway.advisories.compile import compile_whole

    path = folder / f"anew-{next(_numbers)}.sqlite"
    with connect(world.url, autocommit=True) as db, db.transaction():
        db.execute("set transaction isolation level repeatable read, read only")
        meta = compile_whole(Snapshot(db), path, built="2026-11-25T12:00:00Z")
    found = rows_of(path)
    path.unlink()
    return found, meta


def new_database(server: str, template: str) -> str:
    """The URL of a new database on the server at `server`, copied from `template`.

    File by file, in half the time and without 17 MB of log: nothing here is to outlive a crash.
    """
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"create database {name} template {template} strategy file_copy".encode())
    return with_database(server, name)


def drop_database(server: str, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"drop database if exists {name} with (force)".encode())


def with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


# Inputs


def osv(
    identifier: str, *affected: dict[str, Any], modified: str = "2026-01-01T00:00:00Z", **more: Any
) -> dict[str, Any]:
    """An OSV record; without `affected` it concerns PyPI's package of its own lower-cased name."""
    whole = affected or (package("PyPI", identifier.lower(), "1.0"),)
    return {
        "schema_version": "1.7.0",
        "id": identifier,
        "modified": modified,
        "affected": list(whole),
        **more,
    }


def package(ecosystem: str, name: str, fixed: str = "", introduced: str = "0") -> dict[str, Any]:
    events = [{"introduced": introduced}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }


def write(path: Path, *records: Any) -> Path:
    """One record as a JSON file, or several as JSON lines where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".jsonl"):
        path.write_bytes(b"".join(json.dumps(r).encode() + b"\n" for r in records))
    else:
        (record,) = records
        path.write_bytes(record if isinstance(record, bytes) else json.dumps(record).encode())
    return path


def kev(version: str, *cves: str, added: str = "2026-01-05", **more: Any) -> dict[str, Any]:
    entries = [
        {"cveID": c, "vendorProject": "Acme", "product": "Thing", "vulnerabilityName": "x", "dateAdded": added,
         "shortDescription": "x", "requiredAction": "x", "dueDate": "2026-01-26", **more}
        for c in cves
    ]  # fmt: skip
    return {"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": version,
            "dateReleased": f"{version.replace('.', '-')}T10:00:00.000Z", "count": len(entries),
            "vulnerabilities": entries}  # fmt: skip


# The command line as its users have it: a process of its own


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("CLEARWAY_DATABASE_URL", "CLEARWAY_HOME")}
    return {**kept, "PYTHONPATH": str(SRC), **more}


def command(*words: str | Path) -> list[str]:
    return [*PROGRAM, *map(str, words)]


def run_here(*words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`clearway WORDS` in this process: what a command does and says, where starting is not what a test is about."""
    from clearway.app import cli

    out, err = (TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before, sys.stdin = sys.stdin, TextIOWrapper(BytesIO(stdin), "utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = cli.main([*map(str, words)])
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdin = before
    return subprocess.CompletedProcess(command(*words), code, out.buffer.getvalue(), err.buffer.getvalue())


def run(
    *words: str | Path,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    timeout_s: float = 120,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """`clearway WORDS` to its end."""
    return subprocess.run(
        command(*words), input=stdin, capture_output=True, check=False, timeout=timeout_s,
        env=environment() if env is None else env, cwd=cwd,
    )  # fmt: skip


def processes_naming(text: str) -> Sequence[str]:
    """Command lines, working folders and open files of the processes that name `text`, this one left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            links = [str(p.readlink()) for p in (entry / "cwd", *(entry / "fd").iterdir())]
        except OSError:
            continue
        if text in line or any(text in link for link in links):
            found.append(f"{entry.name}: {line or '?'}")
    return found
