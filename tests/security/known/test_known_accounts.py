"""Nobody becomes somebody else by what an organisation's administrator may do, and one word is never two."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from litestar.testing import TestClient

from access_house import House
from clearway.access import approval, invitation, local, person
from clearway.records.errors import AuthenticationError, ConflictError, ForbiddenError, NotFoundError
from clearway.store.connect import translated
from clearway.store.principal import login_url, set_principal
from people import People, Somebody

NOW = datetime.now(UTC)


def invited(people: People, who: Somebody, whom: int) -> str:
    with people.acting(who) as db:
        return invitation.invite(db, whom, who.org, now=NOW)


def test_an_account_that_others_made_can_not_be_made_a_member_and_invited(
    people: People, a: int, b: int
) -> None:
    chief = people.somebody(a, "administrator")
    with people.owner() as owner:
        victim = person.add(owner, b, "Vera of B", ["operator"]).person
    with pytest.raises(NotFoundError), people.acting(chief) as db:
        person.grant(db, victim, a, "operator")
    with pytest.raises(NotFoundError):
        invited(people, chief, victim)
    with people.owner() as db:  # who owns the home makes them a member of both
        person.grant(db, victim, a, "operator")
    with pytest.raises(ForbiddenError, match="belong elsewhere"):
        invited(people, chief, victim)
    with people.acting(people.admin) as db:  # and they are then of A alone: still not A's to take over
        person.revoke(db, victim, b, "operator")
    with pytest.raises(ForbiddenError):
        invited(people, chief, victim)


@pytest.mark.parametrize("way", ["session", "identity", "membership"])
def test_whom_an_administrator_made_is_theirs_to_invite_until_they_have_come_in(
    people: People, a: int, b: int, way: str
) -> None:
    chief = people.somebody(a, "administrator")
    with people.acting(chief) as db:
        ann = person.add(db, a, "Ann", ["operator"]).person
    assert invited(people, chief, ann)
    if way == "session":
        with people.owner() as owner:
            invitation.accept(owner, invitation.invite(owner, ann, a, now=NOW), now=NOW)
    elif way == "identity":
        with people.owner() as owner:
            owner.execute(
                "insert into clearway.identity (person, kind, issuer, subject) values (%s, 'oidc', 'i', 's')",
                (ann,),
            )
    else:
        with people.owner() as owner:
            person.grant(owner, ann, b, "operator")
    with pytest.raises(ForbiddenError, match="ask an administrator of the installation"):
        invited(people, chief, ann)
    assert invited(people, Somebody(**{**_fields(people.admin), "org": a}), ann)


def _fields(who: Somebody) -> dict[str, Any]:
    return {name: getattr(who, name) for name in who.__struct_fields__}


@pytest.mark.parametrize("by", ["barred", "without a role"])
def test_a_code_that_is_out_is_void_for_whoever_was_put_out_meanwhile(
    people: People, a: int, by: str
) -> None:
    chief = people.somebody(a, "administrator")
    with people.acting(chief) as db:
        ann = person.add(db, a, "Ann", ["operator"]).person
    code = invited(people, chief, ann)
    with people.acting(people.admin) as db:
        if by == "barred":
            person.set_active(db, ann, active=False)
            person.set_active(db, ann, active=True)
        else:
            person.revoke(db, ann, a, "operator")
    if by == "without a role":
        with people.acting(chief) as db:
            person.grant(db, ann, a, "operator")
    with pytest.raises(AuthenticationError), people.owner() as owner:
        invitation.accept(owner, code, now=NOW)


@pytest.mark.parametrize("asks", ["maker", "made"])
def test_two_accounts_of_which_one_made_the_other_are_no_two_people(
    people: People, a: int, asks: str
) -> None:
    maker, second = people.somebody(a, "administrator", "coordinator"), people.somebody(a, "coordinator")
    with people.acting(maker) as db:
        mine = person.add(db, a, "My second hat", ["coordinator"]).person
        code = invitation.invite(db, mine, a, now=NOW)
    with people.owner() as owner:
        session = invitation.accept(owner, code, now=NOW)
    keys = [maker.key, session.key]
    if asks == "made":
        keys.reverse()
    with people.pool.acting(keys[0]) as db:
        asked = approval.ask(db, a, "remark", "probe/1", {"was": 2, "aud": 0}, "publish it")
    for key in keys:
        with pytest.raises(ForbiddenError, match="second person"), people.pool.acting(key) as db:
            approval.decide(db, asked.approval, "approved")
    with people.acting(second) as db:
        assert approval.decide(db, asked.approval, "approved").verdict == "approved"


def test_a_service_neither_asks_nor_approves(people: People, a: int) -> None:
    asker, robot = (
        people.somebody(a, "operator"),
        people.somebody(a, "coordinator", kind="service", name="robot"),
    )
    with pytest.raises(ForbiddenError), people.pool.acting(robot.token_key) as db:
        approval.ask(db, a, "other", "probe/1", {}, "x")
    with people.acting(asker) as db:
        asked = approval.ask(db, a, "other", "probe/1", {}, "x")
    with pytest.raises(ForbiddenError, match="second person"), people.pool.acting(robot.token_key) as db:
        approval.decide(db, asked.approval, "approved")


REVOKE = "select clearway.revoke_role(%(other)s, %(house)s, 'administrator')"
BAR = "select clearway.set_active(%(other)s, false)"


@pytest.mark.parametrize(
    ("first", "second"),
    [(REVOKE, REVOKE), (BAR, BAR), (REVOKE, BAR)],
    ids=["both take the role", "both bar", "one each"],
)
def test_the_last_two_administrators_can_not_put_each_other_out_at_once(
    lone_people: People, first: str, second: str
) -> None:
    """The second waits for the first, and then there is nobody left to remove."""
    other = lone_people.somebody(lone_people.house, "administrator")
    outcome: list[BaseException | None] = []

    def acts(who: Somebody, whom: int, statement: str, db: psycopg.Connection[Any]) -> None:
        with translated(), db.transaction():
            set_principal(db, who.key)
            db.execute(statement, {"other": whom, "house": lone_people.house})

    def later() -> None:
        try:
            with psycopg.connect(login_url(lone_people.url), autocommit=True) as db:
                acts(other, lone_people.admin.person, second, db)
            outcome.append(None)
        except Exception as error:  # noqa: BLE001  judged below
            outcome.append(error)

    waiting = threading.Thread(target=later)
    with translated(), psycopg.connect(login_url(lone_people.url), autocommit=True) as db, db.transaction():
        set_principal(db, lone_people.admin.key)
        db.execute(first, {"other": other.person, "house": lone_people.house})
        waiting.start()
        waiting.join(0.7)  # so that it has begun: it waits for us, or has seen what was before us
    waiting.join(20)
    assert len(outcome) == 1
    assert isinstance(outcome[0], ConflictError | ForbiddenError), outcome
    with lone_people.owner() as owner:
        left = owner.execute(
            """select count(*) from clearway.membership m join clearway.person p using (person)
            where m.org = clearway.house() and m.role = 'administrator' and p.active"""
        ).fetchone()
    assert left == (1,)


def enter(client: TestClient[Any], code: str, **headers: str) -> Any:
    return client.post("/sign-in/code", data={"code": code}, headers={"accept": "text/html", **headers})


def test_a_sign_in_that_fails_leaves_its_code_good(house: House) -> None:
    with house.people.owner() as owner:
        code = local.bootstrap_code(owner, now=NOW)
    assert code
    client = house.public.client
    assert enter(client, code, host="clearway.example").status_code >= 400  # no such address is configured
    assert enter(client, code, origin="https://evil.example").status_code == 403
    for wrong in ("", "x", code[:-1], code + "2", "\0" + code, "AAAAA-AAAAA-AAAAA-AAAAA"):
        assert enter(client, wrong).status_code == 401
    assert enter(client, code).status_code == 303
    client.cookies.clear()
    assert enter(client, code).status_code == 401


def test_the_code_that_a_server_shows_stays_good_when_another_starts_and_ends_when_one_is_used(
    lone_people: People,
) -> None:
    with lone_people.owner() as owner:
        shown = [local.bootstrap_code(owner, now=NOW) for _ in range(5)]
    with pytest.raises(AuthenticationError), lone_people.owner() as owner:
        invitation.accept(owner, shown[0], now=NOW)  # four are good at a time
    with lone_people.owner() as owner:
        assert invitation.accept(owner, shown[1], now=NOW)
    for code in shown[1:]:
        with pytest.raises(AuthenticationError), lone_people.owner() as owner:
            invitation.accept(owner, code, now=NOW)


def test_a_code_is_not_used_up_where_the_session_can_not_be_made(lone_people: People) -> None:
    with lone_people.owner() as owner:
        code = invitation.invite(owner, lone_people.admin.person, lone_people.house, now=NOW)
        owner.execute("alter table clearway.log_entry rename to log_entry_away")
    with pytest.raises(Exception, match="log_entry"), lone_people.owner() as owner:
        invitation.accept(owner, code, now=NOW)
    with lone_people.owner() as owner:
        owner.execute("alter table clearway.log_entry_away rename to log_entry")
    with lone_people.owner() as owner:
        assert invitation.accept(owner, code, now=NOW)
