"""Feeds: where public data are pulled from, and how current each is.

`pull.pull` fetches one feed by its layout, judges what came, and hands it to the one intake. `status`, `runs` and
`left_out` say how each stands, to the owner and to whoever is signed in. What a publisher sends that is not sound
replaces nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .feed import Feed, FeedStatus, Pulled, Run

if TYPE_CHECKING:
    import psycopg

    from clearway.records.clock import Clock

    Connection = psycopg.Connection[Any]

__all__ = ["Feed", "FeedStatus", "Pulled", "Run", "left_out", "runs", "status"]


def status(db: Connection, clock: Clock | None = None) -> tuple[FeedStatus, ...]:
    """How every feed stands now, by name."""
    from clearway.records.clock import SystemClock

    from . import store

    return store.status(db, (clock or SystemClock()).now())


def runs(db: Connection, name: str, most: int = 20) -> tuple[Run, ...]:
    """The last pulls of a feed, newest first; none for a name that is no feed's."""
    from . import store

    return store.runs(db, name, most)


def left_out(db: Connection, name: str) -> tuple[tuple[str, int], ...]:
    """Why documents of a feed were left out, and how many each, most first."""
    from . import store

    return store.left_out(db, name)
