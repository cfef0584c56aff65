"""What was asked of a list, as the entries of its reading say it: a digest, and holding a question against it.

An entry `content.read` of a list names the filters that were set, and not what they were set to: a value may name what
not all who read the entry may see. Of the values it has a digest, HMAC-SHA-256 (RFC 2104) cut to 128 bits, under a key
that is in the database alone and covers the reader's number: equal digests of one reader are equal questions, and who
knows what others may have asked for can't find it by asking the same. The installation's owner holds a suspected
question against it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from .append import READ

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

LIST = "list/"
_MOST = 1_000


class Found(Struct, frozen=True, kw_only=True):
    """An entry by its number, and when it was written (UTC)."""

    entry: int
    at: datetime


class Read(Struct, frozen=True, kw_only=True):
    """The digest of a question, and the entries that have it, the newest first, at most 1,000."""

    asked: str
    entries: tuple[Found, ...]


def text_of(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """What the digest of a question to the list `name` is made of: its filters with their values, in one order."""
    return f"{name}?{urlencode(sorted(pairs))}"


def digest(db: psycopg.Connection[Any], name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The digest of the caller's own question, 32 hexadecimal digits."""
    row = db.execute("select clearway.question(%s)", (text_of(name, pairs),)).fetchone()
    return str(row[0]) if row else ""


def read_under(owner: psycopg.Connection[Any], person: int, name: str, question: str) -> Read:
    """The entries that say that `person` read the list `name` under the filters of `question`, a query string.

    All the filters that were set, in any order; not the list's order or place. What was erased is not found.
    """
    pairs = parse_qsl(question.lstrip("?"), keep_blank_values=True)
    row = owner.execute("select clearway.question_of(%s, %s)", (person, text_of(name, pairs))).fetchone()
    asked = str(row[0]) if row else ""
    rows = owner.execute(
        "select entry, at from clearway.log_entry where act = %s and subject = %s and actor = %s "
        "and strpos(content, %s) > 0 order by entry desc limit %s",
        (READ, LIST + name, person, f'"asked":"{asked}"', _MOST),
    )
    return Read(asked=asked, entries=tuple(Found(entry=entry, at=at) for entry, at in rows))
