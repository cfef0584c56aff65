"""A pool meets a server that was away as soon as it is back, whoever waits for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from clearway.records.errors import UpstreamError
from clearway.store import principal, processes
from clearway.store.principal import PUBLIC, Pool
from clearway.store.server import lease, status


@pytest.mark.slow
def test_who_waits_while_the_server_is_away_is_served_when_it_is_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package would try after 1, 3 and 7 s: the client here has given up by then."""
    monkeypatch.setattr(principal, "_WAIT_S", 6.0)
    answers: list[object] = []
    with lease(home) as url, Pool(url, size=3) as pool:

        def ask() -> None:
            try:
                with pool.acting(PUBLIC) as db:
                    answers.append(db.execute("select clearway.me()").fetchone())
            except UpstreamError as error:
                answers.append(error)

        inside = threading.Barrier(4)

        def fill() -> None:
            with pool.acting(PUBLIC):
                inside.wait(20)

        several = [threading.Thread(target=fill) for _ in range(3)]
        for thread in several:
            thread.start()
        inside.wait(20)
        for thread in several:
            thread.join(20)
        there = status(home)
        os.kill(there.pid, signal.SIGKILL)
        # What a backend still answers, or breaks off as its server dies, is nobody's waiting.
        assert processes.wait_until(lambda: not processes.of_cluster(Path(there.data)), 20)
        # The first finds three dead connections and waits for a fourth; the second comes while that is tried.
        waiting = [threading.Thread(target=ask) for _ in range(2)]
        for thread in waiting:
            thread.start()
        time.sleep(3.2)
        with lease(home):
            for thread in waiting:
                thread.join(20)
    assert answers == [(-1,), (-1,)]


def test_nobody_waits_for_ever_for_a_server_that_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principal, "_WAIT_S", 0.7)
    with Pool(f"postgresql://clearway@/clearway?host={tmp_path}") as pool:
        for _ in range(2):
            with pytest.raises(UpstreamError, match="in time"), pool.acting(PUBLIC):
                raise AssertionError
    assert threading.active_count() < 20
