"""Jobs of this room: the feeds that are due are pulled by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.clock import Clock, SystemClock
from clearway.store.jobs import Job, JobStoppedError, Spec, defer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def tasks(home: Path, url: str, clock: Clock | None = None) -> Mapping[str, Spec]:
    """The tasks, for the home whose table they keep and the owner's URL of its database."""
    at = clock or SystemClock()

    def pull_due(job: Job, args: dict[str, Any]) -> None:
        """Starts a pull of each feed that is due, and tells of those that have become stale."""
        from .feeds import due

        with job.owner() as db:
            for name, host in due.names(db, at.now()).items():
                defer(db, "feeds.pull", {"feed": name}, lock=f"feeds of {host}", once=f"feed/{name}")
            due.tell_stale(db, at.now())

    def pull(job: Job, args: dict[str, Any]) -> None:
        """Pulls one feed."""
        from clearway.records.errors import ConflictError, NotFoundError

        from .feeds.pull import pull as pull_feed

        def between() -> None:
            if job.stopping:
                raise JobStoppedError

        try:
            pull_feed(url, home, str(args["feed"]), at, between=between)
        except (ConflictError, NotFoundError):  # somebody pulls it by hand, or has removed it
            return

    return {"feeds.due": Spec(pull_due, cron="*/5 * * * *"), "feeds.pull": Spec(pull)}
