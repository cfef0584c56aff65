"""A narrowed token gives nobody more than it has, and one person is never two signers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from access_house import House
from clearway.access import approval, audience, credential, invitation, oidc, person, sign_in
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
    """Somebody whom `maker` has added and let in, with nothing bound."""
    with people.acting(maker) as db:
        new = person.add(db, maker.org, "made", roles)
        code = invitation.invite(db, new.person, maker.org, now=NOW)
    with people.owner() as owner:
        session = invitation.accept(owner, code, now=NOW)
    return Somebody(
        person=new.person, org=maker.org, roles=roles, key=session.key, token_key="", secret="", cookie=""
    )


def bind(people: People, who: Somebody, issuer: str = "https://idp.example") -> Somebody:
    """The same account, come in by one of a provider that it has bound."""
    with people.owner() as owner:
        account = oidc.Account(issuer=issuer, subject=str(who.person))
        came = sign_in._bound(owner, account, who.person, NOW, who.key)
        session = credential.make_session(owner, came.person, by="oidc", now=NOW, hands=came.hands)
    return structs.replace(who, key=session.key)


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
        assert scalar(owner, "select count(*) from clearway.invitation where used is null") == 0


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


def asks(people: People, who: Somebody) -> int:
    with people.acting(who) as db:
        return approval.ask(db, who.org, "other", "asset/1", {}, "because").approval


def refused(people: People, who: Somebody, which: int) -> str:
    with pytest.raises(ForbiddenError, match="second person") as told, people.acting(who) as db:
        approval.decide(db, which, "approved")
    return told.value.what


def approves(people: People, who: Somebody, which: int) -> None:
    with people.acting(who) as db:
        assert approval.decide(db, which, "approved").verdict == "approved"


def test_who_made_an_account_and_the_account_are_one_signer_at_any_remove(people: People, a: int) -> None:
    top = people.somebody(a, "administrator")
    middle = made_by(people, top, "administrator", "operator")
    last = made_by(people, middle, "administrator", "operator")
    which = asks(people, top)
    for who in (middle, last, bind(people, last)):
        assert "a one-time code in which the other had a hand" in refused(people, who, which)


def test_accounts_of_one_maker_are_two_signers_where_a_provider_tells_them_apart(
    people: People, a: int
) -> None:
    top = people.somebody(a, "administrator")
    one, other = (made_by(people, top, "administrator", "operator") for _ in range(2))
    which = asks(people, one)
    assert refused(people, one, which).endswith("somebody else who coordinates or administers there decides")
    known = bind(people, other)
    # Of who asked, nobody but their maker knows who it is: it may be the one whom the provider knows.
    for who in (other, known):
        assert refused(people, who, which).endswith("or both by accounts of one identity provider")
    elsewhere, here = bind(people, one, "https://another.example"), bind(people, one)
    assert "one person had a hand" in refused(people, known, asks(people, elsewhere))
    approves(people, known, asks(people, here))
    approves(people, bind(people, top), asks(people, here))


def test_who_takes_a_provider_s_account_away_to_use_it_elsewhere_has_proven_nothing(
    people: People, a: int
) -> None:
    top = people.somebody(a, "administrator")
    puppet = bind(people, made_by(people, top, "administrator", "operator"))
    which = asks(people, puppet)
    known = bind(people, top)
    with people.owner() as owner:
        owner.execute("delete from clearway.identity where person = %s", (puppet.person,))
    assert "a hand" in refused(people, known, which)


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
