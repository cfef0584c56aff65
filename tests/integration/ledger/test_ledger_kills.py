"""kill -9 of PostgreSQL, of the sequencer and of writers: no acknowledged act is lost, none is made up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.ledger import append
from clearway.ledger import tree_store as tree
from clearway.ledger.checkpoint import Checkpoint
from clearway.ledger.sequencer import Following, integrate_all, signer_of
from clearway.ledger.stored import Stored
from clearway.ledger.verify import verify
from clearway.records.errors import ClearwayError
from clearway.store.connect import connect, translated
from clearway.store.server import lease, status
from intake_world import environment

Db = psycopg.Connection[Any]
WRITERS = 6
_FOLLOW = """
import sys, threading
from pathlib import Path
from clearway.ledger.sequencer import follow
print("following", flush=True)
follow(sys.argv[1], Path(sys.argv[2]), threading.Event())
"""
_WRITE_AND_HANG = """
import sys, time
from clearway.ledger import append
from clearway.store.connect import connect
with connect(sys.argv[1]) as db:
    db.execute("insert into public.act values (-1, 1)")
    append(db, "test.acted", "act/-1/1", aud=0)
    print("written", flush=True)
    time.sleep(60)
"""


def write_until_gone(url: str, writer: int, start: int, acknowledged: list[tuple[int, int]]) -> None:
    """One act after another, each in a transaction with its entry."""
    try:
        with translated(), connect(url, autocommit=True) as db:
            for n in range(start, start + 1_000_000):
                with db.transaction():
                    db.execute("insert into public.act values (%s, %s)", (writer, n))
                    append(db, "test.acted", f"act/{writer}/{n}", {"n": n}, aud=0)
                acknowledged.append((writer, n))
    except ClearwayError:
        return


def assert_whole(db: Db, home: Path, acknowledged: list[tuple[int, int]], killed: int) -> None:
    acts = {(writer, n) for writer, n in db.execute("select writer, n from public.act")}
    logged = [
        subject
        for (subject,) in db.execute("select subject from clearway.log_entry where act = 'test.acted'")
    ]
    assert set(acknowledged) <= acts, "an acknowledged act is lost"
    assert sorted(logged) == sorted(f"act/{writer}/{n}" for writer, n in acts), (
        "an act without its entry, or the reverse"
    )
    # An act may have been committed whose acknowledgement the kill swallowed: one a writer at most.
    assert len(acts) - len(acknowledged) <= killed
    integrate_all(db, signer_of(db, home))
    report = verify(Stored(db, whole=True))
    assert report.ok, report.reasons
    placed = db.execute(
        "select count(*) from clearway.log_leaf join clearway.log_entry using (entry) where act = 'test.acted'"
    ).fetchone()
    assert placed == (len(acts),), "each has one place"


def kill_postgresql(home: Path, rounds: int) -> None:
    acknowledged: list[tuple[int, int]] = []
    copies: list[Checkpoint] = []
    with lease(home) as url, connect(url) as db:
        db.execute("create table public.act (writer int, n int, primary key (writer, n))")
    chance = random.Random(14409)
    for number in range(rounds):
        with lease(home) as url, Following(url, home):
            writers = [
                threading.Thread(target=write_until_gone, args=(url, w, number * 1_000_000, acknowledged))
                for w in range(WRITERS)
            ]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.1, 0.4))
            os.kill(status(home).pid, signal.SIGKILL)
            for writer in writers:
                writer.join()
        with lease(home) as url, connect(url, autocommit=True) as db:
            assert_whole(db, home, acknowledged, WRITERS * (number + 1))
            # What was signed before a kill stands after it.
            assert all(tree.root(db, copy.size) == copy.root for copy in copies)
            newest = tree.newest(db)
            assert newest is not None
            copies.append(newest[0])
    assert len(acknowledged) > rounds


def test_no_act_is_lost_or_made_up_when_postgresql_is_killed_under_writers_and_sequencer(home: Path) -> None:
    kill_postgresql(home, 2)


@pytest.mark.slow
def test_no_act_is_lost_or_made_up_in_fifty_kills_of_postgresql(home: Path) -> None:
    kill_postgresql(home, 50)


def placed_any(url: str) -> bool:
    with connect(url, autocommit=True) as db:
        return db.execute("select from clearway.log_leaf limit 1").fetchone() is not None


def kill_sequencer(url: str, home: Path, rounds: int) -> None:
    acknowledged: list[tuple[int, int]] = []
    stop = threading.Event()
    with connect(url, autocommit=True) as db:
        db.execute("create table if not exists public.act (writer int, n int, primary key (writer, n))")

    def write(writer: int) -> None:
        with connect(url, autocommit=True) as db:
            n = 0
            while not stop.is_set():
                n += 1
                with db.transaction():
                    db.execute("insert into public.act values (%s, %s)", (writer, n))
                    append(db, "test.acted", f"act/{writer}/{n}", {"n": n}, aud=0)
                acknowledged.append((writer, n))
                time.sleep(0.002)

    writers = [threading.Thread(target=write, args=(w,)) for w in range(3)]
    for writer in writers:
        writer.start()
    chance = random.Random(14409)
    try:
        for _ in range(rounds):
            process = subprocess.Popen(
                [sys.executable, "-c", _FOLLOW, url, str(home)], stdout=subprocess.PIPE, env=environment()
            )
            assert process.stdout is not None
            process.stdout.readline()
            ends = time.monotonic() + 20
            while not placed_any(url) and time.monotonic() < ends:
                time.sleep(0.01)  # a busy machine: let the first one do something
            time.sleep(chance.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    with connect(url, autocommit=True) as db:
        before = db.execute("select size from clearway.log_state").fetchone()
        assert before is not None
        assert before[0] > 0, "the killed ones did some work"
        assert_whole(db, home, acknowledged, 0)


def test_the_log_verifies_when_the_sequencer_is_killed_at_any_moment(shared_url: str, tmp_path: Path) -> None:
    kill_sequencer(shared_url, tmp_path, 3)


@pytest.mark.slow
def test_the_log_verifies_after_fifty_kills_of_the_sequencer(server: str, tmp_path: Path) -> None:
    from intake_world import drop_database, new_database

    url = new_database(server, "made")
    kill_sequencer(url, tmp_path, 50)
    drop_database(server, url)


def test_an_act_whose_writer_is_killed_before_its_commit_has_not_happened(
    shared_url: str, tmp_path: Path
) -> None:
    with connect(shared_url, autocommit=True) as db:
        db.execute("create table if not exists public.act (writer int, n int, primary key (writer, n))")
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITE_AND_HANG, shared_url], stdout=subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        ends = time.monotonic() + 20
        while db.execute("select from pg_locks where relation = 'public.act'::regclass").fetchone():
            assert time.monotonic() < ends, "the server has not noticed that the writer is gone"
            time.sleep(0.02)
        assert db.execute("select count(*) from public.act where writer = -1").fetchone() == (0,)
        assert db.execute(
            "select count(*) from clearway.log_entry where subject = 'act/-1/1'"
        ).fetchone() == (0,)
