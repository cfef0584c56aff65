"""What the machine complains about, as errors that name place and cure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from clearway.records.errors import ClearwayError, ConfigError, UpstreamError
from clearway.store import failures


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        pytest.param(errno.ENOSPC, UpstreamError, "no space left", id="a full disk"),
        pytest.param(errno.EDQUOT, UpstreamError, "no space left", id="a quota that is used up"),
        pytest.param(errno.EROFS, ConfigError, "read-only", id="a read-only disk"),
        pytest.param(errno.EACCES, ConfigError, "access refused", id="a folder that is closed to us"),
        pytest.param(errno.ENOTDIR, ConfigError, "not a directory", id="a file where a folder should be"),
        pytest.param(errno.ENOLCK, ConfigError, "can't lock files", id="a network disk without locks"),
        pytest.param(errno.EIO, UpstreamError, "input/output error", id="a failing disk"),
    ],
)
def test_an_os_error_becomes_one_of_ours(number: int, kind: type[ClearwayError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught, failures.at(Path("/some/home")):
        raise OSError(number, os.strerror(number))
    assert caught.value.where == "/some/home"
    assert caught.value.mend


@pytest.mark.parametrize(
    ("said", "kind", "says"),
    [
        pytest.param(
            "LOG:  starting\nFATAL:  could not write lock file: No space left on device\n",
            UpstreamError,
            "no space left on the disk",
            id="a full disk",
        ),
        pytest.param(
            "initdb: error: could not create directory: Read-only file system",
            ConfigError,
            "read-only",
            id="a read-only disk",
        ),
        pytest.param(
            "FATAL:  database files are incompatible with server\n",
            ConfigError,
            "dump it with the older release",
            id="another release's files",
        ),
        pytest.param(
            "FATAL:  could not map anonymous shared memory: Cannot allocate memory",
            UpstreamError,
            "too little memory",
            id="too little memory",
        ),
        pytest.param(
            "2026-01-01 LOG:  one\n2026-01-01 FATAL:  two\n2026-01-01 LOG:  shut down\n",
            UpstreamError,
            "did not start: two",
            id="anything else quotes the fatal line",
        ),
        pytest.param("", UpstreamError, "no reason given", id="silence"),
    ],
)
def test_what_the_server_said_becomes_one_of_ours(said: str, kind: type[ClearwayError], says: str) -> None:
    error = failures.from_server(said, Path("/some/log"))
    assert type(error) is kind
    assert says in str(error)
    assert error.where == "/some/log"


def test_the_end_of_a_long_log_is_read_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert failures.log_tail(log) == ""
    log.write_bytes(b"old\n" + b"x" * 100_000 + b"\nFATAL:  \xff new\n")
    tail = failures.log_tail(log)
    assert "old" not in tail
    assert tail.endswith("� new\n")


def test_an_account_without_a_name_is_shown_by_its_number() -> None:
    assert failures.user_name(0) == "root"
    assert failures.user_name(3_999_999_999) == "user 3999999999"
