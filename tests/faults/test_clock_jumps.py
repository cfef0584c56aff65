"""The clock is put a day forward or back: no embargo opens early, and no token outlives its expiry."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearway.access import audience, clockwatch, credential, embargo
from clearway.access.clockwatch import Reading
from clearway.access.marking import Marking
from clearway.store import cluster
from clearway.store.principal import key_of
from clearway.store.server import lease
from people import People, people_of

DAY = timedelta(days=1)
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Clock:
    """The database's wall clock, to be moved while it runs; the time since its start stays as it is."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "offset"
        self.off = timedelta(0)
        self.move(self.off)

    def move(self, off: timedelta) -> None:
        self.off = off
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{off.total_seconds():+.0f}s\n")
        fresh.chmod(0o644)
        fresh.replace(self.file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def read(self) -> Reading:
        """What the worker reads on a machine whose clock was moved so."""
        return clockwatch.read(datetime.now(UTC) + self.off)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed: the database's own clock can't be moved")
    folder = Path(tempfile.mkdtemp(prefix="clock"))
    folder.chmod(0o755)  # the database runs as another account
    made = Clock(folder)
    plain = cluster._environment
    monkeypatch.setattr(cluster, "_environment", lambda: {**plain(), **made.environment()})
    yield made
    shutil.rmtree(folder)


@pytest.fixture
def people(clock: Clock, home: Path) -> Iterator[People]:
    """People in a database of its own, whose clock is `clock`."""
    with lease(home) as url:
        yield from people_of(url)
        clock.move(timedelta(0))


def _armed(people: People, until: datetime) -> tuple[int, int]:
    with people.owner() as db:
        kept = embargo.add(db, people.house, "e")
        aud = audience.of(db, Marking(tlp="CLEAR", embargo=kept.embargo))
        embargo.arm(db, kept.embargo, until, now=datetime.now(UTC))
    return kept.embargo, aud


def _open_to_all(people: People, aud: int) -> bool:
    with people.acting(None) as db:
        row = db.execute("select get_bit(clearway.my_bits(), %s)", (aud,)).fetchone()
    assert row is not None
    return row[0] == 1


def _good(people: People, key: str) -> bool:
    with people.pool.acting(key) as db:
        row = db.execute("select clearway.me()").fetchone()
    return row is not None and row[0] is not None


def _token(people: People, life: timedelta) -> str:
    with people.owner() as db:
        made = credential.make_token(
            db, people.admin.person, label="t", scopes=None, life=life, now=datetime.now(UTC)
        )
    return key_of(made.secret)


def _look(people: People, now: Reading) -> tuple[embargo.Embargo, ...]:
    """The loop's step, as a worker of that machine makes it."""
    with people.owner() as db:
        row = db.execute("select max(at) from clearway.log_entry").fetchone()
        return embargo.carry_out(db, now, row[0] if row else None)


def _state(people: People, number: int) -> embargo.Embargo:
    with people.owner() as db:
        return embargo.one(db, number)


def test_the_databases_clock_is_really_moved(people: People, clock: Clock) -> None:
    for off in (DAY, -DAY, timedelta(0)):
        clock.move(off)
        with people.owner() as db:
            row = db.execute("select clock_timestamp()").fetchone()
        assert row is not None
        assert abs(row[0] - datetime.now(UTC) - off) < timedelta(seconds=30)


def test_a_day_forward_opens_no_embargo_and_only_ends_tokens(people: People, clock: Clock) -> None:
    _look(people, clock.read())
    number, aud = _armed(people, datetime.now(UTC) + timedelta(hours=1))
    token = _token(people, timedelta(hours=2))
    assert _good(people, token)
    clock.move(DAY)
    _look(people, clock.read())
    assert not _good(people, token)
    assert "forward" in _state(people, number).frozen
    assert _state(people, number).ended_by is None
    assert not _open_to_all(people, aud)
    clock.move(timedelta(0))
    _look(people, clock.read())
    assert _good(people, token), "a clock that was put right again ends nothing for good"
    assert not _open_to_all(people, aud)


def test_a_day_back_makes_no_token_valid_again(people: People, clock: Clock) -> None:
    token = _token(people, timedelta(seconds=2))
    time.sleep(2.1)
    _look(people, clock.read())
    assert not _good(people, token)
    clock.move(-DAY)
    _look(people, clock.read())
    assert not _good(people, token)


def test_a_day_back_lengthens_no_tokens_life(people: People, clock: Clock) -> None:
    """It has three seconds to live when the clock is put back; they pass by the machine's own count."""
    _look(people, clock.read())
    token = _token(people, timedelta(seconds=3))
    assert _good(people, token)
    clock.move(-DAY)
    _look(people, clock.read())
    time.sleep(3.1)
    _look(people, clock.read())
    assert not _good(people, token)


def test_a_day_back_opens_no_embargo_and_one_that_is_due_waits_for_a_coordinator(
    people: People, clock: Clock
) -> None:
    _look(people, clock.read())
    number, aud = _armed(people, datetime.now(UTC) + timedelta(seconds=2))
    clock.move(-DAY)
    time.sleep(2.1)
    _look(people, clock.read())
    assert _state(people, number).ended_by is None
    assert not _open_to_all(people, aud)
    clock.move(timedelta(0))
    _look(people, clock.read())
    assert _state(people, number).ended_by is not None, "the right clock ends it"
    assert _open_to_all(people, aud)
