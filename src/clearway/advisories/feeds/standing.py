"""How feeds stand, for readers without a database: `feeds/status.json` in the home, written after each change."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from .feed import FeedStatus, staleness

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import psycopg

_FILE = "feeds/status.json"


def publish(db: psycopg.Connection[Any], home: Path, now: datetime) -> None:
    """Writes the file anew."""
    from . import store

    path = home / _FILE
    fresh = path.with_name(f"status.{os.getpid()}.json")
    text = msgspec.json.encode(store.status(db, now))
    with suppress(OSError):  # the database has it; a file that stays old shows its feeds as stale
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.write_bytes(text)
        fresh.replace(path)


def of_home(home: Path, now: datetime) -> tuple[FeedStatus, ...]:
    """How the feeds of this home stood after the last change, judged at `now`; none where it can't be read."""
    try:
        found = msgspec.json.decode((home / _FILE).read_bytes(), type=tuple[FeedStatus, ...])
    except (OSError, msgspec.MsgspecError):
        return ()
    return tuple(msgspec.structs.replace(s, stale=staleness(s, now)) for s in found)
