"""What this room does in the background, each task once, by hand."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from clearway.http import tasks
from clearway.http.cursor import Sealer
from clearway.records.errors import CursorError
from clearway.store import cursor_keys, events
from clearway.store.jobs import Job
from intake_world import World
from people import People


class ByHand(Job):
    """A job that has only the owner's transactions."""

    def __init__(self, people: People) -> None:
        self.people = people

    @contextmanager
    def owner(self) -> Any:
        with self.people.owner() as db:
            yield db


@pytest.fixture
def people(world: World) -> Any:
    made = People(world.url)
    yield made
    made.close()


def test_what_is_too_old_is_deleted_and_the_rest_is_kept(people: People) -> None:
    with people.owner() as db:
        for _ in range(4):
            events.emit(db, "a.b", "x", org=None, aud=0)
        db.execute("update clearway.event set at = now() - interval '31 days' where seq <= 2")
        for n, age in enumerate(("25 hours", "23 hours")):
            db.execute(
                """insert into clearway.idempotency (person, key_hash, request_hash, rights_hash, at)
                values (1, sha256(%s), sha256('r'), sha256('r'), now() - %s::interval)""",
                (str(n).encode(), age),
            )
        for age in ("26 hours", "24 hours 30 minutes"):
            db.execute(
                "insert into clearway.remarked (was, became, at) values (3, 4, now() - %s::interval)", (age,)
            )
    tasks.prune(ByHand(people), {})
    with people.owner() as db:
        assert [e.seq for e in events.read(db, 0, 100)] == [3, 4]
        assert events.horizon(db) == (2, 4, 4)
        assert db.execute("select count(*) from clearway.idempotency").fetchone() == (1,)
        assert db.execute("select count(*) from clearway.remarked").fetchone() == (1,)


def test_a_cursor_outlives_one_rotation_and_not_two(people: People) -> None:
    def sealer() -> Sealer:
        with people.owner() as db:
            return Sealer(cursor_keys.keys(db))

    cursor = sealer().seal(["a"], ["list"])
    assert sealer().open(cursor, ["list"]) == ["a"]
    tasks.rotate(ByHand(people), {})
    assert sealer().open(cursor, ["list"]) == ["a"]
    assert sealer().seal(["a"], ["list"]) != cursor
    tasks.rotate(ByHand(people), {})
    with pytest.raises(CursorError):
        sealer().open(cursor, ["list"])


def test_processes_that_start_together_make_one_key(people: People) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def keys(_: int) -> dict[int, bytes]:
        with people.owner() as db:
            return cursor_keys.keys(db)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(keys, range(8)))
    assert all(one == found[0] for one in found)
    assert len(found[0]) == 1


def test_keys_start_over_when_their_numbers_end(people: People) -> None:
    with people.owner() as db:
        db.execute("insert into clearway.cursor_key (id, key) values (255, %s)", (bytes(64),))
        assert set(cursor_keys.rotate(db)) == {1}
        assert set(cursor_keys.rotate(db)) == {1, 2}
