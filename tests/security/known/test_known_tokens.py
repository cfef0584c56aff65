"""A token is for the work it was made for: it signs nobody in, widens nothing, and ends with what it came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access_house import House
from clearway.access import audience, credential, person
from clearway.access.marking import Marking, own
from clearway.records.errors import ForbiddenError, NotFoundError
from clearway.store.principal import key_of
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)
WAYS_IN = (
    "/settings/account/passkeys/options",
    "/settings/account/passkeys",
    "/settings/account/bind/idp",
    "/settings/account/identities/1/remove",
)


def token(
    people: People,
    key: str,
    who: int,
    *,
    scopes: list[str] | None = None,
    org: int | None = None,
    days: float = 1,
) -> str:
    with people.pool.acting(key) as db:
        return credential.make_token(
            db, who, label="t", scopes=scopes, org=org, life=timedelta(days=days), now=NOW
        ).secret


def me(people: People, secret: str) -> Any:
    with people.pool.acting(key_of(secret)) as db:
        return db.execute("select clearway.me()").fetchone()[0]  # type: ignore[index]


def begun(house: House) -> int:
    """How many sign-ins or bindings are under way."""
    with house.people.owner() as owner:
        return scalar(owner, "select count(*) from clearway.sign_in_attempt")


@pytest.mark.parametrize("path", WAYS_IN)
@pytest.mark.parametrize("scopes", [None, ["read"]], ids=["a whole token", "a narrow token"])
def test_no_token_does_what_signs_a_person_in(house: House, path: str, scopes: list[str] | None) -> None:
    who = house.member.who
    assert who is not None
    secret = token(house.people, who.key, who.person, scopes=scopes)
    answer = house.member.client.post(path, json={}, headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 403
    assert "a token is not enough" in answer.text
    assert begun(house) == 0


def test_every_route_that_signs_in_or_binds_is_for_sessions_alone(house: House) -> None:
    """A route of the account that changes how one signs in, and is not in the list above, fails here."""
    found: dict[str, bool] = {}
    for route in house.app.framework.routes:
        for handler in getattr(route, "route_handlers", ()):
            if "POST" in handler.http_methods and "/account/" in route.path:
                found[route.path] = bool(handler.opt.get("session"))
    closed = {path for path, session in found.items() if session}
    assert {path.split("{")[0] for path in closed} == {
        "/settings/account/passkeys/options",
        "/settings/account/passkeys",
        "/settings/account/bind/",
        "/settings/account/identities/",
    }
    assert not [
        p for p, session in found.items() if not session and ("passkey" in p or "bind" in p or "ident" in p)
    ]


def test_a_session_that_was_just_revoked_signs_nobody_in_though_it_is_remembered(house: House) -> None:
    who = house.member.who
    assert who is not None
    house.member.client.headers["accept"] = "application/json"
    assert house.member.look("/settings/account").status_code == 200  # remembered from now on
    with house.people.owner() as owner:
        owner.execute(
            "update clearway.credential set revoked = now() where person = %s and kind = 'session'",
            (who.person,),
        )
    assert house.member.submit("/settings/account/passkeys/options").status_code == 401
    assert begun(house) == 0


def test_what_was_made_with_a_token_ends_with_it_down_to_the_last(people: People, a: int) -> None:
    chief = people.somebody(a, "administrator")
    robot = people.somebody(a, "operator", kind="service", name="robot")
    first = token(people, chief.key, chief.person)
    second = token(people, key_of(first), chief.person)
    third = token(people, key_of(second), robot.person)
    beside = token(people, chief.key, chief.person)
    with people.acting(chief) as db:
        kept = db.execute(
            "select credential from clearway.credential where public_id = %s", (first.split(".")[0],)
        ).fetchone()
        assert kept is not None
        credential.revoke(db, kept[0])
    assert [me(people, s) for s in (first, second, third)] == [None, None, None]
    assert me(people, beside) == chief.person
    with pytest.raises(NotFoundError), people.pool.acting(key_of(second)) as db:
        credential.make_token(db, chief.person, label="t", scopes=None, now=NOW)


def test_what_is_made_with_a_token_lives_no_longer_than_that(people: People, a: int) -> None:
    chief = people.somebody(a, "administrator")
    first = token(people, chief.key, chief.person, days=2)
    second = token(people, key_of(first), chief.person, days=300)
    longer = token(people, chief.key, chief.person, days=300)
    with people.owner() as owner:
        life = {
            public: ends - NOW
            for public, ends in owner.execute(
                "select public_id, expires from clearway.credential where kind = 'token'"
            )
        }
    ends = [life[s.split(".")[0]] for s in (first, second, longer)]
    assert ends[1] == ends[0] < timedelta(days=3)
    assert ends[2] > timedelta(days=299)


@pytest.fixture
def both(people: People, a: int, b: int) -> tuple[Somebody, int, int]:
    """Somebody of two organisations, with rows of each and of a list that they are on by name."""
    who = people.somebody(a, "operator", "coordinator")
    with people.owner() as db:
        db.execute(
            """create table if not exists clearway.probe (id int generated always as identity primary key,
                org int not null, aud clearway.audience_id not null, note text not null)"""
        )
        db.execute(
            "select clearway.govern('clearway.probe', 'operate') "
            "where not exists (select from clearway.governed where name like '%probe')"
        )
        db.execute("delete from clearway.probe")
        person.grant(db, who.person, b, "operator")
        named = db.execute("select clearway.add_list(%s, 'named')", (b,)).fetchone()
        assert named is not None
        db.execute("select clearway.set_recipient(%s, %s, null, true)", (named[0], who.person))
        for org, note, marking in (
            (a, "of a", own(a)),
            (b, "of b", own(b)),
            (b, "amber of b", Marking(tlp="AMBER+STRICT", org=b)),
            (b, "named in b", Marking(tlp="RED", recipients=named[0])),
            (b, "green", Marking(tlp="GREEN")),
        ):
            db.execute(
                "insert into clearway.probe (org, aud, note) values (%s, %s, %s)",
                (org, audience.of(db, marking), note),
            )
    return who, a, b


def notes(people: People, key: str) -> set[str]:
    with people.pool.acting(key) as db:
        return {note for (note,) in db.execute("select note from clearway.probe")}


def test_a_token_for_one_organisation_shows_no_row_of_another(
    people: People, both: tuple[Somebody, int, int]
) -> None:
    who, a, b = both
    assert notes(people, who.key) == {"of a", "of b", "amber of b", "named in b", "green"}
    of_a = key_of(token(people, who.key, who.person, org=a))
    of_b = key_of(token(people, who.key, who.person, org=b))
    assert notes(people, of_a) == {"of a", "green"}
    assert notes(people, of_b) == {"of b", "amber of b", "green"}
    with people.owner() as owner:  # and follows when the person's groups change
        person.revoke(owner, who.person, b, "operator")
    assert notes(people, of_b) == set()
    assert notes(people, of_a) == {"of a", "green"}


def test_a_token_for_one_organisation_makes_none_that_shows_more(
    people: People, both: tuple[Somebody, int, int]
) -> None:
    who, a, b = both
    of_a = key_of(token(people, who.key, who.person, org=a))
    for org in (None, b):
        with pytest.raises(ForbiddenError, match="reach further"):
            token(people, of_a, who.person, org=org)
    assert notes(people, key_of(token(people, of_a, who.person, org=a))) == {"of a", "green"}


def test_a_token_without_the_scope_to_read_shows_what_the_public_sees(
    people: People, both: tuple[Somebody, int, int]
) -> None:
    who, a, _ = both
    assert notes(people, key_of(token(people, who.key, who.person, scopes=["operate"]))) == set()
    assert notes(people, key_of(token(people, who.key, who.person, scopes=["operate"], org=a))) == set()


def test_a_narrow_token_ends_no_other_credential_of_its_person(people: People, a: int) -> None:
    who = people.somebody(a, "operator")
    narrow = key_of(token(people, who.key, who.person, scopes=["read"]))
    with people.acting(who) as db:
        others = [c.credential for c in credential.listed(db) if c.scopes is None]
    assert len(others) == 2
    for other in others:
        with pytest.raises(NotFoundError), people.pool.acting(narrow) as db:
            credential.revoke(db, other)
    with pytest.raises(ForbiddenError), people.pool.acting(narrow) as db:
        credential.sign_out(db, everything=True)
