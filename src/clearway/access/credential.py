"""Sessions and tokens: made, listed, revoked.

A session comes from signing in and lives twelve hours; a token is made by its holder, or for a service by
its administrator, and lives as long as was asked, a year at most. Both are rows that end at once when
revoked: the next statement of whoever holds them sees nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from msgspec import Struct, convert
from msgspec.structs import replace

from clearway import ledger
from clearway.records.errors import AuthenticationError, InputError
from clearway.records.principal import Right
from clearway.records.text import plain
from clearway.store.principal import hash_of
from clearway.store.scalar import scalar

from . import audience
from .marking import own
from .secret import Made, label_of, make

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

SESSION_LIFE = timedelta(hours=12)
TOKEN_LIFE = timedelta(days=90)
MOST_TOKEN_LIFE = timedelta(days=365)
ACTING_LIFE = timedelta(minutes=10)
SCOPES: tuple[str, ...] = get_args(Right)


class Credential(Struct, frozen=True, kw_only=True):
    """A session or token as it is listed: never with its secret."""

    credential: int
    public_id: str
    person: int
    kind: str
    label: str
    scopes: tuple[str, ...] | None
    org: int | None
    created: datetime
    expires: datetime
    last_used: datetime | None
    revoked: datetime | None
    signed_in_by: str = ""


def make_token(
    db: psycopg.Connection[Any],
    person: int,
    *,
    label: str,
    scopes: Sequence[str] | None,
    org: int | None = None,
    life: timedelta = TOKEN_LIFE,
    now: datetime,
) -> Made:
    """A token of one's own, or of a service that one administers; its secret is in the answer and nowhere else.

    `scopes` narrows it to some rights (None: all that its person has), `org` to one organisation. Made with a token it
    lives no longer than that: `expires` of the answer is when it ends.

    Raises:
        InputError: a scope is none, the life is too long, or the label empty.
        ForbiddenError: more scopes than the credential it is made with.
        NotFoundError: that person is not the caller's to make tokens for.
    """
    unknown = sorted(set(scopes or ()) - set(SCOPES))
    if unknown:
        raise InputError(
            f"no such scope: {plain(unknown[0], 40)}", where="scopes", mend=f"one of {', '.join(SCOPES)}"
        )
    if scopes is not None and not scopes:
        raise InputError("a token without scopes could do nothing", where="scopes")
    if not timedelta(0) < life <= MOST_TOKEN_LIFE:
        raise InputError("a token lives from now to a year at most", where="expires")
    if not label_of(label):
        raise InputError("say what the token is for", where="label")
    made = make(now + life)
    made_as = _insert(db, person, made, "token", label_of(label), scopes, org, "")
    row = db.execute("select expires from clearway.credential where credential = %s", (made_as,)).fetchone()
    assert row is not None
    made = replace(made, expires=row[0].astimezone(UTC))
    ledger.append(
        db,
        "token.made",
        f"credential/{made_as}",
        {"public_id": made.public_id, "person": person, "scopes": sorted(scopes) if scopes else "all"},
        aud=audience.of(db, own(home_of(db, person))),
    )
    return made


class Came(NamedTuple):
    """Who has signed in, and by way of whose hands (`hands_of`)."""

    person: int
    hands: Sequence[int] = ()


def make_session(
    owner: psycopg.Connection[Any], person: int, *, by: str, now: datetime, hands: Sequence[int] = ()
) -> Made:
    """A session for somebody who has just signed in (`by`: "oidc", "passkey", "code"); the owner's connection.

    `hands` are others' who may have signed in as them: no second person beside what is done with it (`hands_of`).
    """
    made = make(now + SESSION_LIFE)
    made_as = _insert(owner, person, made, "session", "", None, None, by)
    if hands:
        owner.execute(
            "update clearway.credential set hands = %s where credential = %s", (list(hands), made_as)
        )
    ledger.append(
        owner,
        "session.begun",
        f"credential/{made_as}",
        {"person": person, "by": by, **told(hands)},
        aud=audience.of(owner, own(home_of(owner, person))),
    )
    return made


def make_acting(owner: psycopg.Connection[Any], person: int, *, now: datetime) -> Made:
    """A key under which a job works for somebody for ten minutes; the owner's connection.

    It isn't known by which way in they began the job: whose hands are in any of them, theirs are in this.
    """
    made = make(now + ACTING_LIFE)
    made_as = _insert(owner, person, made, "acting", "", None, None, "job")
    owner.execute(
        """update clearway.credential set hands = clearway.sorted(array(select h from clearway.credential c,
            unnest(c.hands) h where c.person = %s and c.kind <> 'acting' and h > 0))
        where credential = %s""",
        (person, made_as),
    )
    return made


def revoke(db: psycopg.Connection[Any], credential: int) -> None:
    """Ends a session or token of one's own, of a service, or of anybody for the house's administrators.

    Raises:
        NotFoundError: there is none of that number that the caller may end.
    """
    # First the entry: who ends the session that asks is nobody afterwards.
    ledger.append(
        db, "credential.revoked", f"credential/{credential}", aud=audience.of(db, own(_my_home(db)))
    )
    db.execute("select clearway.revoke_credential(%s)", (credential,))


def sign_out(db: psycopg.Connection[Any], *, everything: bool = False) -> int:
    """Ends every session of the caller, and with `everything` every token too; how many ended.

    The entry is for their organisation's members; of somebody without one, for themself and the auditors of the house.
    """
    row = db.execute(
        "select clearway.me(), (select min(m.org) from clearway.membership m where m.person = clearway.me())"
    ).fetchone()
    assert row is not None
    if row[0] is None:
        raise AuthenticationError("the session has ended", mend="sign in again")
    # First the entry: who has signed out is nobody afterwards.
    seen_by = (
        audience.of(db, own(int(row[1])))
        if row[1] is not None
        else scalar(db, "select clearway.my_own_audience()")
    )
    ledger.append(db, "session.ended_everywhere", f"person/{row[0]}", {"tokens": everything}, aud=seen_by)
    return scalar(db, "select clearway.sign_out(%s)", (everything,))


def listed(db: psycopg.Connection[Any], *, person: int | None = None) -> tuple[Credential, ...]:
    """Sessions and tokens that the caller may see (of `person`), the newest first, those that ended too."""
    rows = db.execute(
        """select jsonb_build_object('credential', credential, 'public_id', public_id, 'person', person,
            'kind', kind, 'label', label, 'scopes', scopes, 'org', org, 'created', created, 'expires', expires,
            'last_used', last_used, 'revoked', revoked, 'signed_in_by', signed_in_by)
        from clearway.credential where kind in ('session', 'token') and (%s::int is null or person = %s)
        order by credential desc limit 500""",
        (person, person),
    )
    return tuple(convert(row[0], Credential) for row in rows)


def _insert(
    db: psycopg.Connection[Any],
    person: int,
    made: Made,
    kind: str,
    label: str,
    scopes: Sequence[str] | None,
    org: int | None,
    by: str,
) -> int:
    return scalar(
        db,
        "select clearway.add_credential(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            person,
            made.key_hash,
            made.public_id,
            kind,
            label,
            None if scopes is None else sorted(set(scopes)),
            org,
            made.expires,
            by,
        ),
    )


def hands_of(owner: psycopg.Connection[Any], key: str) -> list[int]:
    """In whose hands the credential of `key` is, beside its person's; the owner's connection.

    They made the code from which it comes, or could have been in the account that made it. A negative number is no
    person's: -n came in by the bound account n of an identity provider (migration 0090 has the rule).
    """
    row = owner.execute(
        "select hands from clearway.credential where key_hash = %s", (hash_of(key),)
    ).fetchone()
    return list(row[0]) if row is not None else []


def told(hands: Sequence[int]) -> dict[str, list[int]]:
    """`hands` as the log tells of them: the people among them, and nothing where there are none."""
    people = [who for who in hands if who > 0]
    return {"hands": people} if people else {}


def home_of(db: psycopg.Connection[Any], person: int) -> int:
    """The organisation whose log tells of this person: the first that the person belongs to, else the house."""
    return scalar(
        db,
        "select coalesce((select min(org) from clearway.membership where person = %s), clearway.house())",
        (person,),
    )


def _my_home(db: psycopg.Connection[Any]) -> int:
    return home_of(db, scalar(db, "select greatest(clearway.actor(), 0)"))
