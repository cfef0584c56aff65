"""What an answer costs when many leases are held: 100, 1,000 and 10,000, beside a scan of the list of them.

Each question is one whole transaction of a participant (begin, the question with its lease, log entry and event, commit
to disk), as the API does it. The questions are a mix: packages and repositories that nobody looks at, some that others
do, networks that are free and some that are taken. What is given is given back, so that the number held stays.

The yardstick is what any act costs here that is acknowledged once it is durable: a transaction of the same participant
that inserts one row, writes its log entry, and commits. The two take turns, question by question, so that both meet the
same machine.

Beside it stands the same decision by the pure rules over a list in memory, lease by lease. It has no goal: it is a loop
over what one process happens to hold, with no database, no log, no lock and nothing kept, so that it can be quicker and
is no other way to do the same. It is done after the questions of its block, and not between two of them: ten thousand
records that are walked through leave nothing in the processor's caches for the question that comes next.
"""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks._measure import goal
from clearway import ledger
from clearway.access import audience, credential, organisation, person
from clearway.access.marking import Marking
from clearway.findings.lease import ask, control, hold, rule, whose
from clearway.findings.lease.ask import Answer, Asking
from clearway.findings.lease.blind import BlindKey
from clearway.findings.lease.scope import Target, parse
from clearway.records.clock import SystemClock
from clearway.records.principal import Membership, Principal
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.principal import Pool
from clearway.store.server import lease as server

SIZES = (100, 1_000, 10_000)
ORGS = 20
QUESTIONS, BLOCK = 400, 50
CLIENTS = 8
_SPACE = "10.0.0.0/8"


def run() -> dict[str, Any]:
    """The rows, and the goals of leases."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "home") as url:
        migrate(url)
        with Pool(url, size=CLIENTS + 2) as pool, connect(url, autocommit=True) as owner:
            world = World(pool, owner, BlindKey.of_home(Path(folder) / "home"))
            rows: list[dict[str, Any]] = []
            held = 0
            for size in SIZES:
                world.hold(held, size)
                held = size
                rows.append(_asked(world, size))
            rows += [_whose(world), _contending(world)]
    first, last = rows[0], rows[len(SIZES) - 1]
    whole = last["p50_ms"] / last["act_p50_ms"]
    growth = whole / (first["p50_ms"] / first["act_p50_ms"])
    return {
        "rows": rows,
        "goals": [
            goal("a question answered with 10,000 held, p99", 5, last["p99_ms"], "ms"),
            goal("growth of the median from 100 to 10,000 held, each to its yardstick", 2, growth, "times"),
            goal("the median with 10,000 held, to a row inserted, logged and committed", 3, whole, "times"),
            goal('"is this scan yours?" with 10,000 held, p99', 5, rows[len(SIZES)]["p99_ms"], "ms"),
        ],
    }  # fmt: skip


class World:
    """Participants, and the leases that they hold."""

    def __init__(self, pool: Pool, owner: psycopg.Connection[Any], key: BlindKey) -> None:
        self.pool, self.owner, self.key = pool, owner, key
        self.clock = SystemClock()
        self.held: list[rule.Held] = []
        organisation.add(owner, "house", "House", "clearinghouse")
        self.orgs = [organisation.add(owner, f"lab{n}", f"Lab {n}", "lab").org for n in range(ORGS)]
        self.auds = [audience.of(owner, Marking(tlp="AMBER+STRICT", org=org)) for org in self.orgs]
        who = person.add(owner, self.orgs[0], "Asker", ("finder",))
        self.secret = credential.make_session(owner, who.person, by="code", now=datetime.now(UTC)).key
        with pool.acting(self.secret) as db:
            row = db.execute("select clearway.whoami()::text").fetchone()
            assert row is not None
            self.of: Membership = msgspec.json.decode(row[0], type=Principal).memberships[0]
            proof = control.begin(db, key, self.of, _SPACE, "dns-txt")
        control.prove(owner, proof, datetime.now(UTC))
        owner.execute(
            """create table public.act (act bigint generated always as identity primary key, words text not null);
            grant insert on public.act to clearway_app"""
        )
        self.controls = [rule.Control(org="lab0", target=parse(_SPACE))]

    def hold(self, first: int, last: int) -> None:
        """Leases number `first` to `last`, held; half of packages, a quarter each of repositories and networks."""
        now = datetime.now(UTC)
        until = now + timedelta(days=2)
        leases, targets = [], []
        for n in range(first, last):
            target = parse(scope_of(n))
            activity: rule.Activity = "port" if target.live else "fuzzing"
            self.held.append(
                rule.Held(activity=activity, targets=(target,), starts=now, until=until, ends=until)
            )
            leases.append((n % (ORGS - 1) + 1, activity, target))
            targets.append(self.key.target(target))
        self.owner.execute("set synchronous_commit = off")  # only while the world is made
        with self.owner.cursor() as cursor:
            for (org, activity, target), hidden in zip(leases, targets, strict=True):
                cursor.execute(
                    """with made as (insert into clearway.lease (reference, org, aud, activity, exclusive, shared,
                        sealed, scope, starts, until, ends, ttl_s, fence)
                        values (%s, %s, %s, %s, %s, false, false, %s, %s, %s, %s, 900, 1) returning lease)
                    insert into clearway.lease_target (lease, n, root, net, path, live, exclusive, during)
                    select lease, 1, %s, %s::inet, %s, %s, %s, tstzrange(%s, %s) from made""",
                    (
                        hold.new_reference(), self.orgs[org], self.auds[org], activity, target.live, [target.text], now,
                        until, until, hidden.root, None if hidden.net is None else str(hidden.net), hidden.path,
                        target.live, target.live, now, until,
                    ),
                )  # fmt: skip
        self.owner.execute("set synchronous_commit = on")
        self.owner.execute("vacuum analyze clearway.lease, clearway.lease_target")
        gc.collect()
        gc.freeze()  # the list is the scan's: collecting garbage for a question need not walk through it

    def forget(self) -> None:
        """The participant has asked and been told nothing yet."""
        self.owner.execute("delete from clearway.lease_pace")
        self.owner.execute("delete from clearway.lease_told")

    def ask(self, text: str, activity: rule.Activity) -> ask.Answer:
        """One question, as one transaction."""
        with self.pool.acting(self.secret) as db:
            live = activity == "port"
            asked = Asking(activity=activity, scope=(text,), sources=("198.51.100.7",) if live else ())
            return ask.ask(db, self.key, self.of, asked, table=None, clock=self.clock)

    def bare(self) -> None:
        """One row with its log entry, as one transaction."""
        with self.pool.acting(self.secret) as db:
            db.execute("insert into public.act (words) values (%s)", ("go",))
            ledger.append(db, "lease.answered", "organisation/lab0", {"answer": "go"}, aud=self.auds[0])

    def release(self, answer: Answer) -> None:
        """Gives back what was given."""
        if answer.lease is not None:
            with self.pool.acting(self.secret) as db:
                hold.release(db, answer.lease.reference)

    def scan(self, target: Target, activity: rule.Activity) -> rule.Decision:
        """The same question of the list in memory."""
        now = datetime.now(UTC)
        until = now + timedelta(hours=4)
        return rule.decide(activity, (target,), now, until, self.held, self.controls, org="lab0", now=now)


def scope_of(n: int) -> str:
    """The scope of lease number `n`."""
    if n % 4 < 2:
        return f"pkg:pypi/package-{n}@1.{n}"
    if n % 4 == 2:
        return f"git+https://git.example.org/team{n % 97}/tool-{n}#src/part{n % 5}/**"
    return f"10.{n // 256 % 250}.{n % 256}.0/24"


def _question(draw: random.Random, size: int, overlaps: int) -> tuple[str, rule.Activity]:
    """A question; of the taken scopes only a few different ones, as an organisation is told of."""
    n = draw.randrange(overlaps) * 4 if draw.random() < 0.3 else size + draw.randrange(1_000_000)
    kind = draw.randrange(4)
    if kind < 2:
        return f"pkg:pypi/package-{n + kind}@2.0", "source-review"
    if kind == 2:
        return f"git+https://git.example.org/team{(n + 2) % 97}/tool-{n + 2}", "fuzzing"
    if n < size:
        return f"10.{(n + 3) // 256 % 250}.{(n + 3) % 256}.7", "port"
    return f"10.{250 + n % 5}.{draw.randrange(256)}.{draw.randrange(256)}", "port"


def _asked(world: World, size: int) -> dict[str, Any]:
    world.forget()
    draw = random.Random(size)  # noqa: S311  no secret: the same questions each time
    took, scanned, bare = [], [], []
    answers: dict[str, int] = {}
    for block in range(1 + QUESTIONS // BLOCK):
        asked = []
        for _ in range(BLOCK):
            text, activity = _question(draw, size, 20)
            begun = time.perf_counter()
            found = world.ask(text, activity)
            done = time.perf_counter() - begun
            world.release(found)
            begun = time.perf_counter()
            world.bare()
            alone = time.perf_counter() - begun
            asked.append((text, activity, found.answer))
            if block:  # connections and plans are made by then
                took.append(done)
                bare.append(alone)
                answers[found.answer] = answers.get(found.answer, 0) + 1
        for text, activity, answer in asked:
            target = parse(text)
            begun = time.perf_counter()
            same = world.scan(target, activity)
            scanned.append(time.perf_counter() - begun)
            if same.answer != answer:
                raise AssertionError(f"the list says {same.answer}, the database {answer} of {text}")
    least = _figures(bare)
    row = {
        "row": f"{size:,} leases held",
        **_figures(took),
        "scan_p50_ms": statistics.median(scanned) * 1_000,
        "act_p50_ms": least["p50_ms"],
        "act_p99_ms": least["p99_ms"],
    }
    return {**row, **{f"answered_{name}": count for name, count in sorted(answers.items())}}


def _whose(world: World) -> dict[str, Any]:
    world.forget()
    draw = random.Random(7)  # noqa: S311
    mine = world.ask("10.249.7.0/24", "port")
    took = []
    for n in range(QUESTIONS):
        target = (
            f"10.249.7.{draw.randrange(256)}"
            if n % 2
            else f"10.{draw.randrange(250)}.{draw.randrange(256)}.9"
        )
        source = "198.51.100.7" if n % 2 else "203.0.113.9"
        begun = time.perf_counter()
        with world.pool.acting(world.secret) as db:
            found = whose.whose(db, world.key, world.of, source, None, target, clock=world.clock)
        took.append(time.perf_counter() - begun)
        if (found.answer == "ours") != bool(n % 2):
            raise AssertionError(f"{found.answer} of {target}")
    world.release(mine)
    return {"row": '"is this scan yours?"', **_figures(took)}


def _contending(world: World) -> dict[str, Any]:
    """Clients that all want the same few networks: how many answers a second, grants and waits together."""
    world.forget()
    counted = [0] * CLIENTS
    stop = time.perf_counter() + 4

    def client(n: int) -> None:
        draw = random.Random(n)  # noqa: S311
        while time.perf_counter() < stop:
            found = world.ask(f"10.251.{draw.randrange(4)}.0/24", "port")
            world.release(found)
            counted[n] += 1

    _together([lambda n=n: client(n) for n in range(CLIENTS)])  # type: ignore[misc]
    return {"row": f"{CLIENTS} clients contending for 4 networks", "answers_per_s": sum(counted) / 4}


def _together(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _figures(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    return {
        "p50_ms": statistics.median(ordered) * 1_000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1_000,
    }
