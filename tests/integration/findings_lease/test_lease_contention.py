"""Hundreds who want the same: nobody is ever there twice, whoever dies meanwhile."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from clearway.findings.lease import hold, tasks
from clearway.records.errors import ConflictError
from clearway.store.principal import Pool
from lease_house import NET, House, ask_in

TESTS = Path(__file__).resolve().parents[2]
# One client: asks, says so, and then hangs: before its transaction is committed, or after.
CLIENT = """
import sys, time
from pathlib import Path
from clearway.findings.lease.blind import BlindKey
from clearway.store.principal import Pool
from lease_house import ask_in
url, home, key, scope, when = sys.argv[1:]
with Pool(url, size=1) as pool:
    with pool.acting(key) as db:
        found = ask_in(db, BlindKey.of_home(Path(home)), scope, activity="port", ttl_s=2)
        if when == "before":
            print(found.answer, flush=True)
            time.sleep(60)
    print(found.answer, flush=True)
    time.sleep(60)
"""
# Of two leases that exclude each other and meet, the times at which both were held.
_TWICE = """select a.lease, b.lease from clearway.lease_target a join clearway.lease_target b
    on a.lease < b.lease and (a.net && b.net or a.span && b.span) and a.exclusive and b.exclusive
    join clearway.lease x on x.lease = a.lease join clearway.lease y on y.lease = b.lease
    where tstzrange(x.starts, least(x.released, x.ends)) && tstzrange(y.starts, least(y.released, y.ends))"""


def twice(house: House) -> list[tuple[int, int]]:
    with house.owner() as db:
        return db.execute(_TWICE).fetchall()


def test_two_hundred_clients_never_hold_one_host_twice(house: House) -> None:
    house.prove(house.finder, "10.0.0.0/16", authorised=["rival"])
    house.prove(house.finder, "*.example.org", authorised=["rival"])
    scopes = [
        "10.0.0.0/24",
        "10.0.0.0/25",
        "10.0.0.7",
        "10.0.0.200",
        "10.0.1.0/24",
        "*.example.org",
        "www.example.org",
    ]
    granted, failed = [], []

    def client(n: int) -> None:
        draw = random.Random(n)
        who = draw.choice([house.finder, house.rival])
        for _ in range(2):
            try:
                with pool.acting(who.key) as db:
                    wanted = draw.sample(scopes, 2)
                    found = ask_in(
                        db, house.blind, *wanted, activity=draw.choice(["port", "fuzzing", "authenticated"])
                    )
                if found.lease is not None:
                    granted.append(found.lease)
                    time.sleep(draw.random() / 50)
                    if draw.random() < 0.8:
                        with pool.acting(who.key) as db:
                            hold.release(db, found.lease.reference)
            except Exception as error:  # noqa: BLE001  told below
                failed.append(error)

    with Pool(house.people.url, size=12) as pool:
        threads = [threading.Thread(target=client, args=(n,)) for n in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert len(granted) >= 3
    assert twice(house) == []
    assert len({lease.fence for lease in granted}) == len(granted)
    by_time = sorted(granted, key=lambda lease: lease.starts)
    for first, second in pairwise(by_time):
        if set(first.scope) & set(second.scope):
            assert second.fence > first.fence


def test_the_database_itself_refuses_two_even_where_no_function_is_asked(house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.finder, NET)
    other = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    with psycopg.connect(house.people.url) as db, pytest.raises(psycopg.errors.ExclusionViolation):
        db.execute(
            """insert into clearway.lease_target (lease, n, root, net, live, exclusive, during)
            select o.lease, 9, t.root, t.net, true, true, t.during from clearway.lease_target t, clearway.lease o
            where t.lease = (select lease from clearway.lease where reference = %s) and o.reference = %s""",
            (lease.reference, other.reference),
        )


def start(house: House, when: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])}
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, house.people.url, str(house.home), house.finder.key, NET, when],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def kill(child: subprocess.Popen[str]) -> None:
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_a_client_that_is_killed_before_it_commits_holds_nothing(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    child = start(house, "before")
    try:
        assert first_line(child) == "go"
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(house.ask(house.rival, NET).answer))
        waiting.start()
        time.sleep(0.3)
        assert answers == []  # the root is locked: it is not known yet who comes first
    finally:
        kill(child)
    waiting.join(20)
    assert answers == ["go"]
    assert twice(house) == []


def test_a_client_that_is_killed_after_holds_until_its_end_and_no_longer(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    child = start(house, "after")
    try:
        assert first_line(child) == "go"
    finally:
        kill(child)
    assert house.ask(house.rival, NET).answer == "wait"
    end = time.monotonic() + 60
    while (answer := house.ask(house.rival, NET).answer) == "wait" and time.monotonic() < end:
        time.sleep(0.1)
    assert answer == "go"
    assert twice(house) == []


@pytest.mark.slow
def test_a_renewal_and_a_question_at_the_last_moment_do_not_both_win(house: House) -> None:
    """The holder renews in the instant in which its lease runs out, and another asks: one of them has it."""
    house.prove(house.finder, authorised=["rival"])
    for n in range(6):
        scope = f"192.0.2.{n}"
        lease = house.lease(house.finder, scope, ttl_s=1)
        answers: list[str] = []

        def renew(lease: hold.Lease = lease, answers: list[str] = answers) -> None:
            try:
                house.renew(house.finder, lease, 600)
                answers.append("renewed")
            except ConflictError:
                answers.append("over")

        def ask(scope: str = scope, answers: list[str] = answers) -> None:
            answers.append(house.ask(house.rival, scope).answer)

        time.sleep(max(0.0, lease.ends.timestamp() - time.time() - 0.004 + n * 0.0015))
        both = [threading.Thread(target=renew), threading.Thread(target=ask)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(answers) in (["go", "over"], ["renewed", "wait"], ["over", "wait"]), answers
    assert twice(house) == []


def test_the_sweep_leaves_alone_what_is_being_renewed(house: House) -> None:
    """Renewed in time and committed after the old end, with a sweep between: its scope is still its own."""
    house.prove(house.finder, authorised=["rival"])
    lease = house.lease(house.finder, NET, ttl_s=1)
    with house.acting(house.finder) as db:
        hold.renew(db, lease.reference, lease.fence, 600)
        time.sleep(max(0.0, lease.ends.timestamp() - time.time()) + 0.05)
        with house.owner() as owner:
            assert tasks.sweep(owner) == 0
    assert house.ask(house.rival, "192.0.2.7").answer == "wait"
    with house.owner() as owner:
        assert tasks.sweep(owner) == 0
    assert twice(house) == []


def test_what_was_freed_stays_over_when_the_clock_is_set_back(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    swept = house.lease(house.finder, "192.0.2.128/25", ttl_s=600)
    lease = house.lease(house.finder, "192.0.2.0/28", ttl_s=600)
    for one in (lease, swept):
        house.passes(one, 1)
    house.lease(house.rival, "192.0.2.1")
    with house.owner() as owner:
        assert tasks.sweep(owner) == 1
    for one in (lease, swept):  # an hour back
        house.passes(one, -1)
        with pytest.raises(ConflictError, match="over"):
            house.renew(house.finder, one)
        with house.acting(house.finder) as db:
            assert hold.one(db, one.reference).state == "over"


def test_a_lease_of_which_a_part_is_another_s_is_not_renewed(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    lease = house.lease(house.finder, "192.0.2.0/28", "192.0.2.64/28")
    with house.owner() as db:
        db.execute("update clearway.lease_target set held = false where n = 2")
    with pytest.raises(ConflictError, match="over"):
        house.renew(house.finder, lease)


def test_locks_are_taken_in_one_order_whatever_the_collation(house: House) -> None:
    """Where "100." sorts before "10." in one function and behind it in another, each waits for the other."""
    with house.owner() as db:
        locking = db.execute(
            r"""select proname, prosrc from pg_proc where pronamespace = 'clearway'::regnamespace
            and prosrc ~ 'advisory_xact_lock[(]hashtextextended[(][a-z.]+, 1815[)]'"""
        ).fetchall()
    assert {name for name, _ in locking} == {"lease_lock", "lease_sweep"}
    for name, source in locking:
        assert re.search(r'for r in select distinct [a-z.]+ collate "C" .* order by 1 loop', source), name
