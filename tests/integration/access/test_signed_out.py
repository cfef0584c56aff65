"""Signing out everywhere is on the log, also of somebody who belongs nowhere."""

from __future__ import annotations

import pytest

from clearway.access import audience, credential, person
from clearway.records.errors import AuthenticationError
from people import People, Somebody

ENTRIES = "select subject, aud::int from clearway.log_entry where act = 'session.ended_everywhere'"


@pytest.fixture
def nobody_s(people: People) -> Somebody:
    """A person whose last role was taken away, and who has still a session."""
    somebody = people.somebody(people.org("a"), "operator", name="Ada")
    with people.owner() as db:
        person.revoke(db, somebody.person, somebody.org, "operator")
    return somebody


def seen(people: People, who: Somebody | None) -> list[str]:
    with people.acting(who) as db:
        return [row[0] for row in db.execute(ENTRIES)]


def test_the_entry_of_somebody_without_an_organisation_is_for_them_and_the_auditors_of_the_house(
    people: People, nobody_s: Somebody
) -> None:
    auditor = people.somebody(people.house, "auditor")
    desk = people.somebody(people.house, "coordinator")
    elsewhere = people.somebody(people.org("b"), "auditor", "administrator")
    with people.acting(nobody_s) as db:
        assert credential.sign_out(db) == 1
    subject = [f"person/{nobody_s.person}"]
    assert seen(people, auditor) == subject
    assert seen(people, people.admin) == subject, "administrators may read the log too"
    assert [seen(people, who) for who in (desk, elsewhere, None)] == [[], [], []]
    later = people.somebody(people.house, "auditor")
    assert seen(people, later) == subject, "who becomes one later, too"
    with people.pool.acting(nobody_s.token_key) as db:  # the token did not end
        assert [row[0] for row in db.execute(ENTRIES)] == subject
        ((_, aud),) = db.execute(ENTRIES).fetchall()
        meaning = audience.meaning(db, aud)
    assert meaning.label == "TLP:RED"
    assert meaning.words == "Ada or auditors of House" or meaning.words == "auditors of House or Ada"


def test_somebody_without_an_organisation_sees_nothing_else_by_that(
    people: People, nobody_s: Somebody
) -> None:
    with people.acting(nobody_s) as db:
        before = db.execute("select clearway.my_audiences(4096)").fetchone()
        mine = db.execute("select clearway.my_own_audience()").fetchone()
        assert mine == db.execute("select clearway.my_own_audience()").fetchone()
        after = db.execute("select clearway.my_audiences(4096)").fetchone()
    assert before is not None
    assert after is not None
    assert mine is not None
    assert set(after[0]) - set(before[0]) == {mine[0]}


def test_who_belongs_somewhere_signs_out_for_the_members_of_that(people: People) -> None:
    a = people.org("a")
    somebody, colleague = people.somebody(a, "operator"), people.somebody(a, "finder")
    with people.acting(somebody) as db:
        credential.sign_out(db, everything=True)
    assert seen(people, colleague) == [f"person/{somebody.person}"]
    with pytest.raises(AuthenticationError), people.acting(somebody) as db:
        credential.sign_out(db)


def test_a_barred_person_is_not_themself_any_more(people: People, nobody_s: Somebody) -> None:
    with people.acting(nobody_s) as db:
        db.execute("select clearway.my_own_audience()")
    with people.owner() as db:
        person.set_active(db, nobody_s.person, active=False)
        badge = db.execute(
            "select b.grps from clearway.person p join clearway.badge b using (badge) where person = %s",
            (nobody_s.person,),
        ).fetchone()
    assert badge == ([],)
