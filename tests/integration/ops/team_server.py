"""A PostgreSQL server of the user's own: Debian's 15, as an ordinary account, on a private socket."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from clearway.store.processes import wait_until

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
OWNER, LOGIN = "cw_owner", "clearway_login"
# What the administrator of such a server types (docs/howto/run-for-a-team.md).
SET_UP = (
    "create role clearway_app nologin noinherit",
    f"create role {LOGIN} login noinherit",
    f"create role {OWNER} login nosuperuser nocreaterole",
    f"grant clearway_app to {LOGIN}, {OWNER}",
)


class TeamServer:
    """One server; its databases belong to a plain owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as db:
            for statement in SET_UP:
                db.execute(statement.encode())

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.folder), safe='')}"

    def database(self) -> tuple[str, str]:
        """A new database: the owner's URL, and what requests connect as."""
        self._made += 1
        name = f"team{self._made}"
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as db:
            db.execute(f"create database {name} owner {OWNER}".encode())
        return self.url(OWNER, name), self.url(LOGIN, name)


@contextmanager
def running() -> Iterator[TeamServer]:
    """The server for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="clearway-team-", dir="/var/tmp"))  # where every account may enter
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [PROGRAMS / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        check=True, user=user, capture_output=True,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [PROGRAMS / "postgres", "-D", data, "-c", "listen_addresses=", "-k", folder, "-c", "max_connections=200"],
            user=user, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        assert wait_until(lambda: (folder / ".s.PGSQL.5432").exists() and _answers(folder), 30)
        yield TeamServer(folder)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@/postgres?host={folder}").close()
    except psycopg.Error:
        return False
    return True
