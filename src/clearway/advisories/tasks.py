"""Jobs of this room: the feeds that are due are pulled by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.clock import Clock, SystemClock
from clearway.store.jobs import Job, JobStoppedError, Spec, defer
from clearway.store.jobs_retry import Retry

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

    def pull_now(job: Job, args: dict[str, Any]) -> None:
        """Pulls one feed for the administrator of this installation who asked for it, and tells how far it is."""
        from clearway.records.errors import ForbiddenError, UpstreamError

        from .feeds.pull import pull as pull_feed

        with job.acting() as db:
            row = db.execute("select clearway.may_house()").fetchone()
        if not (row and row[0]):
            raise ForbiddenError("feeds are pulled by who administers this installation")
        done = 0

        def between() -> None:
            nonlocal done
            if job.stopping:
                raise JobStoppedError
            done += 1
            job.progress(done, None, f"pulling {args['feed']}: piece {done}")

        pulled = pull_feed(url, home, str(args["feed"]), at, between=between)
        if pulled.error:
            job.progress(done, done, f"{pulled.result}: what was taken in before stands")
            if pulled.result == "failed":
                raise UpstreamError(pulled.error, where=pulled.feed)
            return
        counts = ", ".join(f"{n:,} {word.replace('_', ' ')}" for word, n in pulled.counts.items() if n)
        job.progress(done, done, f"{pulled.result}: {counts or 'nothing new'}")

    return {
        "feeds.due": Spec(pull_due, cron="*/5 * * * *"),
        "feeds.pull": Spec(pull),
        "feeds.pull_now": Spec(pull_now, Retry(attempts=1)),
    }
