"""Answers kept by idempotency key, in the transaction that did what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

KEPT_HOURS = 24


class Kept(NamedTuple):
    """An answer that was given before, with the hashes of the request and of the rights it was given to.

    `seen` is whether who asks sees the rows of every audience whose rows they saw then, and none of those rows went to
    an audience that they do not see.
    """

    request_hash: bytes
    rights_hash: bytes
    seen: bool
    status: int
    headers: dict[str, str]
    body: bytes


def claim(
    db: psycopg.Connection[Any], person: int, key_hash: bytes, request_hash: bytes, rights_hash: bytes
) -> Kept | None:
    """Takes the key for this transaction and returns None, or returns the answer that it has.

    Of several transactions with one key, the others wait here until the first has ended: if it commits they find
    its answer, if it rolls back the next one takes the key.
    """
    given = (person, key_hash)
    db.execute(
        """delete from clearway.idempotency
        where person = %s and key_hash = %s and at < clock_timestamp() - make_interval(hours => %s)""",
        (*given, KEPT_HOURS),
    )
    taken = db.execute(
        """insert into clearway.idempotency (person, key_hash, request_hash, rights_hash, sight)
        values (%s, %s, %s, %s, clearway.my_bits()) on conflict do nothing""",
        (*given, request_hash, rights_hash),
    )
    if taken.rowcount == 1:
        return None
    row = db.execute(
        """select request_hash, rights_hash, status, headers::text, body,
            clearway.sees_still(sight) and not clearway.lost_since(reading, at)
        from clearway.idempotency where person = %s and key_hash = %s""",
        given,
    ).fetchone()
    if (
        row is None or row[2] is None
    ):  # deleted by age between two statements, or claimed twice in one transaction
        return claim(db, person, key_hash, request_hash, rights_hash) if row is None else None
    headers = msgspec.json.decode(row[3], type=dict[str, str])
    return Kept(bytes(row[0]), bytes(row[1]), row[5], row[2], headers, bytes(row[4]))


def keep(
    db: psycopg.Connection[Any],
    person: int,
    key_hash: bytes,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """Writes the answer for the key that this transaction has claimed, and what its person sees as it is given.

    What they saw as the work began is kept too: it may have waited for somebody else's while they lost sight of it.
    """
    db.execute(
        """update clearway.idempotency
        set status = %s, headers = %s::jsonb, body = %s, sight = clearway.either_sight(sight, clearway.my_bits())
        where person = %s and key_hash = %s""",
        (status, msgspec.json.encode(dict(headers)).decode(), body, person, key_hash),
    )


def prune(db: psycopg.Connection[Any]) -> int:
    """Deletes the answers that are too old to be given again, and what was marked before any of them (owner).

    Returns how many answers.
    """
    done = db.execute(
        "delete from clearway.idempotency where at < clock_timestamp() - make_interval(hours => %s)",
        (KEPT_HOURS,),
    )
    # An hour longer than they: what was under way as one was kept says with it.
    db.execute(
        "delete from clearway.remarked where at < clock_timestamp() - make_interval(hours => %s)",
        (KEPT_HOURS + 1,),
    )
    return done.rowcount
