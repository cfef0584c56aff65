"""kill -9 of the server, the worker and PostgreSQL while people write over HTTP.

What was acknowledged is there, what is there was asked for, every act has its entry, and the log verifies.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearway.store.connect import connect
from clearway.store.server import lease
from fleet_world import document
from people import Somebody
from served import PATIENCE_S, Served, assert_log_verifies, assert_no_corruption, eventually, serving

WRITERS = 4
WHAT = ("api", "worker", "postgresql")


class Writer(threading.Thread):
    """One client: keeps assets, says how exposed they are, uploads inventories.

    A patient one sends again with the same key until it is answered; an impatient one goes on with the next, and
    does not know what became of the last.
    """

    def __init__(self, served: Served, who: Somebody, number: int) -> None:
        super().__init__(daemon=True)
        self.served, self.who, self.number = served, who, number
        self.patient = number % 2 == 0
        self.end = threading.Event()
        self.tried: set[tuple[str, str]] = set()
        self.acked: dict[tuple[str, str], int] = {}
        self.surprises: list[str] = []
        self.failures = 0

    def run(self) -> None:
        n = 0
        with httpx.Client(
            base_url=self.served.url, headers={"authorization": f"Bearer {self.who.secret}"}, timeout=20
        ) as client:
            while not self.end.is_set():
                n += 1
                self._round(client, n)

    def _round(self, client: httpx.Client, n: int) -> None:
        name = f"machine-{self.number}-{n}"
        made = self._act(client, ("asset", name), "/api/v1/assets", json={"name": name})
        if made is None:
            return
        said = f"scan-{self.number}-{n}"
        path = f"/api/v1/assets/{made['id']}"
        self._act(client, ("said", said), f"{path}/exposure", json={"exposure": "public", "said_by": said})
        if n % 3 == 0:
            seen = document("pkg:pypi/django@4.1", f"pkg:pypi/only-{self.number}-{n}@1")
            self._act(client, ("inventory", said), f"{path}/inventories?witness={said}", content=seen)

    def _act(self, client: httpx.Client, what: tuple[str, str], path: str, **body: Any) -> Any:
        """The answer once it is acknowledged; None when this client gave up."""
        key = str(uuid.uuid4())
        self.tried.add(what)
        gives_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = client.post(path, headers={"idempotency-key": key}, **body)
            except httpx.TransportError:
                self.failures += 1
            else:
                if answer.status_code in (200, 201):
                    found = answer.json()
                    self.acked[what] = found.get("inventory", found.get("id", 0))
                    return found
                if answer.status_code != 503:
                    self.surprises.append(f"{what}: {answer.status_code} {answer.text[:300]}")
                    return None
                self.failures += 1
            if not self.patient or time.monotonic() > gives_up:
                return None
            time.sleep(0.05)


def assert_whole(url: str, writers: list[Writer]) -> int:
    """Compares what stands with what the clients know; returns how many writes were acknowledged."""
    tried = set[tuple[str, str]]().union(*(w.tried for w in writers))
    acked = {what: number for w in writers for what, number in w.acked.items()}
    with connect(url, autocommit=True) as db:
        assets = Counter((n, a) for n, a in db.execute("select name, asset from clearway.asset"))
        said = Counter(s for (s,) in db.execute("select said_by from clearway.asset_exposure"))
        seen = dict(db.execute("select witness, inventory from clearway.inventory").fetchall())
        logged: dict[str, Counter[str]] = {}
        for act, subject in db.execute("select act, subject from clearway.log_entry"):
            logged.setdefault(act, Counter())[subject] += 1
        subjects = Counter(
            f"asset/{a}"
            for (a,) in db.execute("select asset from clearway.asset_exposure where said_by ^@ 'scan-'")
        )
    names = {name for name, _ in assets}
    scans = {word for word in said if word.startswith("scan-")}
    numbers = {("asset", n): a for n, a in assets} | {("inventory", w): i for w, i in seen.items()}
    # What was told is what is there, however often it was asked for.
    assert {w: n for w, n in acked.items() if numbers.get(w, n) != n} == {}
    stands = {("asset", n) for n in names} | {("said", s) for s in scans} | {("inventory", w) for w in seen}
    assert set(acked) - stands == set(), "an acknowledged write is lost"
    assert stands - tried == set(), "something stands that no client asked for"
    # Each once, however often it was sent.
    assert max(assets.values(), default=1) == 1
    assert len(names) == len(assets)
    assert [s for s in scans if said[s] != 1] == []
    # Every act has its entry, and every entry its act.
    assert logged.get("asset.added", Counter()) == Counter(f"asset/{a}" for _, a in assets)
    assert logged.get("inventory.taken", Counter()) == Counter(f"inventory/{i}" for i in seen.values())
    assert logged.get("asset.exposed", Counter()) == subjects
    return len(acked)


def kill_and_look(
    home: Path, folder: Path, rounds: list[str], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)
    took: dict[str, list[float]] = {kind: [] for kind in WHAT}
    with lease(home) as url, serving(home, folder, url) as served:
        operators = served.prepare(WRITERS)
        served.start("api")
        served.start("worker")
        served.ready()
        writers = [Writer(served, who, n) for n, who in enumerate(operators)]
        for writer in writers:
            writer.start()
        try:
            for number, kind in enumerate(rounds):
                before = sum(len(w.acked) for w in writers)
                time.sleep(chance.uniform(0.1, 1.0))
                served.kill(kind)
                started = time.monotonic()
                if kind != "postgresql":
                    served.start(kind)
                served.ready()
                if kind == "worker":
                    eventually(served.takes_jobs, "the worker does not come back", served.said)
                took[kind].append(time.monotonic() - started)
                deadline = time.monotonic() + PATIENCE_S
                while sum(len(w.acked) for w in writers) <= before:
                    assert time.monotonic() < deadline, f"round {number}: nobody gets an answer after {kind}"
                    time.sleep(0.02)
        finally:
            for writer in writers:
                writer.end.set()
            for writer in writers:
                writer.join(PATIENCE_S + 30)
        assert [s for w in writers for s in w.surprises] == [], served.said()[-3000:]
        acked = assert_whole(url, writers)
        assert_log_verifies(url)
        assert_no_corruption(url)
        assert sum(w.failures for w in writers) > 0, "no kill was felt: the writers were not writing"
    with capsys.disabled():
        for kind, seconds in took.items():
            if seconds:
                print(
                    f"\n  ready again after {kind}: {max(seconds):.1f} s at most, {len(seconds)} kills",
                    end="",
                )
        print(f"\n  {acked} acknowledged writes, 0 lost, 0 phantom")
    assert acked > 10 * len(rounds)
    assert max(s for seconds in took.values() for s in seconds) < PATIENCE_S


def test_nothing_is_lost_or_made_up_when_server_worker_and_database_are_killed_under_writers(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kill_and_look(home, tmp_path, ["postgresql", "api", "worker"], 1, capsys)


@pytest.mark.slow
def test_nothing_is_lost_or_made_up_in_fifty_kills_at_random(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(14409)
    rounds = [*WHAT, *(chance.choice(WHAT) for _ in range(47))]
    kill_and_look(home, tmp_path, rounds, 14409, capsys)
