"""Who makes a code for somebody's account is no second person beside it, nor beside another that they let into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.json import decode

from clearway.access import approval, credential, invitation, person
from clearway.records.errors import ConfigError, ForbiddenError
from clearway.store.principal import key_of
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)


def let_in(people: People, by: Somebody | str, whom: int, org: int) -> str:
    """The key of the session that `by` begins as `whom`, by a code that they made."""
    with people.pool.acting(by if isinstance(by, str) else by.key) as db:
        code = invitation.invite(db, whom, org, now=NOW)
    with people.owner() as owner:
        return invitation.accept(owner, code, now=NOW).key


def bound(people: People, whom: int, key: str | None = None) -> int:
    """A passkey of `whom`, bound in the session of `key`, or by nobody but themself."""
    with people.owner() as owner:
        return scalar(
            owner,
            "insert into clearway.identity (person, kind, subject, public_key, hands) "
            "values (%s, 'passkey', gen_random_uuid()::text, '\\x01', %s) returning identity",
            (whom, credential.hands_of(owner, key) if key else []),
        )


def by_passkey(people: People, whom: int, identity: int) -> str:
    """The key of a session that the passkey began."""
    with people.owner() as owner:
        row = owner.execute("select hands from clearway.identity where identity = %s", (identity,)).fetchone()
        assert row is not None
        return credential.make_session(owner, whom, by="passkey", now=NOW, hands=row[0]).key


def asked(people: People, key: str, org: int) -> int:
    with people.pool.acting(key) as db:
        return approval.ask(db, org, "other", "asset/1", {}, "because").approval


def refused(people: People, key: str, which: int) -> str:
    with pytest.raises(ForbiddenError, match="second person") as told, people.pool.acting(key) as db:
        approval.decide(db, which, "approved")
    return told.value.what


def approves(people: People, key: str, which: int) -> None:
    with people.pool.acting(key) as db:
        assert approval.decide(db, which, "approved").verdict == "approved"


@pytest.fixture
def org(people: People) -> int:
    return people.org("bank")


@pytest.fixture
def chief(people: People, org: int) -> Somebody:
    return people.somebody(org, "administrator")


@pytest.fixture
def one(people: People, org: int) -> Somebody:
    """A coordinator who has signed in, and has a passkey."""
    made = people.somebody(org, "coordinator", name="One")
    bound(people, made.person)
    return made


@pytest.fixture
def other(people: People, org: int) -> Somebody:
    made = people.somebody(org, "coordinator", name="Other")
    bound(people, made.person)
    return made


@pytest.mark.parametrize("asks", ["who let in", "let in"])
def test_an_organisations_administrator_and_whom_the_house_made_for_it_are_not_two_by_a_code_of_theirs(
    people: People, org: int, asks: str
) -> None:
    with people.acting(people.admin) as db:
        chief_of = person.add(db, org, "Chief", ["administrator"]).person
    chief_key = let_in(people, people.admin, chief_of, org)
    with people.owner() as owner:  # as the house made it before the bank had an administrator
        yan = person.add(owner, org, "Yan", ["coordinator"]).person
        owner.execute("update clearway.person set made_by = %s where person = %s", (people.admin.person, yan))
    key = let_in(people, chief_key, yan, org)
    passkeys = bound(people, yan, key), bound(people, chief_of, chief_key)
    keys = [chief_key, by_passkey(people, yan, passkeys[0])]
    if asks == "let in":
        keys.reverse()
    assert "one-time code" in refused(people, keys[1], asked(people, keys[0], org))


def test_two_accounts_that_one_person_let_into_are_not_two(
    people: People, org: int, one: Somebody, other: Somebody
) -> None:
    first, second = (let_in(people, people.admin, who.person, org) for who in (one, other))
    which = asked(people, first, org)
    assert "both by codes of one person" in refused(people, second, which)
    # By the passkeys that they had before, they are whom they were.
    approves(people, other.key, which)


@pytest.mark.parametrize("way", ["session", "passkey", "token", "token of a token", "passkey of a passkey"])
def test_what_comes_of_a_code_remembers_who_made_it(
    people: People, org: int, one: Somebody, chief: Somebody, way: str
) -> None:
    with people.owner() as owner:
        person.grant(owner, people.admin.person, org, "coordinator")
    key = let_in(people, people.admin, one.person, org)
    for step in way.split(" of a "):
        if step == "passkey":
            key = by_passkey(people, one.person, bound(people, one.person, key))
        elif step == "token":
            with people.pool.acting(key) as db:
                made = credential.make_token(
                    db, one.person, label="t", scopes=None, life=timedelta(days=1), now=NOW
                )
            key = key_of(made.secret)
    which = asked(people, key, org)
    assert "one-time code" in refused(people, people.admin.key, which)
    approves(people, chief.key, which)
    with people.acting(chief) as db:
        rows = db.execute(
            "select act, content from clearway.log_entry where act like 'approval.%%' order by entry"
        )
        told = {act: decode(content).get("hands") for act, content in rows}
    assert told == {"approval.asked": [people.admin.person], "approval.approved": None}
    # And the other way about.
    assert "one-time code" in refused(people, key, asked(people, people.admin.key, org))


def test_who_is_made_by_way_of_anothers_account_is_that_others(
    people: People, org: int, chief: Somebody
) -> None:
    """The house's administrator lets themself in as the bank's, and makes an account there to approve with."""
    bound(people, chief.person)
    with people.owner() as owner:
        person.grant(owner, people.admin.person, org, "coordinator")
    as_chief = let_in(people, people.admin, chief.person, org)
    with people.pool.acting(as_chief) as db:
        puppet = person.add(db, org, "Puppet", ["coordinator"]).person
    key = let_in(people, as_chief, puppet, org)
    bound(people, puppet, key)
    bound(people, people.admin.person)
    assert "second person" in refused(people, key, asked(people, people.admin.key, org))
    # A code that is made by way of another's account is of both.
    with people.owner() as owner:
        assert credential.hands_of(
            owner, let_in(people, as_chief, puppet_of(people, as_chief, org), org)
        ) == [people.admin.person]


def puppet_of(people: People, key: str, org: int) -> int:
    with people.pool.acting(key) as db:
        return person.add(db, org, "Another", ["coordinator"]).person


def test_first_invitations_of_ones_own_leave_nobodys_hands(people: People, org: int, chief: Somebody) -> None:
    with people.acting(chief) as db:
        first, second = (person.add(db, org, n, ["coordinator"]).person for n in ("Ann", "Ben"))
    keys = [let_in(people, chief, who, org) for who in (first, second)]
    with people.owner() as owner:
        assert [credential.hands_of(owner, key) for key in keys] == [[], []]
    for who, key in zip((first, second), keys, strict=True):
        bound(people, who, key)
    approves(people, keys[1], asked(people, keys[0], org))
    with people.owner() as owner:
        acts = [a for (a,) in owner.execute("select act from clearway.log_entry order by entry")]
    assert acts.count("person.invited") == 2
    assert "person.recovered" not in acts


def test_a_session_that_was_deleted_long_ago_still_makes_a_code_one_that_recovers(
    people: People, org: int, chief: Somebody
) -> None:
    with people.acting(chief) as db:
        ann = person.add(db, org, "Ann", ["coordinator"]).person
    let_in(people, chief, ann, org)
    with people.owner() as owner:
        owner.execute("delete from clearway.credential where person = %s", (ann,))
    with pytest.raises(ForbiddenError, match="they have signed in"):
        let_in(people, chief, ann, org)
    with people.owner() as owner:
        assert credential.hands_of(owner, let_in(people, people.admin, ann, org)) == [people.admin.person]


def test_who_had_a_way_in_is_told_of_a_new_one_and_so_is_their_organisation(
    people: People, org: int, one: Somebody
) -> None:
    with people.acting(one) as db:
        assert invitation.recoveries(db) == ()
    with people.acting(people.admin) as db:
        code = invitation.invite(db, one.person, org, now=NOW)
    with people.acting(one) as db:
        told = invitation.recoveries(db)
        assert [(r.by, r.came) for r in told] == [("administrator of 1", None)]
        entry = db.execute(
            "select act, actor from clearway.log_entry where subject = %s order by entry desc limit 1",
            (f"person/{one.person}",),
        ).fetchone()
        assert entry == ("person.recovered", people.admin.person)
    with people.owner() as owner:
        invitation.accept(owner, code, now=NOW)
    with people.acting(one) as db:
        assert invitation.recoveries(db)[0].came is not None
    with people.acting(people.admin) as db:
        assert invitation.recoveries(db) == ()


def test_nothing_reads_in_whose_hands_another_account_is(
    people: People, one: Somebody, other: Somebody
) -> None:
    with people.acting(one) as db:
        hands = db.execute("select person from clearway.identity where hands is not null").fetchall()
    assert hands == [(one.person,)]
    with pytest.raises(ConfigError, match="permission denied"), people.acting(one) as db:
        db.execute("select hands from clearway.person")
