"""Markings that are changed, and audiences that are given back and become others: the oracle agrees after every act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Mark
from test_markings import ROLES, Sandbox

from clearway.access import audience, reclaim
from clearway.access.marking import Marking
from clearway.store.connect import connect
from often import often
from people import People

AT_ONCE = timedelta(0)
TLPS = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]


class Lowering(Sandbox):
    """The same small world, whose rows change their markings by `remark`, and whose audiences are given back."""

    def __init__(self, people: People) -> None:
        super().__init__(people)
        self.asker = people.somebody(self.orgs[1], "operator")
        self.second = people.somebody(self.orgs[1], "administrator")
        for who, role in ((self.asker, "operator"), (self.second, "administrator")):
            self.everybody.append(who)
            self.facts.roles.add((who.person, self.orgs[1], role))

    def remark(self, which: int, tlp: str, org: int, embargoed: int) -> None:
        """One row gets another marking, by two people where it is not narrower."""
        if not self.rows:
            return
        row = sorted(self.rows)[which % len(self.rows)]
        under = [0, *self.facts.embargoes][embargoed % (1 + len(self.facts.embargoes))]
        named = self._org(org) if tlp in ("AMBER", "AMBER+STRICT", "RED") else 0
        with self.people.owner() as db:
            wanted = audience.of(db, Marking(tlp=tlp, org=named, embargo=under))  # type: ignore[arg-type]
            was = self.auds[row]
            narrower = audience.within(db, wanted, was)
            agreed = None if narrower else self._agreed(db, row, was, wanted)
            if not narrower:
                with pytest.raises(psycopg.Error, match="second person"), db.transaction():
                    db.execute("select clearway.remark('clearway.probe', %s, %s)", (row, wanted))
            db.execute("select clearway.remark('clearway.probe', %s, %s, %s)", (row, wanted, agreed))
        self.auds[row] = wanted
        self.rows[row] = (Mark(tlp, org=named, embargo=under),)

    def _agreed(self, db: Any, row: int, was: int, wanted: int) -> int:
        found = db.execute(
            """insert into clearway.approval (org, kind, subject, proposal, asked_by, decided_by, verdict)
            values (%s, 'remark', %s, jsonb_build_object('was', %s::int, 'aud', %s::int), %s, %s, 'approved')
            returning approval""",
            (self.orgs[1], f"probe/{row}", was, wanted, self.asker.person, self.second.person),
        ).fetchone()
        return int(found[0])

    def remove(self, which: int) -> None:
        """A row is gone, and with it perhaps the last that had its audience."""
        if not self.rows:
            return
        row = sorted(self.rows)[which % len(self.rows)]
        with self.people.owner() as db:
            db.execute("delete from clearway.probe where id = %s", (row,))
        del self.rows[row], self.auds[row]

    def move(self) -> None:
        """Rows of ended embargoes go where the same people see them."""
        reclaim.move(self.people.owner, batch=2)
        self._read()
        with self.people.owner() as db:
            left = db.execute(
                """select from clearway.probe join clearway.audience a using (aud) where a.clauses && array(
                    select clause from clearway.clause where released_by is not null)"""
            ).fetchall()
        assert left == []

    def give_back(self, looks: int) -> None:
        for _ in range(looks):
            reclaim.give_back(self.people.owner, unused_for=AT_ONCE, rest=AT_ONCE)

    def _read(self) -> None:
        with self.people.owner() as db:
            self.auds = dict(db.execute("select id, aud::int from clearway.probe").fetchall())

    def check(self) -> None:
        super().check()
        with self.people.owner() as db:
            lost = db.execute(
                "select from clearway.probe where aud not in (select aud from clearway.audience)"
            ).fetchall()
            assert lost == [], "every row's audience is there"
            twice = db.execute(
                "select from clearway.audience join clearway.audience_free on number = aud"
            ).fetchall()
            assert twice == [], "no number is free and in use"
            dead = db.execute(
                """select from clearway.badge b, generate_series(0, 200) n
                where get_bit(b.bits, n) = 1 and n not in (select aud from clearway.audience)"""
            ).fetchall()
            assert dead == [], "nobody sees a number that is nobody's"


_n = st.integers(0, 40)
_acts = st.lists(
    st.one_of(
        st.tuples(st.just("row"), st.sampled_from(TLPS), _n, _n, _n),
        st.tuples(st.just("remark"), _n, st.sampled_from(TLPS), _n, _n),
        st.tuples(st.just("remark"), _n, st.sampled_from(TLPS), _n, _n),
        st.tuples(st.just("derive"), _n, _n),
        st.tuples(st.just("remove"), _n),
        st.tuples(st.just("release"), _n),
        st.tuples(st.just("grant"), _n, _n, st.sampled_from(ROLES)),
        st.tuples(st.just("recipient"), _n, _n, st.booleans(), st.booleans()),
        st.tuples(st.just("move")),
        st.tuples(st.just("give_back"), st.integers(1, 4)),
    ),
    min_size=6,
    max_size=14,
)


@given(acts=_acts)
@settings(
    max_examples=often(3, 6),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_whatever_is_marked_anew_moved_or_given_back_everybody_sees_what_the_oracle_says(
    new_people: Any, acts: list[tuple[Any, ...]]
) -> None:
    with new_people() as people:
        world = Lowering(people)
        for name, *parameters in acts:
            getattr(world, name)(*parameters)
            world.check()


def test_a_number_that_was_given_back_becomes_anothers_and_shows_nobody_the_old_rows(new_people: Any) -> None:
    with new_people() as people:
        world = Lowering(people)
        for act in (
            ("row", "AMBER", 2, 0, 1),
            ("row", "GREEN", 0, 0, 1),
            ("row", "RED", 1, 1, 0),
            ("remark", 2, "AMBER+STRICT", 3, 0),
            ("release", 0),
            ("move",),
            ("remark", 0, "GREEN", 0, 0),
            ("give_back", 4),
        ):
            getattr(world, act[0])(*act[1:])
            world.check()
        with people.owner() as db:
            free = {n for (n,) in db.execute("select number from clearway.audience_free where ready")}
            top = db.execute("select max(aud)::int from clearway.audience").fetchone()
        assert top is not None
        assert any(n < top[0] for n in free), "there is a gap"
        somebody = people.somebody(world.orgs[3], "finder")  # whose badge is made over the gap
        with people.owner() as db:
            made_list = db.execute("select clearway.add_list(%s, 'new')", (world.orgs[1],)).fetchone()
            assert made_list is not None
            db.execute("select clearway.set_recipient(%s, %s, null, true)", (made_list[0], somebody.person))
        world.everybody.append(somebody)
        world.facts.roles.add((somebody.person, world.orgs[3], "finder"))
        world.check()
        with people.owner() as db:
            # Two clauses that no row has had: audiences that are new.
            made = audience.meet(
                db,
                (
                    audience.of(db, Marking(tlp="AMBER", org=world.orgs[4])),
                    audience.of(db, Marking(tlp="RED", org=world.orgs[2])),
                ),
            )
        assert made in free
        world.row("RED", 2, 1, 0)
        world.check()


def test_a_transaction_that_knows_a_number_from_before_keeps_it_from_being_given_to_another(
    people: People,
) -> None:
    world = Lowering(people)
    world.row("AMBER", 2, 0, 0)
    ((row, aud),) = world.auds.items()
    with connect(people.url) as late:
        assert late.execute("select aud::int from clearway.probe where id = %s", (row,)).fetchone() == (aud,)
        world.remove(0)
        for _ in range(4):
            done = reclaim.give_back(people.owner, unused_for=AT_ONCE, rest=AT_ONCE)
            assert done.given_up == 0
        late.execute(
            "insert into clearway.probe (org, aud, note) values (%s, %s, 'late')", (world.orgs[1], aud)
        )
        late.commit()
    for _ in range(4):
        reclaim.give_back(people.owner, unused_for=AT_ONCE, rest=AT_ONCE)
    with people.owner() as db:
        assert db.execute("select from clearway.audience where aud = %s", (aud,)).fetchone() is not None
    world._read()
    assert set(world.auds.values()) == {aud}


def test_a_number_that_an_open_approval_names_is_not_given_to_another(people: People) -> None:
    world = Lowering(people)
    world.row("RED", 1, 1, 0)
    with people.owner() as db:
        wanted = audience.of(db, Marking(tlp="AMBER", org=world.orgs[3]))
        made = world._agreed(db, next(iter(world.rows)), next(iter(world.auds.values())), wanted)
    for _ in range(4):
        reclaim.give_back(people.owner, unused_for=AT_ONCE, rest=AT_ONCE)
    with people.owner() as db:
        assert db.execute("select from clearway.audience where aud = %s", (wanted,)).fetchone() is not None
        db.execute("update clearway.approval set used = now() where approval = %s", (made,))
    for _ in range(2):
        reclaim.give_back(people.owner, unused_for=AT_ONCE, rest=AT_ONCE)
    with people.owner() as db:
        assert db.execute("select from clearway.audience where aud = %s", (wanted,)).fetchone() is None


def test_an_audience_that_is_wanted_again_is_there_again(people: People) -> None:
    world = Lowering(people)
    world.row("AMBER", 2, 0, 0)
    (aud,) = world.auds.values()
    world.remove(0)
    reclaim.give_back(people.owner, unused_for=AT_ONCE, rest=AT_ONCE)
    world.row("AMBER", 2, 0, 0)
    assert set(world.auds.values()) == {aud}
    world.give_back(4)
    world.check()
