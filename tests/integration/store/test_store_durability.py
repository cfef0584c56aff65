"""Acknowledged means durable: what a client was told is committed is there after a kill."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from clearway.records.errors import ClearwayError
from clearway.store.connect import connect, translated
from clearway.store.server import lease, status

WRITERS = 8


def write_until_gone(url: str, writer: int, start: int, acknowledged: list[tuple[int, int]]) -> None:
    try:
        with translated(), connect(url, autocommit=True) as connection:
            for number in range(start, start + 1_000_000):
                connection.execute("insert into public.acked values (%s, %s)", (writer, number))
                acknowledged.append((writer, number))
    except ClearwayError:
        return


def kill_rounds(home: Path, rounds: int) -> None:
    acknowledged: list[tuple[int, int]] = []
    with lease(home) as url, connect(url) as connection:
        connection.execute("create table public.acked (writer int, n int, primary key (writer, n))")
    chance = random.Random(14409)
    for number in range(rounds):
        with lease(home) as url:
            writers = [
                threading.Thread(target=write_until_gone, args=(url, w, number * 1_000_000, acknowledged))
                for w in range(WRITERS)
            ]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 0.3))
            os.kill(status(home).pid, signal.SIGKILL)
            for writer in writers:
                writer.join()
        with lease(home) as url, connect(url) as connection:
            found = set(connection.execute("select writer, n from public.acked"))
            assert set(acknowledged) <= found, "an acknowledged row is lost"
            # A row may have been committed whose acknowledgement the kill swallowed: one a writer at most.
            assert len(found) - len(acknowledged) <= WRITERS * (number + 1)
            connection.execute("create extension if not exists amcheck")
            connection.execute("select bt_index_check('public.acked_pkey', true)")
    assert len(acknowledged) > rounds


def test_no_acknowledged_row_is_lost_when_the_server_is_killed_under_eight_writers(home: Path) -> None:
    kill_rounds(home, 3)


@pytest.mark.slow
def test_no_acknowledged_row_is_lost_in_fifty_kills(home: Path) -> None:
    kill_rounds(home, 50)
