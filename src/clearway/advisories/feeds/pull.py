"""One pull of one feed: fetched by its layout, judged, taken in by the one intake, and remembered.

    1. the feed is locked, so that two pulls of it never interleave
    2. its layout fetches into the staging folder and hands over what is sound, piece by piece
    3. each piece goes through `Keeper.take_in`, as a file named by hand would
    4. what to remember (validators, dates, counts) is written only when all of it was taken in

Whatever fails, the records of before stand; the reason is kept with the feed and told once.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clearway.advisories.catalogue import named
from clearway.advisories.keep import Keeper
from clearway.http.outbound import Client, Networks, StatusError
from clearway.records.errors import ClearwayError, IntegrityError, UpstreamError
from clearway.records.text import plain
from clearway.store.connect import connect, translated

from . import catalogues, csaf, cve, osv, store
from .feed import Pulled
from .judge import ACCEPT, UnsoundError
from .layout import Ask
from .place import Folder, Place, Remote, Staging
from .standing import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import psycopg

    from clearway.advisories.intake import Counts
    from clearway.advisories.keep import Teller
    from clearway.records.clock import Clock

    from .feed import Feed
    from .layout import Outcome, Pull

ALLOW_VARIABLE = "CLEARWAY_FEEDS_ALLOW"
PROXY_VARIABLE = "CLEARWAY_FEEDS_PROXY"
AUTHORIZATION_VARIABLE = "CLEARWAY_FEED_{}_AUTHORIZATION"
_LAYOUTS: dict[str, Callable[[Ask], Pull]] = {
    "osv": osv.pull,
    "kev": catalogues.pull_kev,
    "cve": cve.pull,
    "epss": catalogues.pull_epss,
    "csaf": csaf.pull,
    "file": catalogues.pull_file,
}
_WORDS = ("read", "new", "changed", "unchanged", "skipped", "set_aside")
_NONE_READ = 3  # pieces of which none is a record: beyond, it is no feed of records
_MOST_SET_ASIDE = 0.5  # of the records of a pull: beyond, the publisher's schema has changed, or it lies


def pull(
    url: str,
    home: Path,
    name: str,
    clock: Clock,
    *,
    accept_smaller: bool = False,
    afresh: bool = False,
    tell: Teller | None = None,
    between: Callable[[], None] = lambda: None,
    place_of: Callable[[Feed, Staging], Place] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Pulled:
    """Pulls the feed `name` into the database at `url` and the table of `home`.

    `accept_smaller` takes in a feed that lists much less than before; `afresh` fetches what did not change too.
    A feed that fails is an answer, not an exception. `between` is called before each piece is fetched and taken
    in; what it raises ends the pull, and the next one goes on.

    Raises:
        NotFoundError: no such feed. ConflictError: it is being pulled. ConfigError: a setting can't be read.
    """
    with translated(), connect(url, autocommit=True, application_name="clearway feeds") as db:
        feed = store.feed(db, name)
        store.lock(db, name)
        staging = Staging(home / "feeds" / name)
        place = (place_of or _place(environment or os.environ, clock))(feed, staging)
        run = store.begin(db, name, clock.now())
        one = _One(db, url, home, feed, clock, place, staging, tell, between)
        try:
            pulled = one.run(accept_smaller=accept_smaller, afresh=afresh)
        except BaseException:
            with suppress(Exception):
                store.end(db, run, one.said("failed", error="it was interrupted"), clock.now())
            raise
        finally:
            place.close()
        store.end(db, run, pulled, clock.now())
        store.log_taken(db, pulled, accept_smaller=accept_smaller)
        _tell_others(db, pulled)
        publish(db, home, clock.now())
        store.unlock(db, name)
        return pulled


def _place(environment: Mapping[str, str], clock: Clock) -> Callable[[Feed, Staging], Place]:
    def make(feed: Feed, staging: Staging) -> Place:
        if feed.is_local:
            return Folder(feed, staging)
        allow = Networks.parse(environment.get(ALLOW_VARIABLE, ""), ALLOW_VARIABLE)
        key = "".join(c if c.isalnum() else "_" for c in feed.name.upper())
        secret = environment.get(AUTHORIZATION_VARIABLE.format(key), "")
        client = Client(
            allow, proxy=environment.get(PROXY_VARIABLE, ""), clock=clock, user_agent="Clearway feeds"
        )
        return Remote(feed, client, staging, headers={"authorization": secret} if secret else {})

    return make


class _One:
    """One pull while it runs."""

    def __init__(
        self,
        db: psycopg.Connection[Any],
        url: str,
        home: Path,
        feed: Feed,
        clock: Clock,
        place: Place,
        staging: Staging,
        tell: Teller | None,
        between: Callable[[], None],
    ) -> None:
        self._db, self._url, self._home, self._feed = db, url, home, feed
        self._clock, self._place, self._staging, self._tell = clock, place, staging, tell
        self._between = between
        self._accept_smaller = False
        self._counts: Counter[str] = Counter()
        self._notes: list[str] = []

    def run(self, *, accept_smaller: bool, afresh: bool) -> Pulled:
        feed = self._feed
        self._accept_smaller = accept_smaller
        ask = Ask(
            feed=feed, place=self._place, staging=self._staging, now=self._clock.now(),
            items=store.items(self._db, feed.name), kept=lambda kind: store.kept(self._db, kind),
            held=lambda kind, ids: store.held(self._db, kind, ids),
            accept_smaller=accept_smaller, afresh=afresh,
        )  # fmt: skip
        try:
            outcome = self._batches(_LAYOUTS[feed.layout](ask))
        except (ClearwayError, OSError) as problem:
            error = problem if isinstance(problem, ClearwayError) else _of_disk(problem)
            refused = isinstance(error, UnsoundError | IntegrityError)
            if refused:
                self._staging.clear()  # what merely broke off is taken up again; this is not wanted
            wait = error.retry_after_s if isinstance(error, StatusError) else None
            not_before = None if wait is None else self._clock.now() + timedelta(seconds=wait)
            alarm = store.fail(self._db, feed.name, str(error), not_before, self._clock.now())
            return self.said(
                "refused" if refused else "failed", error=str(error), code=error.code, alarm=alarm
            )
        if outcome is not None:
            self._notes += outcome.notes
        changed = bool(self._counts["new"] or self._counts["changed"])
        recovered = store.succeed(self._db, feed, outcome, ask.seen, self._clock.now(), changed=changed)
        self._staging.clear()
        return self.said("taken" if self._counts["read"] else "unchanged", recovered=recovered)

    def said(self, result: Any, **more: Any) -> Pulled:
        """What it came to so far."""
        return Pulled(
            feed=self._feed.name, result=result, size_bytes=self._place.size_bytes, requests=self._place.requests,
            counts={word: self._counts[word] for word in _WORDS} if self._counts["read"] else {},
            notes=tuple(self._notes),
            **more,
        )  # fmt: skip

    def _batches(self, layout: Pull) -> Outcome | None:
        refused: UnsoundError | None = None
        while True:
            self._between()
            try:
                # What intake can't read is told to the layout: one of its parts may fail and the others go on.
                batch = next(layout) if refused is None else layout.throw(refused)
            except StopIteration as end:
                outcome: Outcome | None = end.value
                return outcome
            refused = None
            if batch.paths:
                try:
                    self._take_in([str(path) for path in batch.paths], singly=batch.singly)
                except UnsoundError as error:
                    refused = error
                    continue
            if batch.items or batch.problems:
                store.keep_items(self._db, self._feed.name, batch.items, batch.problems)

    def _take_in(self, paths: list[str], *, singly: bool) -> None:
        with Keeper(self._url, self._home, self._clock) as keeper:
            counts = keeper.take_in(paths, accept_smaller=self._accept_smaller, progress=self._tell)
        self._counts.update({word: getattr(counts, word) for word in _WORDS})
        self._judge(counts, singly=singly)
        self._notes += [f"set aside: {plain(reason, 200)}" for _, reason in counts.rejects[:10]]
        for what, told in (
            ("no longer listed by", counts.left),
            ("listed with a later date by", counts.later),
            ("listed with an earlier date by", counts.earlier),
            ("taken back by", counts.silent),
        ):
            self._notes += [
                f"{what} {plain(source, 60)}: {len(ids):,} ({named(ids)})"
                for source, ids in sorted(told.items())
            ]
        self._notes += [
            f"skipped: {plain(place.rpartition('/')[2], 100)}: {plain(reason, 200)}"
            for place, reason in counts.skips
        ]

    def _judge(self, counts: Counts, *, singly: bool) -> None:
        """Raises UnsoundError when most of what came could not be read; the records of before stand all the same.

        Of a few that a feed which was well asked for one by one, none need be a record: a publisher that listed a test
        among its records would else never be followed again.
        """
        for place, reason in counts.refused:
            raise UnsoundError(reason, where=place.rpartition("/")[2], mend=ACCEPT)
        records = counts.read - counts.skipped
        if records == 0 and not (singly and self._feed.entries and 0 < counts.skipped < _NONE_READ):
            why = f": {plain(counts.skips[0][1], 160)}" if counts.skips else ""
            raise UnsoundError(f"holds no record that intake reads{why}", where=self._feed.name)
        if counts.set_aside > max(1, _MOST_SET_ASIDE * records):
            raise UnsoundError(
                f"{counts.set_aside:,} of {records:,} records can't be read: {plain(counts.rejects[0][1], 160)}",
                where=self._feed.name,
                mend="its schema may have changed",
            )


def _of_disk(error: OSError) -> UpstreamError:
    return UpstreamError(
        f"the disk: {error.strerror}", where=str(error.filename or ""), mend="free some space"
    )


def _tell_others(db: psycopg.Connection[Any], pulled: Pulled) -> None:
    """An event for whoever follows them, at the first failure and at the recovery only."""
    from clearway.store import events

    if pulled.alarm or pulled.recovered:
        kind = "feed.failed" if pulled.alarm else "feed.recovered"
        with db.transaction():
            events.emit(
                db,
                kind,
                f"feed/{pulled.feed}",
                org=None,
                aud=store.COMMUNITY,
                body={"reason": pulled.error[:600]},
            )
