"""What is handed back from a folder that a hostile program filled."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.sandbox import keep

letters = st.text(alphabet=string.ascii_lowercase + "*?[]!/.-", min_size=1, max_size=30)


@pytest.fixture
def folder(tmp_path: Path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield tmp_path, fd
    os.close(fd)


def test_files_come_back_by_name_by_folder_and_by_pattern(folder):
    place, fd = folder
    (place / "out" / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.log", "out/c.txt", "out/deep/d.txt"):
        (place / name).write_text(name)
    assert set(keep.hand_back(fd, ("a.txt",), 1000).files) == {"a.txt"}
    assert set(keep.hand_back(fd, ("out/",), 1000).files) == {"out/c.txt", "out/deep/d.txt"}
    assert set(keep.hand_back(fd, ("*.txt",), 1000).files) == {"a.txt", "out/c.txt", "out/deep/d.txt"}
    assert keep.hand_back(fd, ("b.log",), 1000).files == {"b.log": b"b.log"}


def test_no_link_is_followed_at_any_step(folder, tmp_path_factory):
    place, fd = folder
    secret = tmp_path_factory.mktemp("secret")
    (secret / "file").write_text("secret")
    (place / "dir").symlink_to(secret)
    (place / "file").symlink_to(secret / "file")
    kept = keep.hand_back(fd, ("dir/file", "file", "dir/", "*"), 1000)
    assert kept.files == {}
    assert len(kept.unkept) >= 3


def test_sizes_are_bounded_together_and_a_hole_counts_in_full(folder):
    place, fd = folder
    (place / "a").write_bytes(b"x" * 600)
    (place / "b").write_bytes(b"x" * 600)
    with (place / "hole").open("wb") as file:
        file.truncate(1 << 40)
    kept = keep.hand_back(fd, ("a", "b", "hole"), 1000)
    assert set(kept.files) == {"a"}
    assert [line.split(":")[0] for line in kept.unkept] == ["b", "hole"]


def test_what_lies_elsewhere_hides_nothing_of_a_folder(folder):
    place, fd = folder
    for name in ("found", "many", "link"):
        (place / name).mkdir()
    for n in range(keep.MAX_ENTRIES + 10):
        (place / "many" / f"{n}").touch()
    (place / "found" / "crash-1").write_text("1")
    (place / "other").symlink_to("found")
    kept = keep.hand_back(fd, ("found/*", "other/*", "none/x*"), 1000)
    assert (kept.files, kept.unkept) == ({"found/crash-1": b"1"}, ())
    assert (
        keep.hand_back(fd, ("f*", "many/1*"), 1000)
        .unkept[-1]
        .startswith(f"many/: more than {keep.MAX_ENTRIES}")
    )


def test_a_place_is_looked_at_itself_and_behind_no_link(folder, tmp_path_factory):
    place, fd = folder
    other = tmp_path_factory.mktemp("other")
    (other / "file").touch()
    (place / "deep").mkdir()
    for n in range(keep.MAX_STRAY + 100):
        (place / f"n{n}").touch()
    (place / "deep" / "file").touch()
    (place / "dangling").symlink_to("/nowhere")
    (place / "dir").symlink_to(other)
    os.mkfifo(place / "pipe")
    told = {
        name: keep.is_there(fd, name)
        for name in ("deep/file", "deep", "deep/no", "no/file", "n1/file", "dangling", "dir/file", "pipe")
    }
    assert told == {
        "deep/file": True,
        "deep": False,  # a folder is no file
        "deep/no": False,
        "no/file": False,
        "n1/file": False,
        "dangling": True,
        "dir/file": None,  # what lies behind a link is not told
        "pipe": True,
    }


def test_a_pipe_does_not_make_us_wait(folder):
    place, fd = folder
    os.mkfifo(place / "pipe")
    assert keep.hand_back(fd, ("pipe", "*"), 10).unkept == ("pipe: a pipe", "pipe: a pipe")


def test_very_many_names_and_very_deep_folders_are_cut(folder, monkeypatch):
    place, fd = folder
    monkeypatch.setattr(keep, "MAX_ENTRIES", 50)
    for number in range(80):
        (place / f"f{number}").touch()
    kept = keep.hand_back(fd, ("*",), 1000)
    assert len(kept.files) == 50
    assert "the rest was not looked at" in kept.unkept[-1]
    assert len(keep.names([("/tmp", fd)])) <= 51


def test_descriptors_are_closed_whatever_is_found(folder):
    place, fd = folder
    (place / "a" / "b").mkdir(parents=True)
    (place / "a" / "link").symlink_to("b")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        keep.hand_back(fd, ("a/", "a/link/x", "none/none", "*", "a"), 10)
        keep.names([("/tmp", fd)])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@settings(max_examples=60)
@given(st.lists(letters, max_size=5))
def test_no_pattern_reaches_outside(patterns):
    fd = os.open("/etc/alternatives" if Path("/etc/alternatives").is_dir() else "/etc", os.O_RDONLY)
    try:
        kept = keep.hand_back(fd, [p for p in patterns if ".." not in p and not p.startswith("/")], 10_000)
    finally:
        os.close(fd)
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in kept.files)
