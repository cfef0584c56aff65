"""The text of the server's configuration files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clearway.records.errors import ConfigError
from clearway.store import memory, place, settings


def test_values_are_quoted_as_postgresql_reads_them() -> None:
    text = settings.render({"a": "it's", "b": "back\\slash", "c": '"/x, y"'})
    assert text.splitlines()[1:] == ["a = 'it''s'", "b = 'back\\\\slash'", "c = '\"/x, y\"'"]


def test_accounts_are_quoted_and_nobody_is_trusted() -> None:
    assert settings.ident(['o"dd', "root"], ["clearway"]) == (
        'clearway "o""dd" clearway\nclearway "root" clearway\n'
    )
    assert settings.hba() == "local all all peer map=clearway\n"


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_nothing_trades_durability_for_speed(name: str) -> None:
    assert settings.SETTINGS[name] == "on"


@pytest.mark.parametrize(
    ("mib", "shared", "cached"),
    [
        (None, "192MB", "512MB"),
        (1_024, "192MB", "512MB"),
        (24_576, "3072MB", "12288MB"),
        (1 << 20, "8192MB", "524288MB"),
    ],
)
def test_the_servers_cache_follows_the_machines_memory(mib: int | None, shared: str, cached: str) -> None:
    found = settings.sized(None if mib is None else mib << 20)
    assert found == {"shared_buffers": shared, "effective_cache_size": cached}


@pytest.mark.parametrize("bound", ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"])
def test_a_containers_bound_counts_before_the_machines_memory(tmp_path: Path, bound: str) -> None:
    machine = memory.total(tmp_path)
    assert machine is not None
    path = tmp_path / bound
    path.parent.mkdir(parents=True)
    for text, expected in (
        ("268435456\n", 268_435_456),
        ("max\n", machine),
        ("9223372036854771712\n", machine),
    ):
        path.write_text(text)
        assert memory.total(tmp_path) == expected


def test_the_server_listens_to_no_network() -> None:
    assert settings.SETTINGS["listen_addresses"] == ""


def test_making_a_place_twice_gives_the_same_one(tmp_path: Path) -> None:
    assert place.find(tmp_path / "home") is None
    assert place.make(tmp_path / "home") == place.make(tmp_path / "home") == place.find(tmp_path / "home")


def test_the_socket_path_fits_whatever_the_home_is_called(tmp_path: Path) -> None:
    for name in ("short", "x" * 150, "a,b", "tab\there"):
        socket = place.make(tmp_path / name).socket_dir() / ".s.PGSQL.5432"
        assert len(os.fsencode(socket)) <= 103
        assert str(socket).isprintable()
        assert "," not in str(socket)


def test_two_homes_have_two_sockets(tmp_path: Path) -> None:
    assert place.make(tmp_path / "a").socket_dir() != place.make(tmp_path / "b").socket_dir()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    place.write_whole(tmp_path / "file", b"new", os.geteuid())
    assert (tmp_path / "file").read_text() == "new"
    with pytest.raises(TypeError):
        place.write_whole(tmp_path / "file", "text", os.geteuid())  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_home_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--home"):
        place.make(tmp_path / "file" / "home")
