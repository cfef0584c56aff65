"""What programs and pages read of the data: sources, feeds, pulls, and what was set aside."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.http.filters import text
from clearway.http.listing import Listing
from clearway.records.clock import SystemClock
from clearway.store.keyset import Column, Source

from . import feeds
from .age import aged
from .feeds.feed import span

if TYPE_CHECKING:
    import psycopg

    from .feeds import FeedStatus
    from .table_meta import Meta


class SourceItem(Struct, frozen=True, kw_only=True):
    """One loaded source. About `covers` its silence means "no known flaw"; about `partial` it means nothing."""

    source: str
    title: str
    licence: str  # "" where the register does not name one
    records: int
    undated: int  # records without a date of their own
    newest: str  # the latest date inside its records, ISO
    received: str  # when they were last taken in, ISO
    covers: tuple[str, ...]
    partial: tuple[str, ...]
    old_days: int  # so many days since its newest date, where that is over its limit; else 0
    limit_days: int  # that limit; 0 where it is not over it


class FeedItem(Struct, frozen=True, kw_only=True):
    """One feed. `state`: current, stale, failing, or new (never reached). `cure` is what to do, "" for nothing."""

    name: str
    layout: str
    state: str
    reached: datetime | None  # last time with a sound answer: what it gave then stands
    changed: datetime | None
    newest: str  # the publisher's own newest date
    listed: int
    every_s: int
    stale_after_s: int
    problem: str
    cure: str
    failures: int
    failing_since: datetime | None
    not_before: datetime | None
    left_out: int


class AsideItem(Struct, frozen=True, kw_only=True):
    """One record or file that could not be used."""

    id: int
    place: str
    reason: str
    received: datetime
    sha256: str


ASIDE: Listing[AsideItem] = Listing(
    "set-aside",
    AsideItem,
    Source("s.id, s.place, s.reason, s.received, encode(s.sha256, 'hex') as sha256", "clearway.set_aside s"),
    sorts={"received": Column("s.received", "timestamptz")},
    tie=Column("s.id", "bigint"),
    default="-received",
    filters={
        "place": text("s.place ^@ any(%s)"),
        "reason": text("s.reason = any(%s)", "s.reason <> all(%s)"),
    },
)


def source_items(meta: Meta | None) -> tuple[SourceItem, ...]:
    """The loaded sources as the compiled table has them, by name; none before the first intake."""
    late = {name: a for a in aged(meta, SystemClock().now().date()) for name in a.members}
    return tuple(
        SourceItem(
            source=note.source, title=note.title or note.source, licence=note.licence, records=note.records,
            undated=note.undated, newest=note.newest, received=note.received, covers=note.covers,
            partial=note.partial, old_days=late[note.source].days if note.source in late else 0,
            limit_days=late[note.source].limit if note.source in late else 0,
        )
        for note in (meta.sources if meta is not None else ())
    )  # fmt: skip


def feed_items(db: psycopg.Connection[Any]) -> tuple[FeedItem, ...]:
    """Every feed with what is wrong with it, the most urgent first."""
    found = [feed_item(status) for status in feeds.status(db)]
    order = {"stale": 0, "failing": 1, "new": 2, "current": 3}
    return tuple(sorted(found, key=lambda f: (order[f.state], f.name)))


def feed_item(status: FeedStatus) -> FeedItem:
    """One feed as it is shown."""
    # What is stale and fails is called stale: how old the data is decides, not how often it was tried.
    state = "stale" if status.stale else "failing" if status.error else "current" if status.good else "new"
    problem = "; ".join(part for part in (status.stale, status.error) if part)
    return FeedItem(
        name=status.name, layout=status.layout, state=state, reached=status.good, changed=status.changed,
        newest=status.dated, listed=status.entries, every_s=status.every_s, stale_after_s=status.stale_after_s,
        problem=problem, cure=cure(status, state), failures=status.failures, failing_since=status.failing_since,
        not_before=status.not_before, left_out=status.set_aside,
    )  # fmt: skip


def cure(status: FeedStatus, state: str) -> str:
    """What to do about a feed, in words; "" when there is nothing to do."""
    if state == "current":
        return ""
    if state == "new" and not status.error:
        return "It was added and never pulled: pull it now"
    stands = "What was taken in before stands. " if status.good else ""
    if status.error and "listed" in status.error and "before" in status.error:
        return (
            f"{stands}Its list has shrunk. If its publisher says that this is right, run on the server: "
            f"clearway feeds pull {status.name} --accept-smaller"
        )
    if status.not_before is not None and status.error:
        return f"{stands}Its publisher asks to be left alone for a while; it is pulled again by itself after that"
    if status.error:
        return (
            f"{stands}Pull it now. If it fails again, see whether its address can be reached from the server; "
            f"it is tried again by itself every {span(status.every_s)}, later after each failure"
        )
    if status.good is not None and "publisher's newest date" in status.stale:
        return (
            "It answers, but nothing newer has been published there: see whether its address is a mirror "
            "that is no longer filled"
        )
    return "Pull it now. If that does nothing, see whether a worker runs on the server: clearway doctor"


def aside_count(db: psycopg.Connection[Any]) -> int:
    """How many records and files are set aside; 0 for who is not signed in."""
    row = db.execute("select clearway.set_aside_count()").fetchone()
    return int(row[0] or 0) if row else 0


def may_house(db: psycopg.Connection[Any]) -> bool:
    """Whether the caller administers this installation."""
    row = db.execute("select clearway.may_house()").fetchone()
    return bool(row and row[0])
