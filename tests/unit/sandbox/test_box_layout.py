"""What a box is made of, and what is said when none can be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearway.records.errors import ConfigError
from clearway.sandbox import layout, need
from clearway.sandbox.choose import backend


def test_a_system_with_merged_folders_is_linked_and_one_without_is_bound(tmp_path):
    for name in ("usr/bin", "lib64", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "etc" / "ld.so.cache").touch()
    (tmp_path / "proc").mkdir()
    for name in ("cmdline", "cpuinfo"):
        (tmp_path / "proc" / name).touch()
    found = layout.host(tmp_path)
    assert found.links == (("/bin", "usr/bin"),)
    assert found.folders == ("/usr", "/lib64")
    assert found.etc == ("ld.so.cache",)
    numbers = layout.Numbers(4)
    assert layout.masks(numbers, found, 77) == ["--ro-bind-data", "4", "/proc/cmdline"]
    assert numbers.fds == [77]


def test_nothing_of_the_host_is_writable_in_the_arguments():
    words = layout.system(layout.host())
    assert "--bind" not in words
    assert {w for w in words if w.startswith("--")} <= {"--ro-bind", "--symlink", "--proc", "--dev-bind"}
    devices = [words[i + 1] for i, w in enumerate(words) if w == "--dev-bind"]
    assert sorted(devices) == ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"]


def test_every_namespace_is_left_and_no_further_one_can_be_made():
    words = layout.namespaces()
    for name in ("user", "ipc", "pid", "net", "uts"):
        assert f"--unshare-{name}" in words
    for word in ("--disable-userns", "--die-with-parent", "--new-session"):
        assert word in words


def test_every_writable_place_has_a_size():
    words = layout.writable(7)
    assert words.count("--size") == words.count("--tmpfs") == 3
    assert words[-4:] == ["--size", str(7 << 20), "--tmpfs", "/work"]


def test_a_bind_by_descriptor_names_no_path_of_the_host():
    numbers = layout.Numbers(4)
    found = layout.Host((), (), (), bind_by_descriptor=True)
    assert layout.binds(numbers, found, [(99, "/home/secret", "/src")]) == ["--ro-bind-fd", "4", "/src"]
    assert numbers.fds == [99]
    assert layout.binds(numbers, found, [(98, "/home/secret", "/src")], "/tmp") == [
        "--ro-bind",
        "/tmp/0",
        "/src",
    ]


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("bwrap: No permissions to create a new namespace", "user"),
        ("bwrap: setting up uid map: Permission denied", "user"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "masked /proc"),
        ("bwrap: Creating new namespace failed: No space left on device", "fewer at a time"),
        ("", "bubblewrap said nothing"),
    ],
)
def test_what_bubblewrap_says_becomes_what_to_do(said, cure):
    assert cure in str(need.refused(said))


def test_a_missing_bubblewrap_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"bubblewrap is missing.*apt-get install bubblewrap"):
        need.bubblewrap()


def test_a_bubblewrap_that_is_too_old_is_named(tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_text('#!/bin/sh\necho "bubblewrap 0.4.1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"0\.4\.1 is too old"):
        need.bubblewrap()


@pytest.mark.parametrize(
    ("uid_map", "count"),
    [
        ("0 0 4294967295\n", 1 << 16),
        ("0 1000 1\n1 100000 65536\n", 32767),
        ("0 1000 1\n", 0),
    ],
    ids=["the whole machine", "a container with a range", "a container with one user"],
)
def test_boxes_have_user_numbers_that_no_account_has(uid_map, count, monkeypatch):
    monkeypatch.setattr(need.os, "geteuid", lambda: 0)
    found = need.users(uid_map)
    assert found.count == count
    spans = [tuple(map(int, line.split())) for line in uid_map.splitlines()]
    assert not count or any(
        first < found.first and found.first + found.count <= first + n for first, _, n in spans
    )


def test_an_unknown_backend_is_refused():
    with pytest.raises(ConfigError, match='"bubblewrap" or "oci"'):
        backend("docker; rm")


def test_the_keeper_needs_nothing_but_the_standard_library():
    import ast
    import sys

    source = Path(layout.__file__).with_name("keeper.py").read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert all(name.name in sys.stdlib_module_names for name in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.module in {"__future__", "typing"}


def test_the_public_names_are_these():
    import clearway.sandbox as room

    assert set(room.__all__) == {
        *("backend", "Backend", "Run", "Bind", "Limits", "Outcome", "Enforcement"),
        *("range_of", "Range", "Box", "Segment"),
    }
