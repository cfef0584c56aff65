"""What is done beside requests: following the table, the new day, and what the caller of an act may not see."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from clearway.directives.kept import begun
from clearway.store import jobs
from clearway.store.jobs import Loop

from . import follow, marked, ruling, stated, told, unused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearway.store.jobs import Connect, Job, Spec

LOOK_S = 2.0
TURN_S = 1.0  # of dating anew, before who ends the process is listened to


class Following:
    """Keeps the fleet up to the compiled table of one home; a look that finds nothing new costs two `stat`s."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[tuple[int, int], ...] = ()

    def __call__(self, connect: Connect) -> None:
        """Follows the table if its files are others than at the last look."""
        from clearway.advisories.table import Table

        there = self._files()
        if not there or there == self._seen:
            return
        table = Table.of_home(self._home)
        try:
            with connect() as db, told.gathering(db, "advisories"):
                follow.follow(db, table, _today(), self._home)
                marked.match(db, _today())
        finally:
            table.close()
        self._seen = there  # as it was before reading: what changed meanwhile is another

    def _files(self) -> tuple[tuple[int, int], ...]:
        from clearway.advisories.table import CHANGES_SUFFIX, TABLE_FILE

        path = self._home / TABLE_FILE
        found = []
        for file in (path, path.with_suffix(CHANGES_SUFFIX)):
            with suppress(FileNotFoundError):
                at = file.stat()
                found.append((at.st_ino, at.st_mtime_ns))
        return tuple(found)


def new_day(job: Job, args: Mapping[str, Any]) -> None:
    """What a new day alone changes."""
    with job.owner() as db:
        follow.tick(db, _today())
        begun.begin(db, _today())
        ruling.note(db, _today())


def date_ruled(job: Job, args: Mapping[str, Any]) -> None:
    """Dates by versions of directives that govern since, an organisation's assets a few at a time."""
    done = 0
    while not job.stopping:
        with job.owner() as db:
            if not ruling.step(db, _today()):
                return
        done += 1
        job.progress(done, None, "dating by the version that governs")


class Dating:
    """Dates by what governs since, and asks for the work of each new day: a home that was off at midnight has its day.

    Who takes over the loop asks anew; the work of a day that is done finds nothing.
    """

    def __init__(self) -> None:
        self._day: date | None = None

    def __call__(self, connect: Connect) -> None:
        """The day's work once a day, then some of the dating."""
        day = _today()
        if day != self._day:
            with connect() as db:
                jobs.defer(db, "fleet.day", {}, lock="fleet.day", once="fleet.day")
            self._day = day
        date_at_once(connect)


def date_at_once(connect: Connect) -> None:
    """The same, woken by what is issued or addressed. A large fleet's turn ends after a while, and begins again."""
    ends = time.monotonic() + TURN_S
    while True:
        with connect() as db:
            if not ruling.step(db, _today()):
                return
            if time.monotonic() > ends:
                db.execute("select pg_notify(%s, '')", (ruling.CHANNEL,))
                return


def match_pending(job: Job, args: Mapping[str, Any]) -> None:
    """What marked records say of assets that were changed by somebody who may not know them."""
    while True:
        with job.owner() as db:
            if not marked.pending(db, _today()):
                return


def forget_versions(job: Job, args: Mapping[str, Any]) -> None:
    """Closes the names of versions that a change of a marking has left open."""
    while not job.stopping:
        with job.owner() as db:
            if not unused.forget(db):
                return


class Stating:
    """Asks VEX statements again where what they may speak of has changed; a look that finds nothing opens no table."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, job: Job, args: Mapping[str, Any]) -> None:
        """Does what was noted, some assets at a time."""
        from clearway.advisories.table import Table
        from clearway.records.errors import ConfigError

        with job.owner() as db:
            row = db.execute("select exists (select from clearway.fleet_vexing)").fetchone()
        if not (row and row[0]):
            return
        try:
            table = Table.of_home(self._home)
        except ConfigError:  # advisories are taken in elsewhere
            return
        try:
            more = True
            while more and not job.stopping:
                with job.owner() as db:
                    more = stated.pending(db, table, _today())
        finally:
            table.close()


def _today() -> date:
    return datetime.now(UTC).date()


def _tasks() -> dict[str, Any]:
    from clearway.store.jobs import Spec

    return {
        "fleet.pending": Spec(match_pending, cron="* * * * *"),
        "fleet.versions": Spec(forget_versions, cron="* * * * *"),
        "fleet.day": Spec(new_day),
        "fleet.dates": Spec(date_ruled, cron="* * * * *"),
    }


TASKS = _tasks()


def tasks(home: Path, url: str) -> dict[str, Spec]:
    """What needs the table of this home."""
    from clearway.store.jobs import Spec

    return {"fleet.stated": Spec(Stating(home), cron="* * * * *")}


def loops(home: Path, url: str) -> dict[str, Loop]:
    """Following the table of this home, where somebody takes advisories in, and the directives that are issued."""
    return {
        "fleet.follow": Loop("", LOOK_S, Following(home)),
        "fleet.dates": Loop(ruling.CHANNEL, 60.0, Dating()),
    }
