"""Feeds: where public data are pulled from, and how current each is.

`pull.pull` fetches one feed by its layout, judges what came, and hands it to the one intake; `status` says how
each stands. What a publisher sends that is not sound replaces nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .feed import Feed, FeedStatus, Pulled

if TYPE_CHECKING:
    import psycopg

    from clearway.records.clock import Clock

__all__ = ["Feed", "FeedStatus", "Pulled", "status"]


def status(db: psycopg.Connection[Any], clock: Clock | None = None) -> tuple[FeedStatus, ...]:
    """How every feed stands now, by name: for the owner, and for whoever is signed in."""
    from clearway.records.clock import SystemClock

    from . import store

    return store.status(db, (clock or SystemClock()).now())
