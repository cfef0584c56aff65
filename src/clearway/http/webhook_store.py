"""Webhooks and their deliveries in the database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

from clearway.records.errors import NotFoundError
from clearway.store import events
from clearway.store.scalar import scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

KEEP_OLD_SECRET_H = 24
DEAD_IN_A_ROW = 10  # messages given up one after the other; then the webhook is stopped
FAN_OUT = 500  # events of one webhook at a time


class Webhook(Struct, frozen=True, kw_only=True):
    """Where an organisation wants to be told of events. `kinds` empty is every kind.

    `person` is whose rights decide, at the time of each delivery. `stopped` says why it was made inactive when
    nobody asked for that.
    """

    webhook: int
    org: int
    person: int
    url: str
    kinds: tuple[str, ...]
    label: str
    active: bool
    stopped: str
    created: datetime


class Delivery(Struct, frozen=True, kw_only=True):
    """One message to one webhook. `kind` and `subject` are null when the reader may not see the event.

    `state`: pending, delivered, dead (given up, may be delivered again) or withheld (its person may not see it).
    """

    delivery: int
    state: str
    kind: str | None
    subject: str | None
    attempts: int
    created: datetime
    next_at: datetime | None
    done: datetime | None
    last_status: int | None
    last_error: str


class Due(Struct, frozen=True, kw_only=True):
    """A delivery that is to be tried now, with what only the sender needs."""

    delivery: int
    uid: UUID
    webhook: int
    person: int
    event: int | None
    url: str
    attempts: int
    keys: tuple[bytes, ...]


_COLUMNS = "webhook, org, person, url, kinds, label, active, stopped, created"


# Messages to be sent; a test is sent to an inactive webhook too.
_DUE = """from clearway.webhook_delivery d join clearway.webhook w using (webhook)
        where d.state = 'pending' and (w.active or d.event is null)"""


def add(
    db: psycopg.Connection[Any],
    *,
    org: int,
    aud: int,
    person: int,
    url: str,
    kinds: Sequence[str],
    label: str,
) -> tuple[Webhook, int]:
    """Adds a webhook that is told of events from now on; the webhook and its version.

    Raises:
        ForbiddenError: not an administrator of `org`.
        NotFoundError: `person` is neither the principal nor a service that it administers.
    """
    made = scalar(
        db,
        "insert into clearway.webhook (org, aud, person, url, kinds, label) values (%s, %s, %s, %s, %s, %s) "
        "returning webhook",
        (org, aud, person, url, [*kinds], label),
    )
    return one(db, made)


def one(db: psycopg.Connection[Any], webhook: int, *, lock: bool = False) -> tuple[Webhook, int]:
    """A webhook and its version.

    Raises:
        NotFoundError: there is none that the principal may see.
    """
    return seen(db, webhook, lock=lock)[:2]


def seen(db: psycopg.Connection[Any], webhook: int, *, lock: bool = False) -> tuple[Webhook, int, int]:
    """As `one`, with its audience, for the log of what is read."""
    tail = " for update" if lock else ""
    row = db.execute(
        f"select {_COLUMNS}, version, aud from clearway.webhook where webhook = %s{tail}",  # noqa: S608 - constants
        (webhook,),
    ).fetchone()
    if row is None:
        raise NotFoundError("nothing of that name is here")
    *values, version, aud = row
    found = dict(zip(Webhook.__struct_fields__, values, strict=True))
    return Webhook(**{**found, "kinds": tuple(found["kinds"])}), int(version), int(aud)


def change(
    db: psycopg.Connection[Any], webhook: int, *, url: str, kinds: Sequence[str], label: str, active: bool
) -> tuple[Webhook, int]:
    """Changes a webhook; what it missed while it was inactive is not told later."""
    db.execute("select clearway.change_webhook(%s, %s, %s, %s, %s)", (webhook, url, [*kinds], label, active))
    return one(db, webhook)


def remove(db: psycopg.Connection[Any], webhook: int) -> None:
    """Removes a webhook with its secrets and deliveries."""
    db.execute("delete from clearway.webhook where webhook = %s", (webhook,))


def set_secret(db: psycopg.Connection[Any], webhook: int, secret: bytes) -> None:
    """Signs with `secret` from now on, and for a day with the one before it too."""
    db.execute(
        "select clearway.set_webhook_secret(%s, %s, make_interval(hours => %s))",
        (webhook, secret, KEEP_OLD_SECRET_H),
    )


def redeliver(db: psycopg.Connection[Any], webhook: int, delivery: int) -> None:
    """Makes a delivery pending again.

    Raises:
        NotFoundError: there is none of this webhook's that the principal may send.
        ConflictError: it is pending.
    """
    row = db.execute(
        "select from clearway.webhook_delivery where delivery = %s and webhook = %s", (delivery, webhook)
    ).fetchone()
    if row is None:
        raise NotFoundError("nothing of that name is here")
    db.execute("select clearway.redeliver(%s)", (delivery,))


def test(db: psycopg.Connection[Any], webhook: int) -> int:
    """Adds a test message; the number of its delivery."""
    return scalar(db, "select clearway.test_webhook(%s)", (webhook,))


def fan_out(owner: psycopg.Connection[Any]) -> list[int]:
    """Makes deliveries of the events that have none yet; the webhooks that have new ones.

    An event goes to a webhook when its person sees the event's audience now; whether that still holds is asked
    again when it is sent. Call it again until nothing comes.
    """
    horizon = events.horizon(owner)
    made: list[int] = []
    waiting = owner.execute(
        """select w.webhook, w.position from clearway.webhook w
        where w.active and w.position < %s order by w.webhook for update skip locked""",
        (horizon.reached,),
    ).fetchall()
    for webhook, position in waiting:
        found = [
            row[0]
            for row in owner.execute(
                """select e.seq from clearway.webhook w
                    join clearway.person p on p.person = w.person and p.active
                    join clearway.badge b on b.badge = p.badge
                    join clearway.event e on e.seq > %s and e.seq <= %s and get_bit(b.bits, e.aud) = 1
                        and (e.org in (0, w.org) or e.aud <= 1)
                where w.webhook = %s and (w.kinds = '{}' or exists (
                    select from unnest(w.kinds) k where e.kind = k or e.kind ^@ (k || '.')))
                order by e.seq limit %s""",
                (position, horizon.reached, webhook, FAN_OUT),
            ).fetchall()
        ]
        added = owner.execute(
            """insert into clearway.webhook_delivery (webhook, org, aud, event, next_at)
            select w.webhook, w.org, w.aud, seq, clock_timestamp()
            from clearway.webhook w, unnest(%s::bigint[]) seq where w.webhook = %s
            order by seq on conflict do nothing""",
            (found, webhook),
        ).rowcount
        upto = found[-1] if len(found) == FAN_OUT else horizon.reached
        owner.execute("update clearway.webhook set position = %s where webhook = %s", (upto, webhook))
        if added:
            made.append(webhook)
    return made


def claim(owner: psycopg.Connection[Any], webhook: int) -> bool:
    """Whether this worker may send to `webhook` for the next minute; not while another does."""
    return (
        owner.execute(
            """update clearway.webhook set busy_until = clock_timestamp() + interval '1 minute'
            where webhook = %s and (busy_until is null or busy_until < clock_timestamp())""",
            (webhook,),
        ).rowcount
        == 1
    )


def release(owner: psycopg.Connection[Any], webhook: int) -> datetime | None:
    """Lets others send to `webhook`; when its next message is due, None without one."""
    owner.execute("update clearway.webhook set busy_until = null where webhook = %s", (webhook,))
    row = owner.execute(
        f"select min(d.next_at) {_DUE} and d.webhook = %s",
        (webhook,),
    ).fetchone()
    found: datetime | None = row[0] if row else None
    return found


def due(owner: psycopg.Connection[Any], webhook: int) -> Due | None:
    """The next message to `webhook` whose time has come; keeps the claim for another minute."""
    owner.execute(
        "update clearway.webhook set busy_until = clock_timestamp() + interval '1 minute' where webhook = %s",
        (webhook,),
    )
    row = owner.execute(
        f"""select d.delivery, d.uid, d.webhook, w.person, d.event, w.url, d.attempts,
            array(select s.secret from clearway.webhook_secret s where s.webhook = d.webhook
                and (s.until is null or s.until > clock_timestamp()) order by s.until desc nulls first)
        {_DUE} and d.webhook = %s and d.next_at <= clock_timestamp() order by d.delivery limit 1""",  # noqa: S608
        (webhook,),
    ).fetchone()
    if row is None:
        return None
    *values, keys = row
    names = Due.__struct_fields__[:-1]
    return Due(**dict(zip(names, values, strict=True)), keys=tuple(bytes(key) for key in keys))


def settle(
    owner: psycopg.Connection[Any], one: Due, state: str, *, status: int | None, error: str = ""
) -> None:
    """Ends a delivery as delivered, dead or withheld; stops a webhook that takes nothing any more."""
    owner.execute(
        """update clearway.webhook_delivery set state = %s, attempts = attempts + 1, done = clock_timestamp(),
            next_at = null, last_status = %s, last_error = %s where delivery = %s""",
        (state, status, error, one.delivery),
    )
    if state == "delivered":
        owner.execute(
            "update clearway.webhook set dead_in_a_row = 0 where webhook = %s and dead_in_a_row > 0",
            (one.webhook,),
        )
    elif state == "dead":
        owner.execute(
            """update clearway.webhook set dead_in_a_row = dead_in_a_row + 1,
                active = active and dead_in_a_row + 1 < %(most)s and %(status)s is distinct from 410,
                stopped = case when %(status)s = 410 then 'the receiver says that it is gone (410)'
                    when dead_in_a_row + 1 >= %(most)s then 'the last messages could not be delivered'
                    else stopped end
            where webhook = %(webhook)s""",
            {"most": DEAD_IN_A_ROW, "status": status, "webhook": one.webhook},
        )


def postpone(
    owner: psycopg.Connection[Any], one: Due, wait_s: float, *, status: int | None, error: str
) -> None:
    """Notes a failed attempt, and that the next one comes after `wait_s`."""
    owner.execute(
        """update clearway.webhook_delivery set attempts = attempts + 1, last_status = %s, last_error = %s,
            next_at = clock_timestamp() + make_interval(secs => %s) where delivery = %s""",
        (status, error, wait_s, one.delivery),
    )


def prune(owner: psycopg.Connection[Any], days: int) -> int:
    """Deletes deliveries that were settled over `days` ago and are under no legal hold; returns how many."""
    return owner.execute(
        """delete from clearway.webhook_delivery d where d.state <> 'pending'
            and d.done < clearway.now_sure() - make_interval(days => %s)
            and not clearway.held(d.org, 'webhook/' || d.webhook,
                coalesce((select e.subject from clearway.event e where e.seq = d.event), ''))""",
        (days,),
    ).rowcount
