"""An authority and two organisations in a database of their own, with people who have the roles that the acts need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clearway.access import credential, organisation, person
from clearway.directives.issue import Key
from clearway.directives.kept import names
from clearway.records.principal import Principal
from clearway.store.connect import connect, translated
from clearway.store.principal import Pool, key_of

NOW = datetime.now(UTC)
ORGANISATIONS = (
    ("house", "The house", "clearinghouse"),
    ("authority", "The authority", "authority"),
    ("other-authority", "Another authority", "authority"),
    ("water", "Water works", "operator"),
    ("hospital", "Hospital", "operator"),
)


class Desk:
    """Organisations by slug; for each an official, an operator and an administrator, who act by their tokens."""

    def __init__(self, url: str, secrets: dict[str, str]) -> None:
        self.url = url
        self.secrets = secrets
        self.keys = {who: key_of(secret) for who, secret in secrets.items()}
        self.pool = Pool(url, size=4)
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.key = Key(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @contextmanager
    def acting(self, who: str) -> Iterator[tuple[psycopg.Connection[Any], Principal]]:
        """One transaction of "role@organisation"."""
        with self.pool.acting(self.keys[who]) as db:
            row = db.execute("select clearway.whoami()::text").fetchone()
            assert row is not None
            yield db, msgspec.json.decode(row[0], type=Principal)

    def do(self, who: str, act: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """`act(db, me, …)` in a transaction of its own."""
        with self.acting(who) as (db, me):
            return act(db, me, *args, **named)

    def ask(self, who: str, query: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """`query(db, …)` in a transaction of its own."""
        with self.acting(who) as (db, _):
            return query(db, *args, **named)

    def known_on_their_days(self) -> None:
        """Makes what was issued and addressed known from its own day on, whatever today is."""
        with translated(), connect(self.url) as owner:
            owner.execute("update clearway.directive_version set issued_at = least(issued_at, issued)")
            owner.execute("update clearway.directive_address set made = least(made, since)")

    def log(self, act: str) -> int:
        """How many entries of that act the log has."""
        with translated(), connect(self.url) as owner:
            row = owner.execute("select count(*) from clearway.log_entry where act = %s", (act,)).fetchone()
        assert row is not None
        return int(row[0])


def furnish(url: str) -> dict[str, str]:
    """Makes the organisations and people in an empty database; returns each one's secret by "role@organisation"."""
    secrets = {}
    with translated(), connect(url) as owner:
        for slug, name, kind in ORGANISATIONS:
            org = organisation.add(owner, slug, name, kind).org
            for role in ("official", "operator", "administrator", "auditor"):
                someone = person.add(owner, org, f"{role} of {slug}", (role,))
                made = credential.make_token(
                    owner, someone.person, label="test", scopes=None, life=timedelta(days=1), now=NOW
                )
                secrets[f"{role}@{slug}"] = made.secret
            if kind == "authority":  # as CISA would be
                names.tie(owner, "bod-26-04", slug)
    return secrets
