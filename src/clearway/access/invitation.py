"""Codes for one use: how a person signs in for the first time, and how the first administrator does.

An invitation lets its holder sign in once as the invited person, and then bind a passkey or an account of an
identity provider. An embedded home that nobody administers yet has one for its first administrator.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.records.errors import AuthenticationError, NotFoundError

from . import audience, credential
from .marking import own

if TYPE_CHECKING:
    import psycopg

    from .secret import Made

LIFE = timedelta(days=7)
BOOTSTRAP_LIFE = timedelta(hours=24)
# Without 0, O, 1, I and L: it may be read out or copied by hand. 100 bits.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _GROUP = 4, 5


def make(owner: psycopg.Connection[Any], person: int, *, now: datetime, life: timedelta = LIFE) -> str:
    """A new code for `person`, like "7KQ2M-…"; the owner's connection. Older codes of the person end."""
    letters = [secrets.choice(_LETTERS) for _ in range(_GROUPS * _GROUP)]
    code = "-".join("".join(letters[i : i + _GROUP]) for i in range(0, len(letters), _GROUP))
    owner.execute("update clearway.invitation set used = now() where person = %s and used is null", (person,))
    owner.execute(
        "insert into clearway.invitation (code_hash, person, expires) values (%s, %s, %s)",
        (_hash(code), person, now + life),
    )
    return code


def invite(
    db: psycopg.Connection[Any], owner: psycopg.Connection[Any], person: int, org: int, *, now: datetime
) -> str:
    """A code for a member whom the caller administers; `owner` is the owner's connection.

    Raises:
        NotFoundError: the caller administers no such member.
    """
    row = db.execute(
        """select from clearway.membership m join clearway.person p using (person)
        where m.person = %s and m.org = %s and p.kind = 'person' and p.active
            and (clearway.may('administer', m.org) or clearway.may('administer', clearway.house()))""",
        (person, org),
    ).fetchone()
    if row is None:
        raise NotFoundError("nobody of yours has that number", where=f"person/{person}")
    ledger.append(db, "person.invited", f"person/{person}", {"org": org}, aud=audience.of(db, own(org)))
    return make(owner, person, now=now)


def accept(owner: psycopg.Connection[Any], code: str, *, now: datetime) -> Made:
    """A session for whom the code was made; it works once.

    Raises:
        AuthenticationError: no such code, used, or too old: it is not said which.
    """
    row = owner.execute(
        """update clearway.invitation i set used = %s from clearway.person p
        where i.code_hash = %s and i.used is null and i.expires > greatest(%s, clearway.now_marked())
            and p.person = i.person and p.active returning i.person""",
        (now, _hash(code), now),
    ).fetchone()
    if row is None:
        raise AuthenticationError("the code is not valid", mend="ask for a new one")
    return credential.make_session(owner, int(row[0]), by="code", now=now)


def _hash(code: str) -> bytes:
    """Spaces, dashes and case don't matter: it may be typed."""
    return sha256(b"clearway code\n" + "".join(code.upper().split()).replace("-", "").encode()).digest()
