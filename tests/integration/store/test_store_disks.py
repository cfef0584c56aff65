"""A home on a disk that is full or read-only: real file systems, mounted for the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearway.records.errors import ClearwayError, ConfigError, UpstreamError
from clearway.store.connect import connect, translated
from clearway.store.server import lease

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mounts a small file system in memory with the given size."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"can't mount here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_too_small_for_a_database_is_named_and_nothing_half_made_is_left(disk: Disk) -> None:
    home = disk("20m") / "home"
    with pytest.raises(UpstreamError, match="no space left on the disk") as caught, lease(home):
        pass
    assert str(home) in str(caught.value)
    assert "free some space" in str(caught.value)
    assert {path.name for path in (home / "postgres").iterdir()} <= {
        "log",
        "start.lock",
        "use.lock",
        "server.lock",
    }


def test_a_disk_that_fills_up_ends_the_command_and_loses_nothing(disk: Disk) -> None:
    folder = disk("100m")
    home = folder / "home"
    with lease(home) as url, connect(url) as connection:
        connection.execute("create table public.kept (n int)")
        connection.execute("insert into public.kept values (1)")
    with pytest.raises(UpstreamError) as caught, lease(home) as url:  # noqa: PT012
        (folder / "ballast").write_bytes(b"\1" * (os.statvfs(folder).f_bavail * 4096 - 4_000_000))
        with translated(), connect(url) as connection:
            connection.execute(
                "create table public.big as "
                "select i, repeat(md5(i::text), 20) from generate_series(1, 100000) i"
            )
    assert "free some space" in str(caught.value) or "see that the server is up" in str(caught.value)
    (folder / "ballast").unlink()
    with lease(home) as url, connect(url) as connection:
        assert connection.execute("select n from public.kept").fetchall() == [(1,)]


def test_a_start_on_a_full_disk_says_that_it_is_full(disk: Disk) -> None:
    folder = disk("80m")
    home = folder / "home"
    with lease(home):
        pass
    (folder / "ballast").write_bytes(b"\1" * (os.statvfs(folder).f_bavail * 4096))
    with pytest.raises(ClearwayError, match="no space left on the disk"), lease(home):
        pass


def test_a_read_only_home_is_named_with_the_way_out(disk: Disk) -> None:
    folder = disk("80m")
    with lease(folder / "home"):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    for home in (folder / "home", folder / "new"):
        with pytest.raises(ConfigError, match="read-only") as caught, lease(home):
            pass
        assert str(home) in str(caught.value)
        assert "--home" in str(caught.value)
