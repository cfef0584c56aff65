"""What was made with a stolen token ends with the person's sign-out everywhere, and when they are barred."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from clearway.access import credential, person
from clearway.store.principal import key_of
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)


def token(people: People, key: str, whose: int) -> str:
    """The key of a token of `whose`, made by whoever holds `key`."""
    with people.pool.acting(key) as db:
        made = credential.make_token(db, whose, label="t", scopes=None, life=timedelta(days=1), now=NOW)
    return key_of(made.secret)


def alive(people: People, key: str) -> bool:
    with people.pool.acting(key) as db:
        return db.execute("select clearway.me()").fetchone() != (None,)


def sign_out(people: People, who: Somebody) -> None:
    with people.acting(who) as db:
        assert scalar(db, "select clearway.sign_out(true)") >= 4


def bar(people: People, who: Somebody) -> None:
    with people.acting(people.admin) as db:
        person.set_active(db, who.person, active=False)


@pytest.mark.parametrize("end", [sign_out, bar])
def test_a_services_token_that_was_made_with_a_stolen_one_ends_with_its_maker(
    people: People, a: int, end: Callable[[People, Somebody], None]
) -> None:
    thief = people.somebody(a, "administrator")
    with people.acting(thief) as db:
        service = person.add(db, a, "scanner", ["operator", "administrator"], kind="service").person
        grandson = person.add(db, a, "agent", ["operator"], kind="service").person
    child = token(people, thief.token_key, service)
    grandchild = token(people, child, grandson)
    by_session = token(people, thief.key, service)
    assert all(alive(people, key) for key in (child, grandchild, by_session))
    end(people, thief)
    assert not alive(people, child)
    assert not alive(people, grandchild)
    # What was made in person, by a session, is the organisation's: it has no parent, and stays.
    assert alive(people, by_session)


def test_signing_out_of_the_sessions_alone_ends_no_token(people: People, a: int) -> None:
    who = people.somebody(a, "administrator")
    with people.acting(who) as db:
        service = person.add(db, a, "scanner", ["operator"], kind="service").person
    child = token(people, who.token_key, service)
    with people.acting(who) as db:
        db.execute("select clearway.sign_out(false)")
    assert alive(people, child)
