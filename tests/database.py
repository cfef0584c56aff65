"""Fixtures for tests that need a database each: one server for the session, one copied database for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from clearway.store import place, processes
from clearway.store.closing import CLOSE
from clearway.store.cluster import DATABASE
from clearway.store.migrate import migrate
from clearway.store.server import URL_VARIABLE, lease
from intake_world import World, drop_database, new_database, with_database

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
_server: Iterator[str] | None = None
_url, _users = "", 0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server whose database `made` has the tables and nothing in them.

    Each folder that imports this has a fixture of its own; the server is one for all of them in a process.
    """
    global _server, _url, _users
    os.environ.pop(URL_VARIABLE, None)
    if _server is None:
        _server = _run(tmp_path_factory)
        _url = next(_server)
    _users += 1
    yield _url
    _users -= 1
    if not _users:
        ending, _server = _server, None
        next(ending, None)


def _run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with copied(_made_home(tmp_path_factory), tmp_path_factory) as home:
        # Nothing here outlives the session; what must is tested with servers of its own.
        (home / "postgres" / "data" / "local.conf").write_text(
            "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
            "min_wal_size = 32MB\nmax_wal_size = 128MB\nshared_buffers = 128MB\n"
        )
        with lease(home) as url:
            with psycopg.connect(with_database(url, "postgres"), autocommit=True) as db:
                db.execute(f"create database made template {DATABASE} strategy file_copy".encode())
            with psycopg.connect(with_database(url, "made"), autocommit=True) as db:
                db.execute(CLOSE)  # a copy has no privileges of the database itself
            yield url


def _made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty database, stopped, to be copied: one for all processes of a run."""
    os.environ.pop(URL_VARIABLE, None)
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    home, done = folder / "made" / "home", folder / "made" / "done"
    home.parent.mkdir(exist_ok=True)
    with (folder / "made" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(home, ignore_errors=True)
            with lease(home) as url:
                migrate(url)
            done.touch()
    return home


@contextmanager
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is room for it, and one of the disk elsewhere."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        with TemporaryDirectory(dir=_MEMORY, prefix="clearway-tests-") as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("server")


@pytest.fixture
def new_world(server: str, tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Makes worlds without any record."""
    urls: list[str] = []

    def make() -> World:
        urls.append(new_database(server, "made"))
        return World(urls[-1], tmp_path / f"home{len(urls)}")

    yield make
    for url in urls:
        drop_database(server, url)


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    return new_world()


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made_home(tmp_path_factory)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, made_home: Path) -> Iterator[Path]:
    """A home with an empty database of its own, stopped; whatever serves it at the end of the test is ended."""
    with copied(made_home, tmp_path_factory) as folder:
        yield folder


@pytest.fixture
def running_home(tmp_path_factory: pytest.TempPathFactory, made_home: Path) -> Iterator[Path]:
    """As `home`, but its database runs: for tests of many commands, each of which would start and end it.

    `from database import running_home as home` in a file of such tests.
    """
    with copied(made_home, tmp_path_factory) as folder, lease(folder):
        yield folder


@contextmanager
def copied(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of a home that is stopped."""
    with in_memory(tmp_path_factory) as folder:
        home = folder / "home"
        subprocess.run(["cp", "-a", str(made), str(home)], check=True)
        try:
            yield home
        finally:
            data = home / "postgres" / "data"
            if data.exists():
                processes.stop(data, 5)
                place.make(home).remove_socket_dir()
