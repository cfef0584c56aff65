"""Who there is, what each may do, and how each is let in and barred."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from clearway.access import approval, credential, invitation, organisation, person
from clearway.records.errors import (
    AuthenticationError,
    ClearwayError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
)
from clearway.store.principal import key_of
from people import People

NOW = datetime.now(UTC)


def test_the_first_organisation_is_the_house_and_its_administrator_adds_the_others(people: People) -> None:
    with people.acting(people.admin) as db:
        made = organisation.add(db, "riverside", "Riverside Hospital", "operator", ["health"])
        assert [o.slug for o in organisation.listed(db)] == ["house", "riverside"]
        assert [o.house for o in organisation.listed(db)] == [True, False]
        assert organisation.one(db, made.org).sectors == ("health",)
        with pytest.raises(ConflictError, match="taken"):
            organisation.add(db, "riverside", "Another", "operator")


@pytest.mark.parametrize("role", [r for r in person.ROLES if r != "administrator"])
def test_no_other_role_adds_organisations_or_members(people: People, role: str) -> None:
    org = people.org("a")
    somebody = people.somebody(org, role)
    with pytest.raises(ForbiddenError), people.acting(somebody) as db:
        organisation.add(db, "mine", "Mine", "operator")
    with pytest.raises(ForbiddenError), people.acting(somebody) as db:
        person.add(db, org, "A friend", ["operator"])
    with pytest.raises(ForbiddenError), people.acting(somebody) as db:
        person.grant(db, somebody.person, org, "administrator")


def test_an_organisations_administrator_administers_it_alone(people: People) -> None:
    a, b = people.org("a"), people.org("b")
    chief = people.somebody(a, "administrator")
    stranger = people.somebody(b, "operator", name="Somebody of B")
    with people.acting(chief) as db:
        made = person.add(db, a, "Ann", ["operator"], email="ann@a.example")
        assert {m.name for m in person.members(db, a)} >= {"Ann"}
        assert person.members(db, b) == ()
        with pytest.raises(NotFoundError):
            person.one(db, stranger.person)
    for attempt in (
        lambda db: person.add(db, b, "Spy", ["operator"]),
        lambda db: person.grant(db, made.person, b, "operator"),
        lambda db: person.set_active(db, stranger.person, active=False),
        lambda db: organisation.add(db, "c", "C", "operator"),
    ):
        with pytest.raises(ForbiddenError), people.acting(chief) as db:
            attempt(db)
    # Making a stranger a member of one's own organisation would show who is registered elsewhere.
    with pytest.raises(NotFoundError), people.acting(chief) as db:
        person.grant(db, stranger.person, a, "operator")


def test_a_revoked_role_bites_at_the_next_statement_of_a_running_transaction(people: People) -> None:
    org = people.org("a")
    somebody = people.somebody(org, "operator", "auditor")
    with people.acting(somebody) as db:
        assert db.execute("select clearway.my_orgs('operate')").fetchone() == ([org],)
        with people.owner() as owner:
            person.revoke(owner, somebody.person, org, "operator")
        assert db.execute("select clearway.my_orgs('operate'), clearway.my_orgs('audit')").fetchone() == (
            [],
            [org],
        )


def test_the_last_administrator_of_the_house_stays(people: People) -> None:
    with pytest.raises(ConflictError, match="last administrator"), people.acting(people.admin) as db:
        person.revoke(db, people.admin.person, people.house, "administrator")
    with pytest.raises(ConflictError, match="last administrator"), people.acting(people.admin) as db:
        person.set_active(db, people.admin.person, active=False)


def test_a_barred_person_is_nobody_at_once_with_every_session_and_token(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    with people.acting(people.admin) as db:
        person.set_active(db, somebody.person, active=False)
    for key in (somebody.key, somebody.token_key):
        with people.pool.acting(key) as db:
            assert db.execute("select clearway.me(), clearway.whoami(), clearway.my_bits()").fetchone() == (
                None,
                None,
                None,
            )
    with people.acting(people.admin) as db:
        person.set_active(db, somebody.person, active=True)
    with people.acting(somebody) as db:  # let in again, but by signing in anew
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_a_token_is_shown_once_and_its_secret_is_nowhere_in_the_database(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    with people.acting(somebody) as db:
        made = credential.make_token(db, somebody.person, label="ci", scopes=["read"], now=NOW)
        listed = credential.listed(db)
        assert [(c.label, c.scopes) for c in listed if c.label == "ci"] == [("ci", ("read",))]
    assert made.secret not in repr(made)
    secret = made.secret.split(".")[1]
    with people.owner() as owner:
        tables = owner.execute(
            """select table_name from information_schema.tables
            where table_schema = 'clearway' and table_type = 'BASE TABLE'"""
        ).fetchall()
        for (name,) in tables:
            found = owner.execute(
                f"select count(*) from clearway.{name} t where t::text like %s or t::text like %s",
                (f"%{secret}%", f"%{made.key}%"),
            ).fetchone()
            assert found == (0,), name
    with people.pool.acting(key_of(made.secret)) as db:
        assert db.execute("select clearway.me(), clearway.my_orgs('operate')").fetchone() == (
            somebody.person,
            [],
        )


def test_a_token_never_says_more_than_the_one_it_was_made_with(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    with people.acting(somebody) as db:
        narrow = credential.make_token(db, somebody.person, label="narrow", scopes=["read"], now=NOW)
    key = key_of(narrow.secret)
    with pytest.raises(ForbiddenError, match="more scopes"), people.pool.acting(key) as db:
        credential.make_token(db, somebody.person, label="wide", scopes=None, now=NOW)
    with pytest.raises(ForbiddenError, match="more scopes"), people.pool.acting(key) as db:
        credential.make_token(db, somebody.person, label="wide", scopes=["read", "operate"], now=NOW)


def test_tokens_are_made_for_oneself_or_for_a_service_that_one_administers(people: People) -> None:
    a = people.org("a")
    chief, other = people.somebody(a, "administrator"), people.somebody(a, "operator")
    service = people.somebody(a, "operator", kind="service", name="scanner")
    with people.acting(chief) as db:
        assert credential.make_token(db, service.person, label="ci", scopes=["operate"], now=NOW).secret
    for asker, target in ((chief, other), (other, service), (other, chief)):
        with pytest.raises(NotFoundError), people.acting(asker) as db:
            credential.make_token(db, target.person, label="x", scopes=None, now=NOW)


@pytest.mark.parametrize(
    ("scopes", "life", "label"),
    [(["root"], 1, "x"), ([], 1, "x"), (None, 400, "x"), (None, 0, "x"), (None, 1, "  ")],
    ids=["no such scope", "no scope", "over a year", "no life", "no label"],
)
def test_a_token_that_can_not_be_is_refused(
    people: People, scopes: list[str] | None, life: int, label: str
) -> None:
    with pytest.raises(InputError), people.acting(people.admin) as db:
        credential.make_token(
            db, people.admin.person, label=label, scopes=scopes, life=timedelta(days=life), now=NOW
        )


def test_a_credential_dies_at_its_hour_even_when_the_clock_is_put_back(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    with people.owner() as owner:
        owner.execute(
            "update clearway.credential set expires = now() + interval '1 hour' where person = %s",
            (somebody.person,),
        )
    with people.acting(somebody) as db:
        assert db.execute("select clearway.me()").fetchone() == (somebody.person,)
    with people.owner() as owner:  # time went on to tomorrow, and then the machine's clock was put back
        owner.execute("update clearway.clock_mark set high = now() + interval '1 day'")
    with people.acting(somebody) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_signing_out_everywhere_ends_sessions_and_with_a_word_tokens(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    with people.acting(somebody) as db:
        assert credential.sign_out(db) == 1
    with people.pool.acting(somebody.token_key) as db:
        assert db.execute("select clearway.me()").fetchone() == (somebody.person,)
        assert credential.sign_out(db, everything=True) == 1
    with people.pool.acting(somebody.token_key) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_nobody_ends_anothers_session_but_the_house(people: People) -> None:
    a = people.org("a")
    one, chief = people.somebody(a, "operator"), people.somebody(a, "administrator")
    with people.acting(one) as db:
        mine = credential.listed(db)[0].credential
    with pytest.raises(NotFoundError), people.acting(chief) as db:
        credential.revoke(db, mine)
    with people.acting(people.admin) as db:
        credential.revoke(db, mine)


def test_an_invitation_lets_in_once(people: People) -> None:
    a = people.org("a")
    chief = people.somebody(a, "administrator")
    with people.acting(chief) as db:
        ann = person.add(db, a, "Ann", ["operator"])
        code = invitation.invite(db, ann.person, a, now=NOW)
    with people.owner() as owner:
        session = invitation.accept(owner, code.lower().replace("-", " "), now=NOW)
    with people.pool.acting(session.key) as db:
        assert db.execute("select clearway.me()").fetchone() == (ann.person,)
    for wrong in (code, "AAAAA-AAAAA-AAAAA-AAAAA", ""):
        with pytest.raises(AuthenticationError), people.owner() as owner:
            invitation.accept(owner, wrong, now=NOW)


def test_an_old_invitation_is_not_valid(people: People) -> None:
    with people.owner() as owner:
        code = invitation.invite(owner, people.admin.person, people.house, now=NOW - timedelta(days=8))
    with pytest.raises(AuthenticationError), people.owner() as owner:
        invitation.accept(owner, code, now=NOW)


def test_an_approval_takes_a_second_person_and_serves_what_was_asked(people: People) -> None:
    a = people.org("a")
    asker, second = people.somebody(a, "coordinator"), people.somebody(a, "coordinator")
    outsider = people.somebody(people.org("b"), "coordinator")
    with people.acting(asker) as db:
        asked = approval.ask(db, a, "remark", "clearway.thing/1", {"was": 1, "aud": 0}, "it is public now")
    with pytest.raises(ForbiddenError, match="second person"), people.acting(asker) as db:
        approval.decide(db, asked.approval, "approved")
    with pytest.raises(NotFoundError), people.acting(outsider) as db:
        approval.decide(db, asked.approval, "approved")
    with people.acting(second) as db:
        assert approval.decide(db, asked.approval, "approved").verdict == "approved"
    with pytest.raises(ConflictError), people.acting(second) as db:
        approval.decide(db, asked.approval, "refused")


def test_a_change_of_an_old_version_is_refused(people: People) -> None:
    with people.acting(people.admin) as db:
        before = organisation.one(db, people.house)
        after = organisation.change(db, people.house, before.version, standing={"bod-26-04": "binding"})
        assert after.standing == {"bod-26-04": "binding"}
        with pytest.raises(ConflictError, match="changed since"):
            organisation.change(db, people.house, before.version, name="Other")
        me = person.one(db, people.admin.person)
        assert person.change(db, me.person, me.version, time_zone="Europe/Paris").time_zone == "Europe/Paris"
        with pytest.raises(InputError, match="time zone"):
            person.change(db, me.person, me.version + 1, time_zone="Europe/Atlantis")


def test_every_act_on_people_is_on_the_log(people: People) -> None:
    a = people.org("a")
    chief = people.somebody(a, "administrator")
    with people.acting(chief) as db:
        made = person.add(db, a, "Ann", ["operator"])
        person.grant(db, made.person, a, "auditor")
        person.revoke(db, made.person, a, "auditor")
        credential.make_token(db, chief.person, label="x", scopes=None, now=NOW)
        acts = db.execute(
            "select act, actor from clearway.log_entry where actor = %s order by entry", (chief.person,)
        ).fetchall()
    assert [act for act, _ in acts] == ["person.added", "role.granted", "role.revoked", "token.made"]


def _renamed(people: People) -> list[tuple[str, str, int, str, list[str]]]:
    """Act, subject, actor, content and for whose members it is, of each entry of another name."""
    with people.owner() as owner:
        rows = owner.execute(
            """select act, subject, actor, content, clearway.audience_words(aud)::text from clearway.log_entry
            where act like '%.renamed' order by entry"""
        ).fetchall()
    return [(*row[:4], json.loads(row[4])["clauses"][0]["groups"]) for row in rows]


def test_another_name_is_on_the_log_of_each_of_their_organisations_with_the_one_before(
    people: People,
) -> None:
    a, b = people.org("a"), people.org("b")
    chief, ann = people.somebody(a, "administrator", name="Chief"), people.somebody(a, "operator", name="Ann")
    robot = people.somebody(a, "operator", kind="service", name="Robot")
    with people.owner() as owner:
        person.grant(owner, ann.person, b, "auditor")
    with people.acting(ann) as db:
        me = person.change(db, ann.person, 1, name="Chief", digest="never")
        me = person.change(db, ann.person, me.version, name=" Chief", time_zone="Europe/Paris")
        me = person.change(db, ann.person, me.version, name="Ann")
    with people.acting(chief) as db:
        person.change(db, robot.person, 1, name="Local administrator")
        person.revoke(db, robot.person, a, "operator")
        person.change(db, robot.person, 2, name="Robot")
    to_a, to_b = ["members of A"], ["members of B"]
    there, back = '{"name":"Chief","was":"Ann"}', '{"name":"Ann","was":"Chief"}'
    was, robot_back = (
        '{"name":"Local administrator","was":"Robot"}',
        '{"name":"Robot","was":"Local administrator"}',
    )
    who, it = (f"person/{ann.person}", ann.person), (f"person/{robot.person}", chief.person)
    assert _renamed(people) == [
        *(("person.renamed", *who, words, to) for words in (there, back) for to in (to_a, to_b)),
        *(("service.renamed", *it, words, to_a) for words in (was, robot_back)),
    ]


def test_who_belongs_nowhere_is_renamed_on_the_log_of_the_houses_auditors(people: People) -> None:
    a = people.org("a")
    ann = people.somebody(a, "operator", name="Ann")
    with people.owner() as owner:
        person.revoke(owner, ann.person, a, "operator")
    with people.acting(ann) as db:
        person.change(db, ann.person, 1, name="Anna")
    ((act, subject, actor, _, told),) = _renamed(people)
    assert (act, subject, actor) == ("person.renamed", f"person/{ann.person}", ann.person)
    assert "auditors of House" in told


def test_nobody_is_renamed_where_the_log_takes_no_entry(people: People) -> None:
    ann = people.somebody(people.org("a"), "operator", name="Ann")
    with people.owner() as owner:
        owner.execute(
            """create function clearway.no_entry() returns trigger language plpgsql as
            $$ begin raise 'no entry'; end $$;
            create trigger no_entry before insert on clearway.log_entry execute function clearway.no_entry()"""
        )
    try:
        with pytest.raises(ClearwayError, match="no entry"), people.acting(ann) as db:
            person.change(db, ann.person, 1, name="Chief")
    finally:
        with people.owner() as owner:
            owner.execute("drop function clearway.no_entry() cascade")
    with people.acting(ann) as db:
        assert person.one(db, ann.person).name == "Ann"
        assert person.change(db, ann.person, 1, digest="never").version == 2
