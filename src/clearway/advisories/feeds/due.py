"""Which feeds are to be pulled by themselves, and which have become stale."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clearway.store import events

from . import store

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    from .feed import FeedStatus

_MOST_BACK_OFF_S = 86_400


def is_due(feed: FeedStatus, now: datetime) -> bool:
    """Whether a pull by itself is due: after its interval, twice as long after each failure up to a day, give or take
    a tenth that differs each time, and never before the time that the publisher asked for."""
    if feed.not_before is not None and now < feed.not_before:
        return False
    if feed.tried is None:
        return True
    drawn = random.Random(f"{feed.name} {feed.tried.isoformat()}").random()  # noqa: S311 - spreads the load
    wait = min(feed.every_s * 2 ** min(feed.failures, 16), max(_MOST_BACK_OFF_S, feed.every_s))
    return now >= feed.tried + timedelta(seconds=wait * (0.9 + 0.2 * drawn))


def names(db: psycopg.Connection[Any], now: datetime) -> dict[str, str]:
    """The feeds that are due, each with its publisher's host: those of one host are pulled one after another."""
    hosts = {feed.name: urlsplit(feed.url).netloc or feed.name for feed in store.feeds(db)}
    return {feed.name: hosts[feed.name] for feed in store.status(db, now) if is_due(feed, now)}


def tell_stale(db: psycopg.Connection[Any], now: datetime) -> list[str]:
    """Emits an event for each feed that has become stale, once until it is current again; their names."""
    told = []
    for feed in store.status(db, now):
        if store.alarm_stale(db, feed.name, stale=bool(feed.stale)):
            events.emit(
                db,
                "feed.stale",
                f"feed/{feed.name}",
                org=None,
                aud=store.COMMUNITY,
                body={"reason": feed.stale},
            )
            told.append(feed.name)
    return told
