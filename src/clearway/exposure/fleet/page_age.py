"""How old the data is that a fleet's answers rest on, where it is older than a feed of its kind may be."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway.advisories import feeds
from clearway.advisories.age import Aged, aged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from clearway.advisories.table_meta import Meta

_HELD = 100_000  # components that are looked through


class Old(Struct, frozen=True, kw_only=True):
    """One source of data: its newest date, how many days ago that is, and the limit of `docs/howto/feeds.md`, in days.

    `source` is its name among the loaded sources, "cve" and "csaf" for all of these together; `feeds` are the known
    feeds that bring it anew.
    """

    what: Literal["kev", "epss", "advisories"]
    source: str
    title: str
    dated: date
    days: int
    limit: int
    feeds: tuple[str, ...]


def old(db: psycopg.Connection[Any], org: int | None, meta: Meta | None, day: date) -> tuple[Old, ...]:
    """What is older on `day` than its limit, the oldest first: of what the assets that the reader may see (of one
    organisation, or of all) are judged by. Nothing where no data is loaded."""
    found = aged(meta, day)
    asked = frozenset().union(*(a.rests for a in found))
    return chosen(found, _held(db, org, asked) if asked else ())


def chosen(found: Sequence[Aged], held: Iterable[str]) -> tuple[Old, ...]:
    """Of these what components of the ecosystems `held` rest on; and the catalogue and the scores: every date does."""
    mine = frozenset(held)
    return tuple(
        Old(what=a.what, source=a.source, title=a.title, dated=a.dated, days=a.days, limit=a.limit, feeds=a.feeds(mine))
        for a in found
        if a.what != "advisories" or a.rests & mine
    )  # fmt: skip


def to_add(db: psycopg.Connection[Any], found: Sequence[Old]) -> tuple[str, ...]:
    """The feeds that would bring this anew and are not added yet; a pull alone does nothing for these."""
    wanted = dict.fromkeys(feed for o in found for feed in o.feeds)
    added = {status.name for status in feeds.status(db)} if wanted else set()
    return tuple(feed for feed in wanted if re.sub("[: .]", "-", feed.lower()) not in added)


def _held(db: psycopg.Connection[Any], org: int | None, asked: Iterable[str]) -> list[str]:
    """Which of these ecosystems something on the assets is of, in the first 100,000 components."""
    rows = db.execute(
        """select distinct v.ecosystem
        from (select h.pv from clearway.held h join clearway.asset a on a.asset = h.asset
            where (%(org)s::int is null or a.org = %(org)s) and a.decommissioned is null limit %(most)s) h
        join clearway.package_version v on v.pv = h.pv where v.ecosystem = any(%(asked)s)""",
        {"org": org, "most": _HELD, "asked": sorted(asked)},
    ).fetchall()
    return [row[0] for row in rows]
