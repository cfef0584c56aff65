"""Feeds in the database. Connections commit by themselves; what belongs together is in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from clearway.ledger import append
from clearway.records.errors import ConflictError, NotFoundError
from clearway.records.text import plain

from .feed import Feed, FeedStatus, Item, Run, staleness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg

    from .feed import Pulled
    from .layout import Outcome

    Connection = psycopg.Connection[Any]

# One pull of a feed at a time, in the whole cluster; the lock ends with the session.
_LOCK_CLASS = 0x66656564
COMMUNITY = 1  # TLP:GREEN (migration 0002): whoever is signed in may read how feeds fare
_ERROR_CHARS = 600
_RUNS_KEPT = 200
_STATUS = """
select name, layout, added, every_s, stale_after_s, oldest_s, tried, good, changed, dated, entries, error, failures,
    failing_since, not_before,
    (select count(*) from clearway.feed_item i where i.feed = f.name and i.problem <> '')
from clearway.feed f order by name
"""


def add(db: Connection, feed: Feed, now: datetime) -> None:
    """Adds a feed; raises ConflictError when there is one of that name."""
    with db.transaction():
        done = db.execute(
            """insert into clearway.feed (name, layout, url, options, mirrors, every_s, stale_after_s, oldest_s, added)
            values (%s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s) on conflict (name) do nothing""",
            (feed.name, feed.layout, feed.url, _json(feed.options), _json(feed.mirrors), feed.every_s,
             feed.stale_after_s, feed.oldest_s, now),
        )  # fmt: skip
        if done.rowcount == 0:
            raise ConflictError(
                "there is such a feed", where=feed.name, mend="remove it first, or name another"
            )
        content = {"layout": feed.layout, "host": urlsplit(feed.url).netloc, "options": feed.options}
        append(db, "feed.added", f"feed/{feed.name}", content, aud=COMMUNITY)


def remove(db: Connection, name: str) -> None:
    """Removes a feed and what is remembered of it; its records stand. Raises NotFoundError."""
    with db.transaction():
        if db.execute("delete from clearway.feed where name = %s", (name,)).rowcount == 0:
            raise _unknown(name)
        append(db, "feed.removed", f"feed/{name}", aud=COMMUNITY)


def feed(db: Connection, name: str) -> Feed:
    """One feed; raises NotFoundError."""
    found = feeds(db, name)
    if not found:
        raise _unknown(name)
    return found[0]


def feeds(db: Connection, name: str = "") -> list[Feed]:
    """All feeds by name, or the one called `name` (owner only)."""
    rows = db.execute(
        """select name, layout, url, options::text, mirrors::text, every_s, stale_after_s, oldest_s, state::text, dated,
            entries from clearway.feed where %s in ('', name) order by name""",
        (name,),
    ).fetchall()
    return [
        Feed(
            name=r[0], layout=r[1], url=r[2], options=msgspec.json.decode(r[3]),
            mirrors=msgspec.json.decode(r[4], type=tuple[tuple[str, str], ...]), every_s=r[5], stale_after_s=r[6],
            oldest_s=r[7], state=msgspec.json.decode(r[8]), dated=r[9], entries=r[10],
        )
        for r in rows
    ]  # fmt: skip


def status(db: Connection, now: datetime) -> tuple[FeedStatus, ...]:
    """How every feed stands at `now`, by name. For the owner, and for whoever is signed in."""
    found = []
    for row in db.execute(_STATUS).fetchall():
        made = FeedStatus(
            name=row[0], layout=row[1], added=row[2], every_s=row[3], stale_after_s=row[4], oldest_s=row[5],
            tried=row[6], good=row[7], changed=row[8], dated=row[9], entries=row[10], error=row[11],
            failures=row[12], failing_since=row[13], not_before=row[14], set_aside=row[15],
        )  # fmt: skip
        found.append(msgspec.structs.replace(made, stale=staleness(made, now)))
    return tuple(found)


def runs(db: Connection, name: str, most: int = 20) -> tuple[Run, ...]:
    """The last pulls of a feed, newest first. For the owner, and for whoever is signed in."""
    rows = db.execute(
        """select feed, started, ended, result, error, size_bytes, requests, counts::text from clearway.feed_run
        where feed = %s order by run desc limit %s""",
        (name, most),
    )
    return tuple(
        Run(feed=r[0], started=r[1], ended=r[2], result=r[3], error=r[4], size_bytes=r[5], requests=r[6],
            counts=msgspec.json.decode(r[7]))
        for r in rows
    )  # fmt: skip


def left_out(db: Connection, name: str) -> tuple[tuple[str, int], ...]:
    """Why documents of a feed were left out, and how many each, most first. For the owner, and whoever is signed in."""
    rows = db.execute(
        """select problem, count(*) from clearway.feed_item where feed = %s and problem <> ''
        group by problem order by count(*) desc, problem limit 50""",
        (name,),
    )
    return tuple((problem, number) for problem, number in rows)


def lock(db: Connection, name: str) -> None:
    """Takes a feed for this session; raises ConflictError while another pulls it."""
    row = db.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK_CLASS, name)).fetchone()
    if not (row and row[0]):
        raise ConflictError("is being pulled already", where=name, mend="wait for it to end")


def unlock(db: Connection, name: str) -> None:
    """Lets go of a feed now: a session that was closed may hold it a moment longer."""
    db.execute("select pg_advisory_unlock(%s, hashtext(%s))", (_LOCK_CLASS, name))


def items(db: Connection, name: str) -> dict[str, Item]:
    """What is remembered of a feed's documents."""
    rows = db.execute("select item, stamp, problem from clearway.feed_item where feed = %s", (name,))
    return {item: Item(stamp, problem) for item, stamp, problem in rows}


def keep_items(db: Connection, name: str, done: Mapping[str, str], problems: Mapping[str, str]) -> None:
    """Remembers documents as done, by their stamps, or with their problems; one without a stamp is forgotten."""
    with db.transaction():
        db.execute(
            "delete from clearway.feed_item where feed = %s and item = any(%s)",
            (name, [item for item, stamp in done.items() if not stamp]),
        )
        kept = [(item, stamp, "") for item, stamp in done.items() if stamp]
        kept += [(item, "", plain(problem, _ERROR_CHARS)) for item, problem in problems.items()]
        db.execute(
            """insert into clearway.feed_item as i (feed, item, stamp, problem)
            select %s, * from unnest(%s::text[], %s::text[], %s::text[])
            on conflict (feed, item) do update set problem = excluded.problem,
                stamp = case when excluded.problem = '' then excluded.stamp else i.stamp end""",
            (name, [k[0][:2000] for k in kept], [k[1] for k in kept], [k[2] for k in kept]),
        )


def kept(db: Connection, kind: str) -> int:
    """How many records of a catalogue stand."""
    row = db.execute(
        "select count(*) from clearway.record where current and kind ^@ %s and source = 'cisa-kev'", (kind,)
    ).fetchone()
    return int(row[0]) if row else 0


def held(db: Connection, kind: str, ids: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Id -> the time of the record that stands, of those of `ids` (by source) that are kept in the format `kind`.

    "" where the record bears no time.
    """
    found: dict[str, str] = {}
    for source, names in ids.items():
        rows = db.execute(
            """select id, version from clearway.record
            where current and source = %s and kind = %s and id = any(%s)""",
            (source, kind, list(names)),
        )
        found.update(rows.fetchall())
    return found


def begin(db: Connection, name: str, now: datetime) -> int:
    """Notes that a pull started; its number. Runs that a kill left open are closed, old ones deleted."""
    with db.transaction():
        db.execute("update clearway.feed set tried = %s where name = %s", (now, name))
        db.execute(
            """update clearway.feed_run set result = 'failed', error = 'it was ended from outside', ended = %s
            where feed = %s and result = 'running'""",
            (now, name),
        )
        db.execute(
            """delete from clearway.feed_run where feed = %s and run <= (
                select run from clearway.feed_run where feed = %s order by run desc offset %s limit 1)""",
            (name, name, _RUNS_KEPT),
        )
        row = db.execute(
            "insert into clearway.feed_run (feed, started) values (%s, %s) returning run", (name, now)
        ).fetchone()
        assert row is not None
        return int(row[0])


def succeed(
    db: Connection,
    feed: Feed,
    outcome: Outcome | None,
    seen: Mapping[str, Any],
    now: datetime,
    *,
    changed: bool,
) -> bool:
    """Remembers a good pull; returns whether it is well again after somebody was alarmed."""
    state, dated, entries = feed.state, feed.dated, feed.entries
    if outcome is not None:
        before = {} if outcome.whole else feed.state.get("seen", {})
        state = {**feed.state, **outcome.state, "seen": {**before, **seen}}
        dated, entries = outcome.dated or dated, outcome.entries
    row = db.execute(
        """update clearway.feed f set good = %s, changed = case when %s then %s else f.changed end, state = %s::jsonb,
            dated = %s, entries = %s, error = '', failures = 0, failing_since = null, not_before = null,
            alarmed = case old.alarmed when 'failing' then '' else old.alarmed end
        from (select name, alarmed from clearway.feed where name = %s for update) old
        where f.name = old.name returning old.alarmed = 'failing'""",
        (now, changed, now, _json(state), dated, entries, feed.name),
    ).fetchone()
    return bool(row and row[0])


def fail(db: Connection, name: str, error: str, not_before: datetime | None, now: datetime) -> bool:
    """Remembers a failed pull; returns whether somebody is to be told, which is once until it is well again."""
    row = db.execute(
        """update clearway.feed f set error = %s, failures = f.failures + 1, not_before = %s, alarmed = 'failing',
            failing_since = coalesce(f.failing_since, %s)
        from (select name, alarmed from clearway.feed where name = %s for update) old
        where f.name = old.name returning old.alarmed = ''""",
        (plain(error, _ERROR_CHARS), not_before, now, name),
    ).fetchone()
    return bool(row and row[0])


def end(db: Connection, run: int, pulled: Pulled, now: datetime) -> None:
    """Notes how a pull ended."""
    db.execute(
        """update clearway.feed_run set ended = %s, result = %s, error = %s, size_bytes = %s, requests = %s,
            counts = %s::jsonb, notes = %s::jsonb where run = %s""",
        (now, pulled.result, plain(pulled.error, _ERROR_CHARS), pulled.size_bytes, pulled.requests,
         _json(pulled.counts), _json([plain(note, _ERROR_CHARS) for note in pulled.notes[:50]]), run),
    )  # fmt: skip


def log_taken(db: Connection, pulled: Pulled, *, accept_smaller: bool) -> None:
    """Logs that a pull brought something new or changed, with its numbers."""
    if pulled.counts.get("new") or pulled.counts.get("changed"):
        content = {**pulled.counts, "accept_smaller": accept_smaller}
        with db.transaction():
            append(db, "feed.taken", f"feed/{pulled.feed}", content, aud=COMMUNITY)


def alarm_stale(db: Connection, name: str, *, stale: bool) -> bool:
    """Remembers that a feed is stale, or no more; returns whether somebody is to be told of it now."""
    if not stale:
        db.execute("update clearway.feed set alarmed = '' where name = %s and alarmed = 'stale'", (name,))
        return False
    done = db.execute("update clearway.feed set alarmed = 'stale' where name = %s and alarmed = ''", (name,))
    return done.rowcount > 0


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _unknown(name: str) -> NotFoundError:
    return NotFoundError("no such feed", where=plain(name, 80), mend="see `clearway feeds list`")
