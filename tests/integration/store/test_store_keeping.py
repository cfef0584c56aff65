"""A server that is killed under a process that uses it is there again within seconds."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from clearway.records.errors import ClearwayError
from clearway.store.connect import connect
from clearway.store.keeping import kept_running
from clearway.store.server import URL_VARIABLE, lease, status


def works(url: str) -> bool:
    try:
        with connect(url, autocommit=True) as db:
            return db.execute("select 1").fetchone() == (1,)
    except ClearwayError:
        return False


def test_a_killed_server_is_started_again_and_has_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    home = tmp_path / "home"
    with lease(home) as url, kept_running(home):
        for n in range(3):
            with connect(url, autocommit=True) as db:
                db.execute("create table if not exists public.kept (n int)")
                db.execute("insert into public.kept values (%s)", (n,))
            os.kill(status(home).pid, signal.SIGKILL)
            begun = time.monotonic()
            while not works(url):
                assert time.monotonic() - begun < 60
                time.sleep(0.02)
            with connect(url, autocommit=True) as db:
                assert db.execute("select count(*) from public.kept").fetchone() == (n + 1,)
    # Of a start that takes long it may be said before that it does not start.
    told = capsys.readouterr().err
    assert "started again" in told
    assert told.count("clearway: the database") >= 3
    assert not status(home).running


def test_the_end_of_the_lease_is_not_taken_for_a_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    home = tmp_path / "home"
    with lease(home), kept_running(home):
        pass
    assert capsys.readouterr().err == ""
    assert not status(home).running
