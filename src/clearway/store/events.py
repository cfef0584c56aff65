"""Events: what happened, written with the act, followed by number under each reader's own rights.

A reader asks for the `horizon` and then, in its next statement, for the events after its own position and up
to the horizon: those are whole, and none will appear among them later (why: migration 0006). NOTIFY only wakes;
what is missed by a reader that slept is in the table.

A database that went back to an earlier state would give the numbers anew that were drawn after it. So whoever puts one
back has it draw on from elsewhere (`put_back`), and a reader's position says of which `era` it is.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psycopg
from msgspec import Struct

from .connect import translated
from .scalar import scalar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

CHANNEL = "clearway_event"
BATCH = 500


class Event(Struct, frozen=True, kw_only=True):
    """One event. `seq` is this server's own number: it counts what others do too, so no reader is told it."""

    seq: int
    kind: str  # "asset.added": a noun and a verb in the past
    subject: str  # the public id of what it is about: "asset/17"
    org: int | None
    at: datetime
    body: msgspec.Raw  # JSON
    aud: int = 0  # who may read it: for the log of what is read, and for no reader


class Horizon(NamedTuple):
    """How far events can be read. `reached` can rise while `last` stands still, never fall."""

    floor: int  # events up to here may have been deleted by age
    reached: int  # nothing more will appear up to here
    last: int  # drawn so far; while it is above `reached`, some transaction is about to commit or to give up

    @property
    def era(self) -> int:
        """Since when numbers are drawn without a gap: another after each `put_back`, and after two thousand million."""
        return self.last >> _ERA_BITS

    def tells(self, position: int, era: int) -> bool:
        """Whether all that came after a position of that era can be told."""
        return era == self.era and self.floor <= position <= self.last


def emit(
    db: psycopg.Connection[Any],
    kind: str,
    subject: str,
    *,
    org: int | None,
    aud: int,
    body: Mapping[str, object] | None = None,
) -> int:
    """Writes one event in this transaction and wakes the readers when it commits; returns its number.

    Emit last: readers of every event wait for a transaction that has emitted and not ended. `body` is for
    programs, at most 8 KiB of JSON, and holds nothing that the audience `aud` may not see.

    Raises:
        ForbiddenError: the principal is not of that audience itself.
    """
    text = msgspec.json.encode(body or {}).decode()
    return scalar(
        db, "select clearway.emit(%s, %s, %s::int, %s::int, %s::jsonb)", (kind, subject, org, aud, text)
    )


def horizon(db: psycopg.Connection[Any]) -> Horizon:
    """How far events can be read by the next statement of this transaction (read committed)."""
    row = db.execute(_HORIZON).fetchone()
    assert row is not None
    return Horizon(*row)


def read(
    db: psycopg.Connection[Any], after: int, upto: int, *, kinds: Sequence[str] = (), most: int = BATCH
) -> list[Event]:
    """The events that the principal may see with `after` < seq <= `upto`, ascending, at most `most`.

    `kinds` narrows to kinds that are one of them or begin with one and a dot: "asset" takes "asset.added".
    """
    rows = db.execute(
        """select seq, kind, subject, org, at, body::text, aud::int from clearway.event
        where seq > %s and seq <= %s and (%s::text[] = '{}' or exists (
            select from unnest(%s::text[]) k where kind = k or kind ^@ (k || '.')))
        order by seq limit %s""",
        (after, upto, [*kinds], [*kinds], most),
    ).fetchall()
    return [
        Event(seq=r[0], kind=r[1], subject=r[2], org=r[3], at=r[4], body=msgspec.Raw(r[5].encode()), aud=r[6])
        for r in rows
    ]


def one(db: psycopg.Connection[Any], seq: int) -> Event | None:
    """The event `seq`, or None when the principal may not see it or it is gone."""
    found = read(db, seq - 1, seq)
    return found[0] if found else None


def prune(db: psycopg.Connection[Any], days: int) -> int:
    """Deletes the events older than `days` (owner); returns how many."""
    return scalar(
        db,
        """with gone as (
            delete from clearway.event where at < clearway.now_sure() - make_interval(days => %s) returning seq
        ), moved as (
            update clearway.event_floor set seq = greatest(seq, (select coalesce(max(seq), 0) from gone))
        ) select count(*) from gone""",
        (days,),
    )


def put_back(db: psycopg.Connection[Any]) -> None:
    """Begins another era (owner): the database went back, and what was drawn since then is drawn no second time.

    Of two that were put back to the same state each goes on from a number of its own.
    """
    db.execute(
        "select setval('clearway.event_seq', (clearway.event_last() / %(size)s + %(on)s) * %(size)s)",
        {"size": 1 << _ERA_BITS, "on": 1 + secrets.randbelow(1 << 22)},
    )


_ERA_BITS = (
    31  # locks of who emits carry as many of a number (migration 0006): an era begins where these are 0
)
_HORIZON = "select floor, horizon, last from clearway.event_horizon()"
# While a transaction that has emitted is not done, the next look comes after so long, twice as long each time.
_LOOK_AGAIN_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.1)
# A look without being woken: for when the transaction that would have woken us gave up.
_LOOK_S = 1.0


async def follow(url: str) -> AsyncIterator[Horizon]:
    """The horizon at once, and then each time that it has moved, on one listening connection of its own.

    Raises:
        UpstreamError, ConfigError: the connection is lost or refused. Follow anew: nothing is missed.
    """
    with translated():
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, application_name="clearway events", connect_timeout=10
        )
        async with connection:
            await connection.execute("listen clearway_event")
            seen, looks = -1, 0
            while True:
                found = await _horizon(connection)
                if found.reached > seen:
                    seen, looks = found.reached, 0
                    yield found
                if found.reached < found.last:
                    wait = _LOOK_AGAIN_S[min(looks, len(_LOOK_AGAIN_S) - 1)]
                    looks += 1
                else:
                    wait, looks = _LOOK_S, 0
                async for _ in connection.notifies(timeout=wait, stop_after=1):
                    pass


async def _horizon(connection: psycopg.AsyncConnection[Any]) -> Horizon:
    row = await (await connection.execute(_HORIZON)).fetchone()
    assert row is not None
    return Horizon(*row)
