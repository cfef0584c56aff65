"""Codes for one use: how a person signs in for the first time, and how the first administrator does.

An invitation lets its holder sign in once as the invited person, and then bind a passkey or an account of an
identity provider. An embedded home that nobody administers yet has one for its first administrator.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from clearway import ledger
from clearway.records.errors import AuthenticationError
from clearway.store.scalar import scalar

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
_BESIDE = 4  # of the first administrator's at once: each server that starts shows one


def invite(
    db: psycopg.Connection[Any], person: int, org: int, *, now: datetime, life: timedelta = LIFE
) -> str:
    """A code for a member of `org`, like "7KQ2M-…", shown once; codes made for them before end.

    What comes of it remembers who made the code, and who could have been in their account: they are no second person
    beside it. A code that is made on the machine of the home has nobody's hands in it. Where it is no new account's
    first way in, it is "person.recovered" on the log of `org`, and on their page.

    Raises:
        NotFoundError: the caller administers no such member.
        ForbiddenError: it is not the caller's to let them in.
    """
    code = _made()
    again = scalar(db, "select clearway.invite(%s, %s, %s, %s)", (person, org, _hash(code), now + life))
    act = "person.recovered" if again else "person.invited"
    ledger.append(db, act, f"person/{person}", {"org": org}, aud=audience.of(db, own(org)))
    return code


def first(owner: psycopg.Connection[Any], person: int, org: int, *, now: datetime) -> str:
    """A code for the first administrator, shown once, beside those that other servers of this database show.

    The newest few are good; whichever is used ends the others.
    """
    code = _made()
    owner.execute(
        """update clearway.invitation set used = %s where invitation in (select invitation from clearway.invitation
            where person = %s and used is null order by invitation desc offset %s)""",
        (now, person, _BESIDE - 1),
    )
    owner.execute(
        "insert into clearway.invitation (code_hash, person, expires) values (%s, %s, %s)",
        (_hash(code), person, now + BOOTSTRAP_LIFE),
    )
    ledger.append(owner, "person.invited", f"person/{person}", {"org": org}, aud=audience.of(owner, own(org)))
    return code


def accept(owner: psycopg.Connection[Any], code: str, *, now: datetime) -> Made:
    """A session for whom the code was made; it works once, and ends other codes of theirs.

    Raises:
        AuthenticationError: no such code, used, or too old: it is not said which.
    """
    # The person first, as whoever bars or invites them takes it before their codes.
    owner.execute(
        """select from clearway.person p where p.person =
            (select i.person from clearway.invitation i where i.code_hash = %s) for no key update""",
        (_hash(code),),
    )
    row = owner.execute(
        """update clearway.invitation i set used = %s, accepted = clock_timestamp() from clearway.person p
        where i.code_hash = %s and i.used is null and i.expires > greatest(%s, clearway.now_marked())
            and p.person = i.person and p.active returning i.person, i.hands""",
        (now, _hash(code), now),
    ).fetchone()
    if row is None:
        raise AuthenticationError("the code is not valid", mend="ask for a new one")
    owner.execute(
        "update clearway.invitation set used = %s where person = %s and used is null", (now, row[0])
    )
    return credential.make_session(owner, int(row[0]), by="code", now=now, hands=row[1])


class Recovery(NamedTuple):
    """A code with which somebody could come in as its reader: who made it, and when one came by it, None if never."""

    made: datetime
    by: str
    came: datetime | None


def recoveries(db: psycopg.Connection[Any]) -> tuple[Recovery, ...]:
    """The codes that were made for the caller's account since it was theirs, the newest first, 5 at most."""
    return tuple(Recovery(*row) for row in db.execute("select * from clearway.my_recoveries()"))


def _made() -> str:
    letters = [secrets.choice(_LETTERS) for _ in range(_GROUPS * _GROUP)]
    return "-".join("".join(letters[i : i + _GROUP]) for i in range(0, len(letters), _GROUP))


def normal(code: str) -> str:
    """A code as it is compared: spaces, dashes and case don't matter, as it may be typed."""
    return "".join(code.upper().split()).replace("-", "")


def _hash(code: str) -> bytes:
    return sha256(b"clearway code\n" + normal(code).encode()).digest()
