"""PostgreSQL's own dump and restore, run as programs: of the wheel, or of the server's release where that is newer."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from clearway.records.errors import ClearwayError, ConfigError, UpstreamError
from clearway.store import binaries
from clearway.store.cluster import MAJOR
from clearway.store.external import without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SCHEMAS = ("clearway", "clearway_jobs")
_PIECE = 1 << 20
_MAX_HEAD = 32 << 20
# What one server writes and another does not know: a setting of 17 and later, and a mark that some minor releases of
# 15 keep on columns, which a newer pg_dump takes for an option.
_UNKNOWN = re.compile(
    rb"^SET transaction_timeout = 0;\n|^ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);\n", re.M
)


def folder_for(server_version: int) -> Path:
    """Where programs lie that can read a server of this version (180001).

    Raises:
        ConfigError: there are none; the cure is named.
    """
    major = server_version // 10_000
    if major <= int(MAJOR):
        found = binaries.package_dir() / "pginstall" / "bin"
    else:  # a dump of a newer server needs programs at least as new
        found = Path(f"/usr/lib/postgresql/{major}/bin")
    if not all((found / name).exists() for name in ("pg_dump", "pg_restore", "psql")):
        raise ConfigError(
            f"no PostgreSQL programs for a server of release {major} are here",
            where=str(found),
            mend=f"install postgresql-client-{major}, or back up with that server's own tools (docs/howto/back-up.md)",
        )
    return found


def dump(programs: Path, url: str, snapshot: str, take: Callable[[bytes], None]) -> None:
    """Gives `take` a dump of our schemas as that snapshot sees them, piece by piece. Nothing waits for it but DDL.

    Raises:
        UpstreamError: the dump failed; the program's last words are quoted.
    """
    command = [
        str(programs / "pg_dump"), "--format=custom", f"--snapshot={snapshot}", "--no-password",
        # The owner is no superuser everywhere; that its own policies show it all was looked at before.
        "--enable-row-security", "--compress=gzip:1",
        *(f"--schema={name}" for name in SCHEMAS), f"--dbname={without_password(url)}",
    ]  # fmt: skip
    with _Running(command, url, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
        assert run.child.stdout is not None
        while piece := run.child.stdout.read(_PIECE):
            take(piece)
        run.ended("the dump")


def restore(
    programs: Path, url: str, pieces: Callable[[], Iterable[bytes]], *, before: str, after: str
) -> None:
    """Puts a dump into the database, between two texts of SQL, in one transaction: whole or not at all.

    Killed anywhere, it leaves nothing: the last line is the commit, and a text that was cut has none.
    `pieces` gives the dump; it is read twice.

    Raises:
        UpstreamError: the server refused; what it said is quoted.
    """
    with tempfile.TemporaryDirectory(prefix="clearway-restore-") as folder:
        listed = Path(folder) / "list"
        listed.write_bytes(_without_owners(_list(programs, url, pieces())))
        make = [str(programs / "pg_restore"), "--no-owner", f"--use-list={listed}", "--file=-"]
        play = [str(programs / "psql"), "-X", "-q", "-w", "-o", os.devnull, "-v", "ON_ERROR_STOP=1",
                f"--dbname={without_password(url)}"]  # fmt: skip
        with (
            _Running(play, url, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql,
            _Running(make, url, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made,
        ):
            assert psql.child.stdin is not None
            assert made.child.stdin is not None
            assert made.child.stdout is not None
            feeding = threading.Thread(target=_feed, args=(made.child.stdin, pieces()), daemon=True)
            feeding.start()
            try:
                psql.child.stdin.write(f"begin;\n{before}\n".encode())
                _pump(made.child.stdout, psql.child.stdin)
                feeding.join()
                made.ended("the restore")
                psql.child.stdin.write(f"\n{after}\ncommit;\n".encode())
                psql.child.stdin.close()
            except BrokenPipeError:  # psql has stopped at an error, which it has told
                pass
            psql.ended("the restore")


def _pump(source: IO[bytes], target: IO[bytes]) -> None:
    """Passes a dump's SQL on. What stands before the first rows is looked through; rows are not."""
    head = b""
    while b"\nCOPY " not in head and len(head) < _MAX_HEAD and (piece := source.read(_PIECE)):
        head += piece
    end = head.find(b"\nCOPY ") + 1 or len(head)
    target.write(_UNKNOWN.sub(b"", head[:end]) + head[end:])
    while piece := source.read(_PIECE):
        target.write(piece)


def _feed(target: IO[bytes], pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            target.write(piece)
        target.close()
    except (OSError, ValueError):  # it reads no more: it has failed, or needs only the beginning
        pass


def _list(programs: Path, url: str, pieces: Iterable[bytes]) -> bytes:
    command = [str(programs / "pg_restore"), "--list"]
    with _Running(command, url, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.child.stdin is not None
        assert run.child.stdout is not None
        feeding = threading.Thread(target=_feed, args=(run.child.stdin, pieces), daemon=True)
        feeding.start()
        found = run.child.stdout.read()
        run.child.wait()
        feeding.join()
        run.ended("the restore")
    return found


def _without_owners(listed: bytes) -> bytes:
    """The list of a dump without the policies `own`, which name the old server's owner."""
    kept = []
    for line in listed.split(b"\n"):
        words = line.split(b" ")
        if words[3:5] == [b"POLICY", b"clearway"] and words[6:7] == [b"own"]:
            continue
        kept.append(line)
    return b"\n".join(kept)


class _Running:
    """One program at work; killed when the block ends before it."""

    def __init__(self, command: list[str], url: str, *, stdin: int, stdout: int) -> None:
        self.name = Path(command[0]).name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        try:
            self.child: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  PostgreSQL's own programs
                command, stdin=stdin, stdout=stdout, stderr=self._said, env=_environment(url)
            )
        except OSError as error:
            raise ConfigError(f"{self.name} can't be run: {error.strerror}", where=command[0]) from error

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.poll() is None:
            self.child.kill()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.child.wait()
        self._said.close()

    def ended(self, what: str) -> None:
        """Waits for its end; raises when that was not a good one."""
        if self.child.wait() == 0:
            return
        self._said.seek(0)
        lines = self._said.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        wrong = next(
            (line for line in lines if "ERROR" in line or "error:" in line), lines[0] if lines else ""
        )
        raise _failed(what, self.name, wrong or f"it ended with {self.child.returncode}")


def _failed(what: str, program: str, said: str) -> ClearwayError:
    # A file that could be extended in part only ("wrote only 4096 of 8192 bytes") is a full disk too.
    if "No space left" in said or "disk full" in said.lower() or "could not extend file" in said:
        mend = "free some space, then give the same command again"
    elif "permission denied" in said:
        mend = "name the owner of the database in CLEARWAY_DATABASE_URL"
    else:
        mend = "give the same command again; see the server's log"
    return UpstreamError(f"{what} failed: {said[:500]}", where=program, mend=mend)


def _environment(url: str) -> dict[str, str]:
    """What the programs see: the password, which must not stand among the arguments, and where its files are."""
    from psycopg.conninfo import conninfo_to_dict

    kept = {
        name: os.environ[name]
        for name in ("HOME", "PGPASSFILE", "PGSSLROOTCERT", "TMPDIR")
        if name in os.environ
    }
    password = conninfo_to_dict(url).get("password") or os.environ.get("PGPASSWORD", "")
    return {
        **kept,
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        **({"PGPASSWORD": str(password)} if password else {}),
    }
