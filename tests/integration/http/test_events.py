"""Events: nothing is missed whatever commits when, and each reader is shown its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import manners_app
from clearway.access import restored
from clearway.http.sse import Manners as Bounds
from clearway.records.errors import ForbiddenError
from clearway.store import events
from clearway.store.connect import connect
from intake_world import World
from manners_world import Manners, manners_of
from people import People


class Follower:
    """One client of the live events, on a thread: what it was sent, block by block."""

    def __init__(self, manners: Manners, secret: str, *, after: str = "", query: str = "") -> None:
        self.blocks: list[dict[str, str]] = []
        self.status = 0
        self.ended = threading.Event()
        self.connection = http.client.HTTPConnection("127.0.0.1", manners.live.port, timeout=30)
        headers = {"authorization": f"Bearer {secret}", **({"last-event-id": after} if after else {})}
        self.connection.request("GET", f"/api/v1/events/live{query}", headers=headers)
        self.line = self.connection.sock
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        block: dict[str, str] = {}
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if line == b"\n":
                    self.blocks.append(block)
                    block = {}
                elif name:
                    block[name] = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self.ended.set()

    @property
    def names(self) -> list[str]:
        return [
            json.loads(b["data"])["body"]["name"] for b in self.blocks if "data" in b and "event" not in b
        ]

    @property
    def last(self) -> str:
        return next(b["id"] for b in reversed(self.blocks) if "id" in b)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.connection.close()


def until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.01)
    return holds()


@pytest.fixture(scope="module")
def quick(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manners]:
    settings = manners_app.Settings(manners=Bounds(heartbeat_s=0.3, slow_s=1.0, of_principal=3))
    yield from manners_of(server, tmp_path_factory.mktemp("events") / "log", settings)


def test_a_client_is_shown_what_happens_and_only_what_it_may_see(quick: Manners) -> None:
    mine, theirs = Follower(quick, quick.me.secret), Follower(quick, quick.other.secret)
    names = [f"seen {n}" for n in range(5)]
    for name in names:
        quick.add(name)
    assert until(lambda: mine.names == names)
    assert until(lambda: len(theirs.blocks) > 2)
    assert theirs.names == []
    event = json.loads(next(b["data"] for b in mine.blocks if "data" in b))
    assert set(event) == {"id", "kind", "subject", "org", "at", "body"}
    assert not any("seen" in json.dumps(b) for b in theirs.blocks)
    mine.close()
    theirs.close()


def test_who_comes_back_goes_on_where_it_was(quick: Manners) -> None:
    first = Follower(quick, quick.me.secret)
    quick.add("before")
    assert until(lambda: first.names == ["before"])
    last = first.last
    first.close()
    for n in range(3):
        quick.add(f"meanwhile {n}")
    again = Follower(quick, quick.me.secret, after=last)
    assert until(lambda: len(again.names) == 3)
    quick.add("after")
    assert until(lambda: again.names == ["meanwhile 0", "meanwhile 1", "meanwhile 2", "after"])
    again.close()
    status, _, body = quick.ask("GET", f"/api/v1/events?after={last}")
    assert (status, [e["body"]["name"] for e in body["items"]]) == (200, again.names)
    assert quick.ask("GET", f"/api/v1/events?after={body['next']}")[2]["items"] == []


def test_kinds_narrow_a_stream(quick: Manners) -> None:
    one = Follower(quick, quick.me.secret, query="?kind=thing")
    other = Follower(quick, quick.me.secret, query="?kind=asset&kind=thing.removed")
    quick.add("of a kind")
    assert until(lambda: one.names == ["of a kind"])
    time.sleep(0.1)
    assert other.names == []
    one.close()
    other.close()
    for wrong in ("?kind=Thing", "?kind=thing.", "?kind=" + "a" * 200, "?" + "kind=a&" * 21):
        assert quick.ask("GET", f"/api/v1/events/live{wrong}")[0] == 400


def test_an_event_id_is_nobody_elses_and_counts_nothing(quick: Manners) -> None:
    follower = Follower(quick, quick.me.secret)
    assert until(lambda: bool(follower.blocks))
    last = follower.last
    assert quick.ask("GET", f"/api/v1/events?after={last}")[0] == 200
    bodies = []
    for who, after in ((quick.other, last), (quick.me, "17"), (quick.me, last[:-1])):
        for path in ("/api/v1/events", "/api/v1/events/live"):
            status, _, body = quick.ask("GET", f"{path}?after={after}", who=who)
            assert status == 404
            bodies.append({k: v for k, v in body.items() if k != "trace_id"})
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["where"] == "query.after"
    assert "without `after`" in bodies[0]["mend"]
    follower.close()


def test_who_comes_back_with_an_id_that_cannot_be_read_starts_anew(quick: Manners) -> None:
    for unreadable in ("17", "of another server"):
        follower = Follower(quick, quick.me.secret, after=unreadable)
        assert until(lambda one=follower: any(b.get("event") == "reset" for b in one.blocks)), follower.status
        follower.close()


def test_who_comes_back_after_a_restore_is_told_to_read_anew_also_when_the_numbers_have_passed(
    server: str, tmp_path: Path
) -> None:
    """The database goes back to an earlier state, and as many events and more come anew under the old numbers."""
    making = manners_of(server, tmp_path / "log")
    manners = next(making)
    manners.add("before")
    with manners.people.owner() as db:
        back_to = events.horizon(db).last
    old = manners.ask("GET", "/api/v1/events")[2]["next"]
    for n in range(3):
        manners.add(f"lost {n}")
    lost = manners.ask("GET", "/api/v1/events")[2]["next"]
    open_before = Follower(manners, manners.me.secret)
    assert until(lambda: len(open_before.blocks) >= 1)
    assert manners.ask("GET", f"/api/v1/events?after={lost}")[2]["reset"] is False
    with manners.people.owner() as db:
        db.execute("delete from clearway.event where seq > %s", (back_to,))
        db.execute("select setval('clearway.event_seq', %s)", (back_to,))
        restored.void(db, "restored")
    for n in range(5):
        manners.add(f"anew {n}")
    assert until(lambda: any(b.get("event") == "reset" for b in open_before.blocks))
    open_before.close()
    for position in (lost, old):
        answer = manners.ask("GET", f"/api/v1/events?after={position}")[2]
        assert (answer["items"], answer["more"], answer["reset"]) == ([], False, True)
        follower = Follower(manners, manners.me.secret, after=position)
        assert until(lambda one=follower: len(one.blocks) >= 2)
        assert [b.get("event") for b in follower.blocks[:2]] == [None, "reset"]
        assert "id" not in follower.blocks[0], "whoever is cut off here comes back with the old one"
        manners.add("after")
        assert until(lambda one=follower: one.names == ["after"])
        on = manners.ask("GET", f"/api/v1/events?after={answer['next']}")[2]
        assert ([e["body"]["name"] for e in on["items"]], on["reset"]) == (["after"], False)
        follower.close()
    # What was kept is read from the beginning, and gone on with from any of it.
    kept = manners.ask("GET", "/api/v1/events")[2]["items"]
    assert [e["body"]["name"] for e in kept] == ["before", *(f"anew {n}" for n in range(5)), "after", "after"]
    rest = manners.ask("GET", f"/api/v1/events?after={kept[0]['id']}")[2]
    assert (len(rest["items"]), rest["reset"]) == (7, False)
    assert next(making, None) is None


def test_two_databases_that_were_put_back_to_one_state_tell_their_positions_apart(world: World) -> None:
    with connect(world.url, autocommit=True) as db:
        found = []
        for _ in range(2):
            db.execute("select setval('clearway.event_seq', 7)")
            before = events.horizon(db)
            events.put_back(db)
            found.append(events.horizon(db))
    one, other = found
    assert before.tells(7, before.era)
    assert not one.tells(7, before.era)
    assert not other.tells(one.last, one.era)
    assert other.tells(other.last, other.era)


def test_nobody_follows_without_a_login(quick: Manners) -> None:
    for path in ("/api/v1/events", "/api/v1/events/live"):
        assert quick.live.ask("GET", path)[0] == 401


def test_a_revoked_token_ends_its_stream_at_the_next_heartbeat(quick: Manners) -> None:
    someone = quick.people.somebody(quick.ours, "operator", name="soon gone")
    follower = Follower(quick, someone.secret)
    quick.add("still")
    assert until(lambda: follower.names == ["still"])
    with quick.people.owner() as db:
        db.execute("update clearway.credential set revoked = now() where person = %s", (someone.person,))
    quick.add("no longer")
    assert follower.ended.wait(5)
    follower.close()
    assert follower.names == ["still"]


def test_a_principal_has_so_many_streams_and_gets_one_back_when_one_closes(quick: Manners) -> None:
    someone = quick.people.somebody(quick.ours, "operator", name="many")
    followers = [Follower(quick, someone.secret) for _ in range(3)]
    status, headers, problem = quick.ask("GET", "/api/v1/events/live", who=someone)
    assert (status, headers["retry-after"]) == (429, "30")
    assert problem["type"] == "urn:clearway:problem:too-many-requests"
    followers[0].close()

    def free() -> bool:
        again = Follower(quick, someone.secret)
        again.close()
        return again.status == 200

    assert until(free)
    for follower in followers[1:]:
        follower.close()


def test_a_client_that_reads_nothing_is_cut_off_and_loses_nothing(quick: Manners) -> None:
    someone = quick.people.somebody(quick.ours, "operator", name="slow")
    start = quick.ask("GET", "/api/v1/events", who=someone)[2]["next"]
    assert until(lambda: quick.live.ask("GET", "/streams")[2] == 0)
    lazy = socket.create_connection(("127.0.0.1", quick.live.port))
    head = (
        f"GET /api/v1/events/live?after={start} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {someone.secret}"
    )
    lazy.sendall(f"{head}\r\n\r\n".encode())
    assert until(lambda: quick.live.ask("GET", "/streams")[2] == 1)
    big = "x" * 8_000
    with quick.people.owner() as db:
        for n in range(1500):
            events.emit(
                db,
                "thing.grown",
                f"thing/{n}",
                org=quick.ours,
                aud=quick.our_aud,
                body={"name": f"{n}", "big": big},
            )
    assert until(lambda: quick.live.ask("GET", "/streams")[2] == 0)
    lazy.settimeout(5)
    got = 0
    while part := _received(lazy):
        got += len(part)
    lazy.close()
    assert got < 1500 * 8_000
    again = Follower(quick, someone.secret, after=start)
    assert until(lambda: len(again.names) == 1500)
    assert again.names == [str(n) for n in range(1500)]
    again.close()


def _received(one: Any) -> bytes:
    try:
        return bytes(one.recv(1 << 16))
    except ConnectionError:
        return b""


def test_streams_end_when_the_server_is_told_to(server: str, tmp_path: Path) -> None:
    making = manners_of(server, tmp_path / "log")
    manners = next(making)
    followers = [Follower(manners, manners.me.secret) for _ in range(5)]
    manners.add("last")
    assert until(lambda: all(f.names == ["last"] for f in followers))
    manners.live.stop()
    assert all(f.ended.wait(15) for f in followers)
    for follower in followers:
        follower.close()
    assert Path(tmp_path / "log").read_text() == ""
    assert next(making, None) is None


def test_readers_miss_no_event_of_a_transaction_that_commits_late(world: World) -> None:
    """Writers draw numbers, wait and commit or give up in any order; a reader that follows sees each event once."""
    people = People(world.url)
    chance = random.Random(7)
    plan = [[(chance.random() * 0.01, chance.random() < 0.8) for _ in range(25)] for _ in range(6)]
    kept: list[int] = []
    done = threading.Event()

    def write(steps: list[tuple[float, bool]]) -> None:
        for wait, commits in steps:
            made = []
            try:
                with people.owner() as db:
                    made.append(events.emit(db, "a.b", "x", org=None, aud=0))
                    time.sleep(wait)
                    made.append(events.emit(db, "a.b", "x", org=None, aud=0))
                    if not commits:
                        raise RuntimeError
            except RuntimeError:
                continue
            kept.extend(made)

    seen: list[int] = []
    orders: list[bool] = []

    def follow() -> None:
        after, last_look = 0, False
        while not last_look:
            last_look = done.is_set()
            with people.pool.owner() as db:
                horizon = events.horizon(db)
                db.execute("select")
                for event in events.read(db, after, horizon.reached, most=10_000):
                    seen.append(event.seq)
                after = max(after, horizon.reached)
                orders.append(horizon.reached <= horizon.last)

    pool_threads = [threading.Thread(target=write, args=(steps,)) for steps in plan]
    people.pool._owner.resize(min_size=0, max_size=8)
    reader = threading.Thread(target=follow)
    reader.start()
    for thread in pool_threads:
        thread.start()
    for thread in pool_threads:
        thread.join()
    done.set()
    reader.join()
    people.close()
    assert seen == sorted(kept)
    assert len(kept) > 100
    assert all(orders)


def test_an_event_goes_only_to_an_audience_of_its_author(world: World) -> None:
    from clearway.access import audience
    from clearway.access.marking import own

    people = People(world.url)
    ours, theirs = people.org("ours"), people.org("theirs")
    me = people.somebody(ours, "operator")
    with people.owner() as db:
        aud = audience.of(db, own(theirs))
    with pytest.raises(ForbiddenError), people.acting(me) as db:
        events.emit(db, "a.b", "x", org=theirs, aud=aud)
    with people.owner() as db:
        assert db.execute("select count(*) from clearway.event where aud = %s", (aud,)).fetchone() == (0,)
    people.close()


def test_old_events_are_deleted_and_their_readers_told_to_start_anew(quick: Manners) -> None:
    start = quick.ask("GET", "/api/v1/events")[2]["next"]
    quick.add("of old")
    with quick.people.owner() as db:
        db.execute("update clearway.event set at = now() - interval '31 days'")
        assert events.prune(db, 30) > 0
    assert until(lambda: _reset(quick, start))


def _reset(quick: Manners, start: str) -> bool:
    follower = Follower(quick, quick.people.somebody(quick.ours, "operator").secret)
    follower.close()
    quick.add("wakes")
    old = Follower(quick, quick.me.secret, after=start)
    until(lambda: len(old.blocks) > 1, 1)
    old.close()
    return any(block.get("event") == "reset" for block in old.blocks)
