"""What opens something, made while its maker's right to it ends: whoever is first is waited for, in both orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from clearway.access import audience, credential, invitation, person
from clearway.access.marking import Marking
from clearway.records.errors import AuthenticationError, ClearwayError, NotFoundError
from clearway.store.principal import key_of
from held import Waiting
from people import People, Somebody

Db = psycopg.Connection[Any]
NOW = datetime.now(UTC)


@pytest.fixture
def maker(people: People, hospital: int, chief: Somebody) -> Somebody:
    """Another administrator of the hospital, who is no more than that."""
    return people.somebody(hospital, "administrator")


@pytest.fixture
def service(people: People, hospital: int) -> Somebody:
    return people.somebody(hospital, "operator", kind="service", name="scanner")


def token(db: Db, who: int, *, org: int | None = None) -> str:
    """The key of a new token."""
    return key_of(credential.make_token(db, who, label="t", scopes=None, org=org, now=NOW).secret)


def bar(people: People, who: int, *, active: bool = False) -> None:
    with people.acting(people.admin) as db:
        person.set_active(db, who, active=active)


def ended(people: People, what: Callable[[Db], object], by: Somebody) -> Callable[[], None]:
    def act() -> None:
        with people.acting(by) as db:
            what(db)

    return act


def good(people: People, key: str) -> bool:
    with people.pool.acting(key) as db:
        return db.execute("select clearway.me()").fetchone() != (None,)


def made(people: People, who: int) -> int:
    """How many tokens of `who` are there, beside the one that everybody in these tests has."""
    with people.owner() as owner:
        row = owner.execute(
            "select count(*) - 1 from clearway.credential where person = %s and kind = 'token'", (who,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def takes(how: str, maker: Somebody) -> Callable[[Db], object]:
    """An act of the house's administrator that leaves the maker nothing to give."""
    if how == "barred":
        return lambda db: person.set_active(db, maker.person, active=False)
    return lambda db: person.revoke(db, maker.person, maker.org, "administrator")


@pytest.mark.parametrize("how", ["barred", "without the role"])
def test_a_service_s_token_is_not_made_by_who_is_losing_the_right(
    people: People, maker: Somebody, service: Somebody, how: str
) -> None:
    def make() -> None:
        with people.acting(maker) as db:
            token(db, service.person)

    with people.acting(people.admin) as db:
        takes(how, maker)(db)
        later = Waiting(people, make)
    assert isinstance(later.refused(), NotFoundError)
    assert made(people, service.person) == 0


@pytest.mark.parametrize("how", ["barred", "without the role"])
def test_who_is_making_a_service_s_token_loses_the_right_after_it(
    people: People, maker: Somebody, service: Somebody, how: str
) -> None:
    """It was theirs to give when it was there: a service outlives its administrators."""
    with people.acting(maker) as db:
        key = token(db, service.person)
        later = Waiting(people, ended(people, takes(how, maker), people.admin))
    assert later.refused() is None
    assert good(people, key)
    with pytest.raises(ClearwayError), people.acting(maker) as db:
        token(db, service.person)


def test_a_token_of_a_service_that_is_being_barred_is_not_made(
    people: People, maker: Somebody, service: Somebody
) -> None:
    def make() -> None:
        with people.acting(maker) as db:
            token(db, service.person)

    with people.acting(people.admin) as db:
        person.set_active(db, service.person, active=False)
        later = Waiting(people, make)
    assert isinstance(later.refused(), NotFoundError)


@pytest.mark.parametrize("whose", ["service", "own"])
def test_barring_ends_the_token_that_is_being_made_for_good(
    people: People, maker: Somebody, service: Somebody, whose: str
) -> None:
    who = (service if whose == "service" else maker).person
    with people.acting(maker) as db:
        key = token(db, who)
        later = Waiting(people, lambda: bar(people, who))
    assert later.refused() is None
    bar(people, who, active=True)
    assert not good(people, key)


def test_barring_ends_the_session_that_is_being_begun_for_good(people: People, maker: Somebody) -> None:
    with people.owner() as owner:
        key = credential.make_session(owner, maker.person, by="passkey", now=NOW).key
        later = Waiting(people, lambda: bar(people, maker.person))
    assert later.refused() is None
    bar(people, maker.person, active=True)
    assert not good(people, key)


@pytest.mark.parametrize("first", ["barring", "coming in"])
def test_who_is_being_barred_does_not_come_in_by_a_code(
    people: People, hospital: int, chief: Somebody, first: str
) -> None:
    with people.acting(chief) as db:
        new = person.add(db, hospital, "New", ["operator"]).person
        code = invitation.invite(db, new, hospital, now=NOW)

    def come() -> str:
        with people.owner() as owner:
            return invitation.accept(owner, code, now=NOW).key

    if first == "barring":
        with people.acting(people.admin) as db:
            person.set_active(db, new, active=False)
            later = Waiting(people, come)
        assert isinstance(later.refused(), AuthenticationError)
    else:
        with people.owner() as owner:
            key = invitation.accept(owner, code, now=NOW).key
            later = Waiting(people, lambda: bar(people, new))
        assert later.refused() is None
        bar(people, new, active=True)
        assert not good(people, key)


@pytest.mark.parametrize("how", ["barred", "without the role"])
def test_a_code_is_not_made_by_who_is_losing_the_right(
    people: People, hospital: int, maker: Somebody, how: str
) -> None:
    with people.acting(maker) as db:
        new = person.add(db, hospital, "New", ["operator"]).person

    def invite() -> None:
        with people.acting(maker) as db:
            invitation.invite(db, new, hospital, now=NOW)

    with people.acting(people.admin) as db:
        takes(how, maker)(db)
        later = Waiting(people, invite)
    assert isinstance(later.refused(), NotFoundError)


def test_barring_voids_the_code_that_is_being_made(people: People, hospital: int, chief: Somebody) -> None:
    with people.acting(chief) as db:
        new = person.add(db, hospital, "New", ["operator"]).person
    with people.acting(chief) as db:
        code = invitation.invite(db, new, hospital, now=NOW)
        later = Waiting(people, lambda: bar(people, new))
    assert later.refused() is None
    bar(people, new, active=True)
    with pytest.raises(AuthenticationError), people.owner() as owner:
        invitation.accept(owner, code, now=NOW)


@pytest.mark.parametrize("generations", [1, 2])
def test_a_token_that_is_being_made_with_another_ends_with_it(
    people: People, maker: Somebody, generations: int
) -> None:
    with people.acting(maker) as db:
        first = parent = token(db, maker.person)
    for _ in range(generations - 1):
        with people.pool.acting(parent) as db:
            parent = token(db, maker.person)
    number = credential_of(people, first)
    with people.pool.acting(parent) as db:
        key = token(db, maker.person)
        later = Waiting(people, ended(people, lambda db: credential.revoke(db, number), maker))
    assert later.refused() is None
    assert [good(people, one) for one in (first, parent, key)] == [False] * 3


@pytest.mark.parametrize("generations", [1, 2])
def test_with_a_token_that_is_being_revoked_none_is_made(
    people: People, maker: Somebody, service: Somebody, generations: int
) -> None:
    with people.acting(maker) as db:
        first = parent = token(db, maker.person)
    for _ in range(generations - 1):
        with people.pool.acting(parent) as db:
            parent = token(db, maker.person)

    def make() -> None:
        with people.pool.acting(parent) as db:
            token(db, service.person)

    with people.acting(maker) as db:
        credential.revoke(db, credential_of(people, first))
        later = Waiting(people, make)
    assert isinstance(later.refused(), NotFoundError)


@pytest.mark.parametrize("first", ["signing out", "making"])
def test_signing_out_everywhere_ends_the_token_that_is_being_made(
    people: People, maker: Somebody, first: str
) -> None:
    with people.owner() as owner:  # from another device
        other = credential.make_session(owner, maker.person, by="passkey", now=NOW).key
    out = ended(people, lambda db: credential.sign_out(db, everything=True), maker)

    def make() -> str:
        with people.pool.acting(other) as db:
            return token(db, maker.person)

    if first == "signing out":
        with people.acting(maker) as db:
            credential.sign_out(db, everything=True)
            later = Waiting(people, make)
        assert isinstance(later.refused(), NotFoundError)
    else:
        with people.pool.acting(other) as db:
            key = token(db, maker.person)
            later = Waiting(people, out)
        assert later.refused() is None
        assert not good(people, key)


@pytest.mark.parametrize("first", ["the role", "the token"])
def test_a_token_for_one_organisation_shows_nothing_of_what_its_person_is_leaving(
    people: People, hospital: int, chief: Somebody, first: str
) -> None:
    """What such a token opens is kept with it, and set anew where a role ends."""
    member = people.somebody(hospital, "operator")
    people.org("elsewhere")
    with people.acting(chief) as db:
        theirs = audience.of(db, Marking(tlp="AMBER+STRICT", org=hospital))

    def leave() -> None:
        with people.acting(people.admin) as db:
            person.revoke(db, member.person, hospital, "operator")

    def make() -> str:
        with people.acting(member) as db:
            return token(db, member.person, org=hospital)

    def opens(key: str) -> bool:
        with people.owner() as owner:
            row = owner.execute(
                """select get_bit(b.bits, %s) = 1 from clearway.credential c join clearway.badge b using (badge)
                where c.key_hash = sha256(decode(%s, 'hex'))""",
                (theirs, key),
            ).fetchone()
        assert row is not None
        return bool(row[0])

    if first == "the token":
        with people.acting(member) as db:
            key = token(db, member.person, org=hospital)
            later = Waiting(people, leave)
        assert later.refused() is None
        assert not opens(key)
    else:
        keys: list[str] = []
        with people.acting(people.admin) as db:
            person.revoke(db, member.person, hospital, "operator")
            later = Waiting(people, lambda: keys.append(make()))
        later.refused()
        assert [opens(key) for key in keys] in ([], [False])


def credential_of(people: People, key: str) -> int:
    with people.owner() as owner:
        row = owner.execute(
            "select credential from clearway.credential where key_hash = sha256(decode(%s, 'hex'))", (key,)
        ).fetchone()
    assert row is not None
    return int(row[0])
