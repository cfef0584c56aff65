"""Secrets that people and programs present: made here, shown once, kept nowhere.

A token is `cw_ID.SECRET`: the id names it in lists and logs, and the fixed prefix lets scanners of source
code find one that was left behind. Its 256 random bits need no slow hash.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.text import plain
from clearway.store.principal import hash_of, key_of

if TYPE_CHECKING:
    from datetime import datetime

PREFIX = "cw_"
_ID_BYTES = 9
_SECRET_BYTES = 32


class Made(Struct, frozen=True, kw_only=True):
    """A new credential. `secret` is shown to its holder once; `key_hash` is what is stored."""

    public_id: str
    secret: str
    key: str
    key_hash: bytes
    expires: datetime

    def __repr__(self) -> str:
        return f"Made({self.public_id}, secret not shown)"


def make(expires: datetime) -> Made:
    """A new secret with its key and the hash of that."""
    public_id = PREFIX + secrets.token_hex(_ID_BYTES)
    secret = f"{public_id}.{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = key_of(secret)
    return Made(public_id=public_id, secret=secret, key=key, key_hash=hash_of(key), expires=expires)


def label_of(text: str) -> str:
    """A label as it may be shown: one line, no control characters, at most 100 characters."""
    return plain(" ".join(text.split()))[:100]
