"""A new file that its owner alone reads: whole or not there, and over nothing."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from clearway.records.errors import ConflictError, UsageError
from clearway.store.private_file import PrivateFile


def test_it_is_there_once_it_is_published_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "made"
    (tmp_path / ".made.unfinished").write_text("left by one that was killed")
    umask = os.umask(0)
    try:
        with PrivateFile(path, what="copy") as new:
            new.file.write(b"whole")
            assert not path.exists()
            new.sync()
            new.publish()
    finally:
        os.umask(umask)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"whole", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_one_that_is_not_published(tmp_path: Path) -> None:
    with PrivateFile(tmp_path / "made", what="copy") as new:
        new.file.write(b"half")
    assert list(tmp_path.iterdir()) == []


def test_what_has_its_name_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with PrivateFile(path, what="copy") as new:
        path.write_text("came meanwhile")
        with pytest.raises(UsageError, match="of that name"):
            new.publish()
    with pytest.raises(UsageError, match="of that name"), PrivateFile(path, what="copy"):
        pass
    assert path.read_text() == "came meanwhile"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="no such folder"), PrivateFile(path / "under", what="copy"):
        pass


def test_another_that_is_being_written_is_neither_emptied_nor_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "made"
    with PrivateFile(path, what="copy") as first:
        first.file.write(b"first")
        with pytest.raises(ConflictError, match="another copy"), PrivateFile(path, what="copy"):
            pass
        first.sync()
        first.publish()
    assert path.read_bytes() == b"first"


def test_one_that_got_its_name_while_another_waited_to_begin_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made"
    first = PrivateFile(path, what="copy")
    first.__enter__()
    first.file.write(b"first")
    lock = fcntl.flock

    def late(fd: int, how: int) -> Any:
        monkeypatch.undo()
        first.sync()
        first.publish()
        first.__exit__()
        return lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ConflictError, match="another copy"), PrivateFile(path, what="copy"):
        pass
    assert path.read_bytes() == b"first"
