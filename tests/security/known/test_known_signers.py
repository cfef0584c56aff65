"""A narrowed token gives nobody more than it has, and one person is never two signers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from access_house import House
from clearway.access import approval, audience, credential, invitation, person
from clearway.access.marking import own
from clearway.records.errors import ForbiddenError
from clearway.store.principal import PUBLIC, key_of
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)


def narrowed(people: People, who: Somebody, *scopes: str) -> str:
    """The key of a token of theirs with these rights alone."""
    with people.acting(who) as db:
        made = credential.make_token(
            db, who.person, label="t", scopes=list(scopes), life=timedelta(days=1), now=NOW
        )
    return key_of(made.secret)


def made_by(people: People, maker: Somebody, *roles: str) -> Somebody:
    """Somebody whom `maker` has added, with a session and nothing bound."""
    with people.acting(maker) as db:
        new = person.add(db, maker.org, "made", roles)
    with people.owner() as owner:
        session = credential.make_session(owner, new.person, by="code", now=NOW)
    return Somebody(
        person=new.person, org=maker.org, roles=roles, key=session.key, token_key="", secret="", cookie=""
    )


def bind(people: People, who: Somebody) -> None:
    with people.owner() as owner:
        owner.execute(
            "insert into clearway.identity (person, kind, issuer, subject) values (%s, 'oidc', 'https://idp', %s)",
            (who.person, str(who.person)),
        )


def test_a_narrowed_token_invites_nobody_and_nobody_invites_themselves(people: People, a: int) -> None:
    chief = people.somebody(a, "administrator")
    new = made_by(people, chief, "operator")
    key = narrowed(people, chief, "read", "administer")
    for whom in (chief.person, new.person):
        with pytest.raises(ForbiddenError), people.pool.acting(key) as db:
            invitation.invite(db, whom, a, now=NOW)
    with pytest.raises(ForbiddenError, match="themselves"), people.acting(chief) as db:
        invitation.invite(db, chief.person, a, now=NOW)
    with people.owner() as owner:
        assert scalar(owner, "select count(*) from clearway.invitation") == 0


def test_by_the_api_a_code_is_given_in_person_alone(house: House) -> None:
    members = f"/organisations/{house.water}/members"
    new = house.chief.api("POST", members, {"name": "Nora New", "roles": ["auditor"]}).json()["person"]
    answer = house.chief.api("POST", f"{members}/{new}/invitation")
    assert answer.status_code == 403
    assert "a token is not enough" in answer.text


def test_a_narrowed_token_gives_no_role_with_more_than_it_has(people: People, a: int) -> None:
    chief = people.somebody(a, "administrator")
    new = made_by(people, chief, "auditor")
    key = narrowed(people, chief, "read", "administer")
    for role in ("coordinator", "operator", "administrator"):
        for whom in (new.person, chief.person):
            with pytest.raises(ForbiddenError), people.pool.acting(key) as db:
                person.grant(db, whom, a, role)
    with people.acting(chief) as db:
        person.grant(db, new.person, a, "operator")


def test_who_made_an_account_and_the_account_are_one_signer_at_any_remove(people: People, a: int) -> None:
    top = people.somebody(a, "administrator")
    middle = made_by(people, top, "administrator", "operator")
    last = made_by(people, middle, "administrator", "operator")
    for who in (top, middle, last):
        bind(people, who)
    with people.acting(top) as db:
        asked = approval.ask(db, a, "other", "asset/1", {}, "because")
    with (
        pytest.raises(ForbiddenError, match=r"second person.*one of you made the account"),
        people.acting(last) as db,
    ):
        approval.decide(db, asked.approval, "approved")


def test_two_accounts_of_one_maker_are_two_signers_once_each_is_somebody_s_own(
    people: People, a: int
) -> None:
    top = people.somebody(a, "administrator")
    one, other = (made_by(people, top, "administrator", "operator") for _ in range(2))
    with people.acting(one) as db:
        asked = approval.ask(db, a, "other", "asset/1", {}, "because")

    def refused(who: Somebody) -> str:
        with pytest.raises(ForbiddenError, match="second person") as told, people.acting(who) as db:
            approval.decide(db, asked.approval, "approved")
        return told.value.what

    assert refused(one).endswith("somebody else who coordinates or administers there decides")
    assert refused(other).endswith("add one, and so does who asked under Your account")
    bind(people, one)
    assert "both accounts were made by the same person" in refused(other)
    assert refused(other).endswith(": add one under Your account")
    bind(people, other)
    with people.acting(other) as db:
        assert approval.decide(db, asked.approval, "approved").verdict == "approved"


def test_who_waits_for_the_other_to_bind_an_account_is_told_whose_it_is(people: People, a: int) -> None:
    top = people.somebody(a, "administrator")
    one, other = (made_by(people, top, "administrator", "operator") for _ in range(2))
    bind(people, other)
    with people.acting(one) as db:
        asked = approval.ask(db, a, "other", "asset/1", {}, "because")
    with (
        pytest.raises(ForbiddenError, match="who asked adds one under Your account"),
        people.acting(other) as db,
    ):
        approval.decide(db, asked.approval, "approved")


def test_without_the_right_and_by_a_program_nobody_is_a_second_person(people: People, a: int) -> None:
    asker, auditor = people.somebody(a, "administrator"), people.somebody(a, "auditor")
    robot = people.somebody(a, "administrator", kind="service")
    with people.acting(asker) as db:
        asked = approval.ask(db, a, "other", "asset/1", {}, "because")
    with (
        pytest.raises(ForbiddenError, match="right to coordinate or to administer"),
        people.acting(auditor) as db,
    ):
        approval.decide(db, asked.approval, "approved")
    with (
        pytest.raises(ForbiddenError, match="a program's account"),
        people.pool.acting(robot.token_key) as db,
    ):
        approval.decide(db, asked.approval, "refused")


def test_nobody_signs_the_public_out(people: People) -> None:
    with pytest.raises(ForbiddenError), people.pool.acting(PUBLIC) as db:
        db.execute("select clearway.sign_out(true)")
    with people.pool.acting(PUBLIC) as db:
        assert db.execute("select clearway.me()").fetchone() == (-1,)


def test_a_narrowed_token_makes_no_webhook_that_is_told_more(people: People, a: int) -> None:
    chief = people.somebody(a, "administrator")
    key = narrowed(people, chief, "read", "administer")
    put = """insert into clearway.webhook (org, aud, person, url)
        values (%s, %s, clearway.me(), 'https://example.org/')"""
    with people.acting(chief) as db:
        aud = audience.of(db, own(a))
    with pytest.raises(ForbiddenError, match="webhook"), people.pool.acting(key) as db:
        db.execute(put, (a, aud))
    with people.acting(chief) as db:
        db.execute(put, (a, aud))
