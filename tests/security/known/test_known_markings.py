"""What widens who sees a row by the back door: clocks, lists, clauses, audiences, the log, and search."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from access_house import House
from clearway.access import approval, audience, embargo, recipients
from clearway.access.clockwatch import Reading
from clearway.access.marking import Marking, own
from clearway.exposure.fleet import asset
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, NotFoundError
from clearway.store import search
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def look(days: float, up_days: float, boot: str) -> Reading:
    return Reading(wall=NOW + days * DAY, boot=boot, up_s=100 + up_days * 86_400)


def ended(people: People, kept: embargo.Embargo) -> bool:
    with people.owner() as owner:
        return embargo.one(owner, kept.embargo).ended_by is not None


@pytest.mark.parametrize(
    ("away", "later"),
    [(2.0, 1.1), (0.1, 3.0), (200.0, 0.01)],
    ids=["two days forward, not yet due", "down for hours, clock unknown", "far beyond its hour"],
)
def test_a_restart_with_a_wrong_clock_opens_no_embargo_that_was_armed_before(
    lone_people: People, away: float, later: float
) -> None:
    """Time that is believed after the restart counts from a wrong start: what was armed before waits for a person."""
    people = lone_people
    keeper = people.somebody(people.house, "coordinator")
    with people.acting(keeper) as db:
        kept = embargo.add(db, people.house, "before")
        embargo.arm(db, kept.embargo, NOW + 3 * DAY, now=NOW)
    with people.owner() as owner:
        embargo.carry_out(owner, look(0, 0, "one"))
    with people.owner() as owner:  # the machine was off; its clock now says `away` days later
        embargo.carry_out(owner, look(away, 0, "two"))
    with people.owner() as owner:  # and goes on from there, as a clock should
        embargo.carry_out(owner, look(away + later, later, "two"))
    assert not ended(people, kept)
    with people.owner() as owner:
        assert "started anew" in embargo.one(owner, kept.embargo).frozen
    # What is armed from then on, by somebody who has seen the clock, ends at its hour.
    with people.owner() as db:  # sessions have ended by that clock, as they must
        after = embargo.add(db, people.house, "after")
        embargo.arm(db, after.embargo, NOW + (away + later + 1) * DAY, now=NOW)
    with people.owner() as owner:
        embargo.carry_out(owner, look(away + later + 1.01, later + 1.01, "two"))
    assert ended(people, after)
    assert not ended(people, kept)


def test_an_embargo_ends_by_its_own_entry_and_no_other(people: People, a: int) -> None:
    keeper = people.somebody(a, "coordinator")
    with people.acting(keeper) as db:
        kept, other = embargo.add(db, a, "kept"), embargo.add(db, a, "other")
        embargo.release(db, other.embargo, "done")
        entries = db.execute("select entry from clearway.log_entry").fetchall()
    for (entry,) in [*entries, (10**9,)]:
        with pytest.raises(ForbiddenError, match="on the log"), people.acting(keeper) as db:
            db.execute("select clearway.release_embargo(%s, %s)", (kept.embargo, entry))
    assert not ended(people, kept)


def test_the_log_of_an_embargo_is_its_keepers_before_its_end_and_after(
    people: People, a: int, b: int
) -> None:
    """An entry that followed the embargo's own audience would tell everybody who the parties were, once it ends."""
    keeper, colleague = people.somebody(a, "coordinator"), people.somebody(a, "auditor")
    party, desk = people.somebody(b, "operator", "auditor"), people.somebody(people.house, "coordinator")
    outsider = people.somebody(people.org(f"o{a}"), "administrator")
    with people.acting(keeper) as db:
        kept = embargo.add(db, a, "quiet")
        embargo.set_party(db, kept.embargo, org=b)
        embargo.arm(db, kept.embargo, NOW + DAY, now=NOW)

    def told(who: Somebody | None) -> int:
        with people.acting(who) as db:
            return scalar(
                db, "select count(*) from clearway.log_entry where subject = %s", (f"embargo/{kept.uid}",)
            )

    assert [told(w) for w in (keeper, colleague, desk, party, outsider, None)] == [3, 3, 3, 0, 0, 0]
    with people.acting(keeper) as db:
        embargo.release(db, kept.embargo, "a fix is out")
    assert [told(w) for w in (keeper, colleague, desk, party, outsider, None)] == [4, 4, 4, 0, 0, 0]


def test_who_names_recipients_is_a_coordinator_or_an_administrator_and_nobody_else(
    people: People, a: int, b: int
) -> None:
    """Who is on a list sees what is TLP:RED for it: a member who could name people could show it to anybody."""
    desk, chief = people.somebody(a, "coordinator"), people.somebody(a, "administrator")
    member, stranger = people.somebody(a, "operator"), people.somebody(b, "administrator", "coordinator")
    with people.acting(chief) as db:
        kept = recipients.add(db, a, "three people")
        recipients.set_member(db, kept.list, person=member.person)
    for who in (member, people.somebody(a, "auditor"), people.somebody(a, "finder", "maintainer")):
        with pytest.raises(ForbiddenError), people.acting(who) as db:
            recipients.add(db, a, "mine")
        with pytest.raises(ForbiddenError), people.acting(who) as db:
            recipients.set_member(db, kept.list, person=who.person)
        with pytest.raises(ForbiddenError), people.acting(who) as db:
            recipients.set_member(db, kept.list, org=a, member=False)
    with pytest.raises(ForbiddenError), people.acting(stranger) as db:
        recipients.add(db, a, "mine")
    for call in (  # past the room's own checks too
        "select clearway.set_recipient(%(list)s, %(me)s, null, true)",
        "select clearway.set_recipient(%(list)s, null, %(org)s, true)",
    ):
        with pytest.raises(NotFoundError), people.acting(stranger) as db:
            db.execute(call, {"list": kept.list, "me": stranger.person, "org": b})
    with people.acting(desk) as db:
        recipients.set_member(db, kept.list, org=b)
    # Who is on it is told to those who keep it: not to a recipient elsewhere, who may see what it opens.
    with people.acting(member) as db:
        assert len(recipients.members(db, kept.list)) == 2
    with people.acting(stranger) as db:
        assert recipients.members(db, kept.list) == ()
        assert recipients.listed(db) == ()
        acts = db.execute("select act from clearway.log_entry where subject = %s", (f"list/{kept.list}",))
        assert acts.fetchall() == []
        with pytest.raises(NotFoundError):
            recipients.one(db, kept.list)


def test_only_a_coordinator_names_parties_to_an_embargo_by_whatever_way(people: People, a: int) -> None:
    keeper, chief = people.somebody(a, "coordinator"), people.somebody(a, "administrator")
    with people.acting(keeper) as db:
        kept = embargo.add(db, a, "e")
    with pytest.raises(ForbiddenError), people.acting(chief) as db:
        db.execute("select clearway.set_recipient(%s, %s, null, true)", (kept.recipients, chief.person))
    with pytest.raises(ForbiddenError), people.acting(chief) as db:
        embargo.set_party(db, kept.embargo, person=chief.person)


def test_an_organisation_keeps_so_many_lists_and_embargoes_and_no_more(
    people: People, a: int, b: int
) -> None:
    """Each takes audiences, of which the installation has 65,536 for everybody."""
    keeper, other = people.somebody(a, "coordinator"), people.somebody(b, "coordinator")
    with people.owner() as owner:
        owner.execute(
            "insert into clearway.recipient_list (org, name) select %s, 'l' from generate_series(1, 999)",
            (a,),
        )
        owner.execute("select clearway.add_embargo(%s, 'e' || n) from generate_series(1, 199) n", (a,))
    with people.acting(keeper) as db:
        embargo.add(db, a, "the 200th")
    with pytest.raises(ConflictError, match="two hundred embargoes"), people.acting(keeper) as db:
        embargo.add(db, a, "one more")
    with people.acting(keeper) as db:
        recipients.add(db, a, "the 1,000th")
    with pytest.raises(ConflictError, match="thousand lists"), people.acting(keeper) as db:
        recipients.add(db, a, "one more")
    with people.acting(other) as db:
        recipients.add(db, b, "of another")
        embargo.add(db, b, "of another")


def test_embargoes_that_have_ended_keep_nobody_from_the_next_nor_from_a_list(people: People, a: int) -> None:
    keeper = people.somebody(a, "coordinator")
    with people.owner() as owner:
        owner.execute(
            """insert into clearway.recipient_list (org, name) select %s, 'p' from generate_series(1, 1100)""",
            (a,),
        )
        owner.execute(
            """insert into clearway.embargo (name, org, list, clause, ended_by, ended_at)
            select 'e', org, list, 1, 1, now() from clearway.recipient_list where org = %s""",
            (a,),
        )
    with people.acting(keeper) as db:
        embargo.add(db, a, "the 1,101st")
        recipients.add(db, a, "a list")


def test_when_all_audiences_are_in_use_it_is_said_and_what_is_there_is_read(lone_people: People) -> None:
    people = lone_people
    org, late = people.org("early"), people.org("late")
    who, newcomer = people.somebody(org, "operator"), people.somebody(late, "operator")
    with people.owner() as owner:
        known = audience.of(owner, Marking(tlp="AMBER", org=org))
        clauses = owner.execute("select array_agg(clause order by clause) from clearway.clause").fetchone()
        assert clauses is not None
        owner.execute("insert into clearway.audience (aud, clauses) values (65535, %s)", (clauses[0],))
    with pytest.raises(ConflictError, match="65,536 audiences are in use"), people.acting(newcomer) as db:
        audience.of(db, Marking(tlp="AMBER+STRICT", org=late))
    with people.acting(who) as db:
        assert audience.of(db, Marking(tlp="AMBER", org=org)) == known


def test_no_clause_can_be_made_before_the_embargo_that_it_is_to_undo(people: People, a: int, b: int) -> None:
    """A permanent clause of the groups that an embargo is going to have would take its place, and never end."""
    attacker, keeper = (
        people.somebody(b, "operator", "coordinator", "administrator"),
        people.somebody(a, "coordinator"),
    )
    with people.owner() as owner:
        last = scalar(owner, "select max(grp) from clearway.grp")
    for ahead in range(1, 4):
        for wanted in ([last + ahead, 2], [last + ahead], []):
            with pytest.raises(NotFoundError, match="groups that are there"), people.acting(attacker) as db:
                db.execute("select clearway.intern_clause(%s)", (wanted,))
    with people.acting(keeper) as db:
        kept = embargo.add(db, a, "e")
    with people.owner() as owner:
        row = owner.execute(
            "select c.embargo, c.grps, c.clause from clearway.embargo e join clearway.clause c using (clause) "
            "where e.embargo = %s",
            (kept.embargo,),
        ).fetchone()
        assert row is not None
        assert row[0] is True
        aud = audience.of(owner, Marking(tlp="GREEN", embargo=kept.embargo))
    for groups in (row[1], row[1][-1:], [1, *row[1]]):  # nor afterwards, with the embargo's own groups
        with pytest.raises(ConflictError, match="that is an embargo"), people.acting(attacker) as db:
            db.execute("select clearway.intern_clause(%s)", (groups,))
    for clauses in ([row[2] + 1000], [None], [1, None], None):
        with pytest.raises(NotFoundError, match="no such clause"), people.acting(attacker) as db:
            db.execute("select clearway.intern_audience(%s::int[])", (clauses,))
    with people.acting(attacker) as db:
        assert opened(db, aud) is False
    with people.acting(keeper) as db:
        embargo.release(db, kept.embargo, "done")
    with people.acting(attacker) as db:
        assert opened(db, aud) is True


def opened(db: psycopg.Connection[Any], aud: int) -> bool:
    """Whether the caller sees what has that audience."""
    return bool(scalar(db, "select get_bit(clearway.my_bits(), %s)", (aud,)))


def test_nobody_who_is_not_signed_in_makes_clauses_or_audiences(people: People) -> None:
    for call in ("select clearway.intern_clause('{1}')", "select clearway.intern_audience('{1}')"):
        with pytest.raises(ForbiddenError, match="sign in"), people.acting(None) as db:
            db.execute(call)
    for closed in (
        "make_clause('{1}', true)",
        "make_audience('{1}')",
        "group_of('staff', 99)",
        "badge_of('{1}')",
    ):
        with pytest.raises(ClearwayError, match="right is missing"), people.acting(people.admin) as db:
            db.execute(f"select clearway.{closed}")


@pytest.mark.parametrize(
    "table", ["clearway.asset", "clearway.probe"], ids=["an asset", "any governed table"]
)
def test_what_was_narrowed_is_found_by_its_words_by_nobody_else_from_that_statement_on(
    people: People, a: int, table: str
) -> None:
    keeper, member = people.somebody(a, "operator", "coordinator"), people.somebody(a, "operator")
    kind, word = table.partition(".")[2], f"narwhal{a}"
    with people.owner() as db:
        db.execute(
            """create table if not exists clearway.probe (id int generated always as identity primary key,
                org int not null, aud clearway.audience_id not null, note text not null default '')"""
        )
        db.execute(
            "select clearway.govern('clearway.probe', 'operate') "
            "where not exists (select from clearway.governed where name like '%probe')"
        )
    with people.acting(keeper) as db:
        mine = audience.of(db, own(a))
        if kind == "asset":
            row = asset.add(db, a, word, since=date(2026, 11, 1)).asset
        else:
            row = scalar(db, "insert into clearway.probe (org, aud) values (%s, %s) returning id", (a, mine))
        named = recipients.add(db, a, "one person")
        recipients.set_member(db, named.list, person=keeper.person)
        search.put(db, kind, str(row), org=a, aud=mine, title=word, path="/x")
    with people.acting(member) as db:
        assert [f.title for f in search.find(db, word)] == [word]
    with people.acting(keeper) as db:
        narrow = audience.meet(db, (mine, audience.of(db, Marking(tlp="RED", recipients=named.list))))
        approval.remark(db, table, row, a, narrow)
        assert [f.title for f in search.find(db, word)] == [word]
    with people.acting(member) as db:
        assert search.find(db, word) == ()
        assert scalar(db, "select count(*) from clearway.search_docs(%s, '{}', 50)", (word,)) == 0
        assert scalar(db, "select count(*) from clearway.search_doc where title = %s", (word,)) == 0


def test_an_audience_in_words_is_for_those_who_may_see_it(house: House) -> None:
    with house.people.owner() as owner:
        red = audience.of(owner, own(house.water))
    assert house.member.api("GET", f"/audiences/{red}").status_code == 200
    for who in (house.stranger, house.admin):
        assert who.api("GET", f"/audiences/{red}").status_code == 404
