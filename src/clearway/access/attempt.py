"""Sign-ins under way: what was begun in a browser, kept until it comes back, and good for once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from clearway.records.errors import AuthenticationError

if TYPE_CHECKING:
    import psycopg

LIFE = timedelta(minutes=10)
_Body = TypeVar("_Body")


def begin(owner: psycopg.Connection[Any], kind: str, body: msgspec.Struct, *, now: datetime) -> str:
    """Keeps `body` for ten minutes; the secret by which the same browser gets it back."""
    secret = secrets.token_urlsafe(32)
    owner.execute("delete from clearway.sign_in_attempt where expires < %s", (now - LIFE,))
    owner.execute(
        "insert into clearway.sign_in_attempt (secret_hash, kind, body, expires) values (%s, %s, %s, %s)",
        (_hash(secret), kind, msgspec.json.encode(body).decode(), now + LIFE),
    )
    return secret


def take(
    owner: psycopg.Connection[Any], secret: str, kind: str, shape: type[_Body], *, now: datetime
) -> _Body:
    """What was kept, which is gone then: nothing that was begun can be finished twice.

    Raises:
        AuthenticationError: there is nothing, or it is too old.
    """
    row = owner.execute(
        """delete from clearway.sign_in_attempt where secret_hash = %s and kind = %s and expires > %s
        returning body::text""",
        (_hash(secret), kind, now),
    ).fetchone()
    if row is None:
        raise AuthenticationError(
            "this sign-in was not begun here, or took over ten minutes", mend="begin again"
        )
    return msgspec.json.decode(row[0], type=shape)


def _hash(secret: str) -> bytes:
    return sha256(b"clearway attempt\n" + secret.encode()).digest()
