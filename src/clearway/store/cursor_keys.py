"""The keys that seal cursors: made once, read by the program and by no query of anybody else's."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

KEY_BYTES = 64  # AES-256-SIV
_LOCK = 0x637572736F72


def keys(db: psycopg.Connection[Any]) -> dict[int, bytes]:
    """The keys in use by number (owner); the greatest seals, the others still open. Makes the first one."""
    found = _all(db)
    return found or rotate(db, only_first=True)


def rotate(db: psycopg.Connection[Any], *, only_first: bool = False) -> dict[int, bytes]:
    """A new key, and the one before it; older ones are deleted, and with them what they sealed (owner).

    With `only_first` nothing happens where there is a key. Returns the keys in use.
    """
    db.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    found = _all(db)
    if found and only_first:
        return found
    number = (max(found) + 1) if found else 1
    if number > 255:  # the number is one byte: start over, as if every cursor had expired
        db.execute("delete from clearway.cursor_key")
        number = 1
    db.execute(
        "insert into clearway.cursor_key (id, key) values (%s, %s)", (number, secrets.token_bytes(KEY_BYTES))
    )
    db.execute("delete from clearway.cursor_key where id < %s", (number - 1,))
    return _all(db)


def _all(db: psycopg.Connection[Any]) -> dict[int, bytes]:
    return {row[0]: bytes(row[1]) for row in db.execute("select id, key from clearway.cursor_key").fetchall()}
