"""Who makes a code for somebody's account is no second person beside it, nor beside another that they let into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.json import decode

from clearway.access import approval, credential, invitation, local, person
from clearway.records.errors import ConfigError, ForbiddenError
from clearway.store.principal import key_of
from clearway.store.scalar import scalar
from people import People, Somebody
from steps import Steps, since, step_of

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
    assert "one-time codes in which one person had a hand" in refused(people, second, which)
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
        ) == sorted([people.admin.person, chief.person])


def puppet_of(people: People, key: str, org: int) -> int:
    with people.pool.acting(key) as db:
        return person.add(db, org, "Another", ["coordinator"]).person


def added(people: People, by: str, org: int, name: str) -> int:
    with people.pool.acting(by) as db:
        return person.add(db, org, name, ["coordinator"]).person


def test_who_makes_two_accounts_and_uses_both_their_first_codes_is_one_person(
    people: People, org: int, chief: Somebody
) -> None:
    first, second = (added(people, chief.key, org, name) for name in ("Ann", "Ben"))
    keys = [let_in(people, chief, who, org) for who in (first, second)]
    passkeys = [bound(people, who, key) for who, key in zip((first, second), keys, strict=True)]
    keys = [by_passkey(people, *of) for of in zip((first, second), passkeys, strict=True)]
    which = asked(people, keys[0], org)
    for key in (keys[1], chief.key):
        assert "one-time code" in refused(people, key, which)
    with people.owner() as owner:
        assert [credential.hands_of(owner, key) for key in keys] == [[chief.person]] * 2
        acts = [a for (a,) in owner.execute("select act from clearway.log_entry order by entry")]
    assert acts.count("person.invited") == 2
    assert "person.recovered" not in acts


def test_who_made_an_account_can_not_decide_by_way_of_another_that_they_let_into(
    people: People, org: int, chief: Somebody, other: Somebody
) -> None:
    """The house's administrator makes a puppet that asks, and comes in as somebody of the bank to approve."""
    with people.owner() as owner:
        person.grant(owner, people.admin.person, org, "administrator")
    puppet = added(people, people.admin.key, org, "Puppet")
    key = let_in(people, people.admin, puppet, org)
    which = asked(people, by_passkey(people, puppet, bound(people, puppet, key)), org)
    as_other = let_in(people, people.admin, other.person, org)
    for way in (
        people.admin.key,
        as_other,
        by_passkey(people, other.person, bound(people, other.person, as_other)),
    ):
        assert "one-time code" in refused(people, way, which)
    approves(people, other.key, which)


@pytest.mark.parametrize("from_where", ["the machine", "another administrator"])
def test_without_a_provider_two_administrators_are_two_by_codes_that_no_one_hand_made(
    people: People, org: int, tmp_path: Path, from_where: str
) -> None:
    """The house lets in the bank's first administrator, who lets in the second: one of the two needs another's code."""
    with people.acting(people.admin) as db:
        ann = person.add(db, org, "Ann", ["administrator"]).person
    as_ann = let_in(people, people.admin, ann, org)
    with people.pool.acting(as_ann) as db:
        ben = person.add(db, org, "Ben", ["administrator"]).person
    as_ben = let_in(people, as_ann, ben, org)
    as_ben = by_passkey(people, ben, bound(people, ben, as_ben))
    which = asked(people, as_ann, org)
    assert "a code made on the machine of the home, or by somebody who had no hand" in refused(
        people, as_ben, which
    )
    machine = local.key(people.url, tmp_path, now=NOW)
    makes = machine
    if from_where == "another administrator":  # of the house, whom the machine let in
        eve = people.somebody(people.house, "administrator").person
        makes = let_in(people, machine, eve, people.house)
        makes = by_passkey(people, eve, bound(people, eve, makes))
    anew = let_in(people, makes, ben, org)
    approves(people, by_passkey(people, ben, bound(people, ben, anew)), which)


def test_who_has_the_machine_is_the_one_hand_that_is_not_held_against_itself(
    people: People, org: int, tmp_path: Path
) -> None:
    machine = local.key(people.url, tmp_path, now=NOW)
    made = [added(people, machine, org, name) for name in ("Ann", "Ben")]
    keys = [let_in(people, machine, who, org) for who in made]
    approves(people, keys[1], asked(people, keys[0], org))
    with people.pool.acting(
        machine
    ) as db:  # a token that the machine's makes is its person's, and no machine's
        token = credential.make_token(
            db, people.admin.person, label="t", scopes=None, life=timedelta(days=1), now=NOW
        )
    keys = [let_in(people, key_of(token.secret), who, org) for who in made]
    assert "one-time code" in refused(people, keys[1], asked(people, keys[0], org))


def test_ways_in_that_are_older_than_the_rule_have_who_made_their_account_as_a_hand(
    people: People, org: int, chief: Somebody, other: Somebody
) -> None:
    steps = Steps(people.url, *since(step_of("one_hand")))
    steps.down()
    first, second, third = (added(people, chief.key, org, name) for name in ("Ann", "Ben", "Cyd"))
    keys = [let_in(people, chief, who, org) for who in (first, second)]
    with people.acting(chief) as db:
        code = invitation.invite(db, third, org, now=NOW)
        service = person.add(db, org, "program", ["operator"], kind="service").person
        token = credential.make_token(
            db, service, label="t", scopes=None, life=timedelta(days=1), now=NOW
        )  # fmt: skip
    passkey = bound(people, second, keys[1])
    which = asked(people, keys[0], org)
    steps.up()
    with people.owner() as owner:
        keys += [invitation.accept(owner, code, now=NOW).key, key_of(token.secret)]
        assert [credential.hands_of(owner, key) for key in keys] == [[chief.person]] * 4
        assert credential.hands_of(owner, chief.key) == []
    for key in (keys[1], by_passkey(people, second, passkey), keys[2]):
        assert "one person had a hand" in refused(people, key, which)
    approves(people, other.key, which)


def test_who_names_an_administrator_again_may_have_let_them_in_first_but_not_since(
    people: People, org: int
) -> None:
    with people.acting(people.admin) as db:
        ann = person.add(db, org, "Ann", ["administrator"]).person
    with people.owner() as owner:
        person.grant(owner, ann, org, "operator")
    let_in(people, people.admin, ann, org)
    for again in (False, True):
        with people.acting(people.admin) as db:
            person.revoke(db, ann, org, "administrator")
        if again:
            let_in(people, people.admin, ann, org)
            with pytest.raises(ForbiddenError, match="a code of theirs"), people.acting(people.admin) as db:
                person.grant(db, ann, org, "administrator")
        else:
            with people.acting(people.admin) as db:
                person.grant(db, ann, org, "administrator")


def test_a_job_is_in_the_hands_of_all_the_ways_in_of_who_began_it(
    people: People, org: int, one: Somebody
) -> None:
    let_in(people, people.admin, one.person, org)
    with people.owner() as owner:
        key = credential.make_acting(owner, one.person, now=NOW).key
        assert credential.hands_of(owner, key) == [people.admin.person]


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
