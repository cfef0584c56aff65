"""Health: what this installation has, and what would stop it from doing its job."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from clearway.records.errors import ClearwayError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearway.advisories.age import Aged

_LEAST_FREE_BYTES = 1 << 30


class Check(Struct, frozen=True):
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine(home: Path) -> list[Check]:
    """Looks at Python, the home, the table and its sources, and the database, without changing anything."""
    from .doctor_team import team

    return [_python(), _space(home), *_table(home), *_feeds(home), _database(home), *team(home), _sandbox()]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), version, "Python 3.11 or newer is needed")


def _space(home: Path) -> Check:
    folder = home
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Check(
        "disk", free >= _LEAST_FREE_BYTES, f"{free >> 20:,} MiB free at {folder}", "free some disk space"
    )


def _sandbox() -> Check:
    """Whether reproducers can be run here. Everything else works without, so what is missing is no fault."""
    from clearway.sandbox.health import health

    seen = health()
    said = seen.found if seen.ok else f"findings can't be validated here: {seen.found}"
    return Check("sandbox", True, f"{said} ({seen.mend})" if seen.mend and not seen.ok else said)


def _table(home: Path) -> list[Check]:
    from clearway.advisories.age import aged
    from clearway.advisories.table import Table
    from clearway.records.clock import SystemClock

    try:
        table = Table.of_home(home)
    except ClearwayError as error:
        return [Check("advisory table", False, error.what, error.mend)]
    meta = table.meta
    table.close()
    late = {a.source if a.what == "advisories" else a.what: a for a in aged(meta, SystemClock().now().date())}
    shrunk = _shrunk("kev", meta.kev_entries, meta.kev_most)
    found = [
        Check("advisory table", True, f"{meta.records:,} records, {meta.flaws:,} flaws, built {meta.built}"),
        Check(
            "kev",
            bool(meta.kev) and "kev" not in late and not shrunk,
            (meta.kev or "not loaded") + _old(late.get("kev")) + shrunk,
            "`clearway feeds add kev`, then `clearway feeds pull`; or take the catalogue in with `clearway ingest`",
        ),
    ]
    if lost := _shrunk("epss", meta.epss_entries, meta.epss_most):
        found.append(
            Check(
                "epss",
                False,
                meta.epss + lost,
                "take in the whole table of scores: `clearway feeds add epss`",
            )
        )
    if meta.refused_merges:
        found.append(
            Check("alias groups", True, f"{meta.refused_merges} merges refused: their ids stay apart")
        )
    cnas = [note for note in meta.sources if note.source.startswith("cve:")]
    if cnas:
        records = sum(note.records for note in cnas)
        said = [a for name, a in late.items() if name.startswith("cve")]
        found.append(
            Check(
                "source cve",
                not said,
                f"{records:,} records of {len(cnas)} CVE numbering authorities"
                + "".join(f"; {a.title}{_old(a)}" for a in said),
                _anew(said),
            )
        )
    for note in meta.sources:
        if note in cnas:
            continue
        covers = ", ".join(note.covers) or "covers nothing by itself"
        own = next((a for a in late.values() if note.source in a.members), None)
        found.append(
            Check(
                f"source {note.source}",
                own is None or not own.rests,
                f"{note.records:,} records, newest {note.newest[:10]}{_old(own)}; {covers}",
                _anew([own] if own else []),
            )
        )
    return found


def _shrunk(kind: str, entries: int, most: int) -> str:
    """What to say of a catalogue that lists much less than one that was in force in the year before; "" for another."""
    from clearway.advisories import catalogue

    return (
        f", SHRUNK: {catalogue.entries(entries)}, and {most:,} before"
        if catalogue.is_much(kind, most - entries, most)
        else ""
    )


def _old(late: Aged | None) -> str:
    return "" if late is None else f", OLD: {late.days:,} days ago, its limit is {late.limit}"


def _anew(late: Iterable[Aged]) -> str:
    """How to bring such data anew."""
    names = dict.fromkeys(feed for a in late for feed in a.feeds())
    adds = ", ".join(f"`clearway feeds add {name}`" for name in list(names)[:3])
    return f"{adds}, then `clearway feeds pull`; or `clearway ingest` with files of today" if adds else ""


def _feeds(home: Path) -> list[Check]:
    """The feeds as they stood after the last change, judged now: the database is not started for it."""
    from clearway.advisories.feeds.standing import of_home
    from clearway.records.clock import SystemClock

    found = []
    for feed in of_home(home, SystemClock().now()):
        said = f"reached {feed.good:%Y-%m-%d %H:%M} UTC" if feed.good else "never reached"
        failing = feed.error and f"failing, and not old yet ({said}): {feed.error}"
        bad = f"stale: {feed.stale}; {feed.error}".rstrip("; ") if feed.stale else failing
        mend = f"see why with `clearway feeds pull {feed.name}`"
        found.append(Check(f"feed {feed.name}", not feed.stale, bad or said, mend))
    return found


def _database(home: Path) -> Check:
    from clearway.store import server

    try:
        state = server.status(home)
    except ClearwayError as error:
        return Check("database", False, error.what, error.mend)
    kind = "embedded" if state.embedded else "named by CLEARWAY_DATABASE_URL"
    running = "running" if state.running else "not running; started when needed"
    where = "; ".join(t for t in (state.url, state.data and f"data in {state.data}, log in {state.log}") if t)
    return Check("database", True, plain(f"{kind}, {running}; {where}"))


def show(checks: list[Check], out: TextIO) -> None:
    """Prints the checks, one a line, with the cure where one is needed."""
    for check in checks:
        mark = "ok " if check.ok else "BAD"
        cure = f" ({check.mend})" if not check.ok and check.mend else ""
        print(f"{mark} {check.name}: {plain(check.found, 200)}{cure}", file=out)
