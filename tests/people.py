"""Organisations with people and tokens, for tests of what each may see and do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from msgspec import Struct

from clearway.access import credential, organisation, person
from clearway.store.principal import PUBLIC, Pool, key_of


class Somebody(Struct, frozen=True, kw_only=True):
    """A person with a session and a token, each by its key; `secret` is the token's, `cookie` the session's."""

    person: int
    org: int
    roles: tuple[str, ...]
    key: str
    token_key: str
    secret: str
    cookie: str


class People:
    """Makes organisations and people in one database, as its owner."""

    def __init__(self, url: str, copied: People | None = None) -> None:
        """With `copied`, the database at `url` is a copy of theirs."""
        self.url = url
        self.pool = Pool(url, size=4)
        self.house = copied.house if copied else self.org("house", "clearinghouse")
        self.admin = copied.admin if copied else self.somebody(self.house, "administrator")

    def close(self) -> None:
        self.pool.close()

    def org(self, slug: str, kind: str = "operator") -> int:
        with self.pool.owner() as owner:
            return organisation.add(owner, slug, slug.title(), kind).org

    def somebody(self, org: int, *roles: str, kind: str = "person", name: str = "") -> Somebody:
        now = datetime.now(UTC)
        with self.pool.owner() as owner:
            made = person.add(owner, org, name or f"{'-'.join(roles)} of {org}", roles, kind=kind)
            session = credential.make_session(owner, made.person, by="code", now=now)
            token = credential.make_token(
                owner, made.person, label="test", scopes=None, life=timedelta(days=1), now=now
            )
        return Somebody(
            person=made.person,
            org=org,
            roles=roles,
            key=session.key,
            token_key=key_of(token.secret),
            secret=token.secret,
            cookie=session.secret,
        )

    def acting(self, who: Somebody | None) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A transaction of `who`, or of the public."""
        return self.pool.acting(PUBLIC if who is None else who.key)

    def owner(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self.pool.owner()


def people_of(url: str) -> Iterator[People]:
    """For a fixture: `yield from people_of(world.url)`."""
    made = People(url)
    try:
        yield made
    finally:
        made.close()
