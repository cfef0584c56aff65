"""The administrator of an embedded home: whoever may read the home's own files.

A home that one person keeps on one machine needs no sign-in for its command line: the first command makes
the house, its administrator, and a token for that person in a file that only the home's owner may read.
The same person signs in to the pages with the one-time code that `clearway up` prints.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clearway.records.errors import AuthenticationError, ConfigError
from clearway.store.connect import connect, translated
from clearway.store.principal import key_of

from . import credential, invitation, organisation, person

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import psycopg

TOKEN_VARIABLE = "CLEARWAY_TOKEN"  # noqa: S105  the variable's name
_FILE = "local-token"
_LIFE = timedelta(days=365)
_HOUSE = ("local", "This installation", "clearinghouse")


def key(url: str, home: Path, *, now: datetime) -> str:
    """The key that this machine's commands act under: of CLEARWAY_TOKEN, or of the home's own token, made once.

    Raises:
        AuthenticationError: the token is not valid any more, or another's database has no local one.
        ConfigError: the home's file can't be read or written.
    """
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        with translated(), connect(url) as owner:
            _used(owner, key_of(given))
        return key_of(given)
    path = home / _FILE
    with translated(), connect(url) as owner:
        try:
            secret = path.read_text("ascii").strip()
        except FileNotFoundError:
            secret = ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token can't be read: {error}", where=str(path)) from error
        if not secret or not _valid(owner, key_of(secret)):
            secret = _make(owner, now)
            _write(path, secret)
        _used(owner, key_of(secret))
        return key_of(secret)


def ensure_house(owner: psycopg.Connection[Any]) -> tuple[int, int]:
    """The house and its first administrator, (organisation, person), made where there is none yet."""
    # Two first commands at once: one makes them, the other finds them.
    owner.execute("select pg_advisory_xact_lock(hashtextextended('clearway house', 0))")
    row = owner.execute(
        """select o.org, (select min(m.person) from clearway.membership m join clearway.person p using (person)
            where m.org = o.org and m.role = 'administrator' and p.active and p.kind = 'person')
        from clearway.organisation o where o.house"""
    ).fetchone()
    if row is not None and row[1] is not None:
        return int(row[0]), int(row[1])
    org = organisation.add(owner, *_HOUSE).org if row is None else int(row[0])
    made = person.add(owner, org, "Local administrator", ("administrator", "operator", "coordinator"))
    return org, made.person


def bootstrap_code(owner: psycopg.Connection[Any], *, now: datetime) -> str:
    """A one-time code for the first administrator, "" once anybody has a way to sign in to the pages."""
    org, first = ensure_house(owner)
    row = owner.execute(
        """select exists (select from clearway.identity i join clearway.membership m using (person)
            where m.role = 'administrator' and m.org = clearway.house())"""
    ).fetchone()
    if row is not None and row[0]:
        return ""
    return invitation.first(owner, first, org, now=now)


def _valid(owner: psycopg.Connection[Any], key: str) -> bool:
    from clearway.store.principal import hash_of

    row = owner.execute(
        """select from clearway.credential c join clearway.person p using (person)
        where c.key_hash = %s and c.revoked is null and c.expires > clearway.now_marked() and p.active""",
        (hash_of(key),),
    ).fetchone()
    return row is not None


def _used(owner: psycopg.Connection[Any], key: str) -> None:
    """Notes that the credential was used, as a request does, once a minute at most.

    A server that takes no writes (a full disk, a standby) hinders nobody from reading.
    """
    import psycopg

    from clearway.store.principal import hash_of

    with suppress(psycopg.Error), owner.transaction():
        owner.execute(
            """update clearway.credential set last_used = clock_timestamp() where key_hash = %s and revoked is null
                and (last_used is null or last_used < clock_timestamp() - interval '1 minute')""",
            (hash_of(key),),
        )


def _make(owner: psycopg.Connection[Any], now: datetime) -> str:
    _, first = ensure_house(owner)
    row = owner.execute("select active from clearway.person where person = %s", (first,)).fetchone()
    if row is None or not row[0]:
        raise AuthenticationError("the local administrator has been barred", mend="set CLEARWAY_TOKEN")
    made = credential.make_token(
        owner, first, label="this machine's commands", scopes=None, life=_LIFE, now=now
    )
    # Whoever reads the home's files owns it: this token does what people in no single role may.
    owner.execute("update clearway.credential set machine = true where key_hash = %s", (made.key_hash,))
    return made.secret


def _write(path: Path, secret: str) -> None:
    """Whole or not at all, and for the owner's eyes only from its first byte."""
    unfinished = path.with_name(f"{path.name}.new{os.getpid()}")
    try:
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secret + "\n")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise ConfigError(f"the token can't be kept: {error}", where=str(path)) from error
