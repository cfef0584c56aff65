"""The database's rule and the oracle's agree, row by row and person by person, after every act."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Facts, Mark, sees

from clearway.access import audience, embargo, organisation, person
from clearway.access.marking import Marking
from often import often
from people import People, Somebody

KINDS = ("operator", "operator", "clearinghouse", "lab")
ROLES = ("operator", "coordinator", "finder", "auditor")
PROBE = """
create table if not exists clearway.probe (
    id int generated always as identity primary key, org int not null, aud clearway.audience_id not null, note text
);
"""


class Sandbox:
    """A small world in the database and the same one in the oracle's facts."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.facts = Facts(kinds={people.house: "clearinghouse"})
        self.facts.roles.add((people.admin.person, people.house, "administrator"))
        self.orgs = [people.house]
        self.everybody: list[Somebody] = [people.admin]
        self.lists: list[int] = []
        self.rows: dict[int, tuple[Mark, ...]] = {}
        self.auds: dict[int, int] = {}
        with people.owner() as db:
            if db.execute("select to_regclass('clearway.probe')").fetchone() == (None,):
                db.execute(PROBE)
                db.execute("select clearway.govern('clearway.probe', 'operate')")
        for n, kind in enumerate(KINDS):
            self.orgs.append(people.org(f"org{n}", kind))
            self.facts.kinds[self.orgs[-1]] = kind
        for n, org in enumerate(self.orgs[1:]):
            role = ROLES[n % len(ROLES)]
            self.everybody.append(people.somebody(org, role))
            self.facts.roles.add((self.everybody[-1].person, org, role))
        coordinator = people.somebody(people.house, "coordinator")
        self.everybody.append(coordinator)
        self.facts.roles.add((coordinator.person, people.house, "coordinator"))
        for _ in range(2):
            self._new_list()
        for _ in range(2):
            self._new_embargo()

    def _new_list(self) -> None:
        with self.people.owner() as db:
            row = db.execute("select clearway.add_list(%s, 'list')", (self.orgs[1],)).fetchone()
        assert row
        self.lists.append(int(row[0]))
        self.facts.lists[self.lists[-1]] = set()

    def _new_embargo(self) -> None:
        with self.people.owner() as db:
            made = embargo.add(db, self.people.house, "embargo")
        self.facts.embargoes[made.embargo] = made.recipients
        self.facts.lists[made.recipients] = set()

    # The acts: each in both worlds.

    def grant(self, who: int, org: int, role: str) -> None:
        target, place = self._person(who), self._org(org)
        with self.people.owner() as db:
            person.grant(db, target.person, place, role)
        self.facts.roles.add((target.person, place, role))

    def revoke(self, n: int) -> None:
        held = sorted(r for r in self.facts.roles if r[2] != "administrator")
        if not held:
            return
        who, org, role = held[n % len(held)]
        with self.people.owner() as db:
            person.revoke(db, who, org, role)
        self.facts.roles.discard((who, org, role))

    def client(self, a: int, b: int, on: bool) -> None:
        client, provider = self._org(a), self._org(b)
        if client == provider:
            return
        with self.people.owner() as db:
            organisation.set_client(db, client, provider, is_client=on)
        (self.facts.clients.add if on else self.facts.clients.discard)((client, provider))

    def recipient(self, n: int, who: int, whole: bool, on: bool) -> None:
        every = [*self.lists, *self.facts.embargoes.values()]
        which = every[n % len(every)]
        member = ("org", self._org(who)) if whole else ("person", self._person(who).person)
        with self.people.owner() as db:
            db.execute(
                "select clearway.set_recipient(%s, %s, %s, %s)",
                (which, None if whole else member[1], member[1] if whole else None, on),
            )
        (self.facts.lists[which].add if on else self.facts.lists[which].discard)(member)

    def release(self, n: int) -> None:
        open_ = [e for e in self.facts.embargoes if e not in self.facts.released]
        if not open_:
            return
        with self.people.owner() as db:
            embargo.release(db, open_[n % len(open_)], "test")
        self.facts.released.add(open_[n % len(open_)])

    def bar(self, who: int) -> None:
        target = self._person(who)
        if target is self.people.admin:
            return
        with self.people.owner() as db:
            person.set_active(db, target.person, active=False)
        self.facts.barred.add(target.person)

    def row(self, tlp: str, org: int, n: int, embargoed: int) -> None:
        mark = Mark(tlp, embargo=0)
        kept = [0, *self.facts.embargoes]
        under = kept[embargoed % len(kept)]
        if tlp in ("AMBER", "AMBER+STRICT") or (tlp == "RED" and n % 2):
            mark = Mark(tlp, org=self._org(org), embargo=under)
        elif tlp == "RED":
            mark = Mark(tlp, recipients=self.lists[n % len(self.lists)], embargo=under)
        else:
            mark = Mark(tlp, embargo=under)
        with self.people.owner() as db:
            aud = audience.of(
                db,
                Marking(tlp=mark.tlp, org=mark.org, recipients=mark.recipients, embargo=mark.embargo),  # type: ignore[arg-type]
            )
            self._insert(db, aud, (mark,))

    def derive(self, a: int, b: int) -> None:
        ids = sorted(self.rows)
        if len(ids) < 2:
            return
        one, other = ids[a % len(ids)], ids[b % len(ids)]
        with self.people.owner() as db:
            aud = audience.meet(db, (self.auds[one], self.auds[other]))
            assert aud == audience.meet(db, (self.auds[other], self.auds[one]))  # commutative
            assert aud == audience.meet(db, (aud, self.auds[one]))  # absorbing
            for parent in (one, other):
                assert audience.within(db, aud, self.auds[parent])  # never wider than a parent
            self._insert(db, aud, tuple({*self.rows[one], *self.rows[other]}))

    def _insert(self, db: Any, aud: int, marks: tuple[Mark, ...]) -> None:
        row = db.execute(
            "insert into clearway.probe (org, aud, note) values (%s, %s, 'x') returning id",
            (self.orgs[1], aud),
        ).fetchone()
        self.rows[row[0]] = marks
        self.auds[row[0]] = aud

    def _person(self, n: int) -> Somebody:
        return self.everybody[n % len(self.everybody)]

    def _org(self, n: int) -> int:
        return self.orgs[n % len(self.orgs)]

    def check(self) -> None:
        for who in (None, *self.everybody):
            wanted = {
                row
                for row, marks in self.rows.items()
                if sees(self.facts, None if who is None else who.person, marks)
            }
            with self.people.acting(who) as db:
                found = {r[0] for r in db.execute("select id from clearway.probe")}
                assert found == wanted, (who, found ^ wanted, [self.rows[r] for r in found ^ wanted])
                assert db.execute("select count(*) from clearway.probe").fetchone() == (len(wanted),)
                grouped = db.execute("select aud, count(*) from clearway.probe group by aud").fetchall()
                assert sum(n for _, n in grouped) == len(wanted)
                for hidden in sorted(set(self.rows) - wanted)[:3]:
                    assert (
                        db.execute("select from clearway.probe where id = %s", (hidden,)).fetchone() is None
                    )
                    assert db.execute(
                        "select clearway.audience_words(%s)", (self.auds[hidden],)
                    ).fetchone() == (None,)
        # What the badges hold is what the clauses say, evaluated directly.
        with self.people.owner() as db:
            wrong = db.execute(
                """select b.badge, a.aud from clearway.badge b, clearway.audience a
                where (get_bit(b.bits, a.aud) = 1) <> clearway.opens(b.grps, a.clauses)"""
            ).fetchall()
            assert wrong == []
            mistaken = db.execute(
                """select b.badge from clearway.badge b where b.few is distinct from array(
                    select a.aud::int from clearway.audience a where get_bit(b.bits, a.aud) = 1 order by 1)"""
            ).fetchall()
            assert mistaken == []
            stale = db.execute(
                """select p.person from clearway.person p join clearway.badge b using (badge)
                where b.grps <> case when p.active and p.kind <> 'public' then clearway.groups_of(p.person)
                    else '{}' end"""
            ).fetchall()
            assert stale == []


_n = st.integers(0, 40)
_acts = st.lists(
    st.one_of(
        st.tuples(
            st.just("row"), st.sampled_from(["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]), _n, _n, _n
        ),
        st.tuples(
            st.just("row"), st.sampled_from(["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]), _n, _n, _n
        ),
        st.tuples(st.just("derive"), _n, _n),
        st.tuples(st.just("grant"), _n, _n, st.sampled_from(ROLES)),
        st.tuples(st.just("revoke"), _n),
        st.tuples(st.just("client"), _n, _n, st.booleans()),
        st.tuples(st.just("recipient"), _n, _n, st.booleans(), st.booleans()),
        st.tuples(st.just("release"), _n),
        st.tuples(st.just("bar"), _n),
    ),
    min_size=6,
    max_size=16,
)


@given(acts=_acts)
@settings(
    max_examples=often(6, 12),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_the_database_shows_each_person_what_the_oracle_says(
    new_people: Any, acts: list[tuple[Any, ...]]
) -> None:
    with new_people() as people:
        world = Sandbox(people)
        for name, *parameters in acts:
            getattr(world, name)(*parameters)
            world.check()


def test_every_act_at_least_once_in_an_order_that_bites(new_people: Any) -> None:
    with new_people() as people:
        world = Sandbox(people)
        for act in (
            ("row", "GREEN", 0, 0, 1),  # GREEN under an embargo: releasing it must leave GREEN, not CLEAR
            ("row", "CLEAR", 0, 0, 1),
            ("row", "AMBER", 2, 0, 2),
            ("row", "RED", 1, 1, 1),
            ("derive", 0, 2),
            ("derive", 3, 4),
            ("recipient", 2, 3, True, True),
            ("client", 3, 2, True),
            ("release", 0),
            ("row", "GREEN", 0, 0, 1),
            ("grant", 1, 3, "coordinator"),
            ("release", 0),
            ("bar", 3),
            ("revoke", 1),
        ):
            getattr(world, act[0])(*act[1:])
            world.check()


@pytest.mark.parametrize("tlp", ["GREEN", "AMBER", "AMBER+STRICT", "RED"])
def test_the_end_of_an_embargo_leaves_the_marking_beneath_it(people: People, tlp: str) -> None:
    world = Sandbox(people)
    world.row(tlp, 1, 1, 1)
    row = next(iter(world.rows))
    outsider = world.everybody[4]
    with people.acting(None) as db:
        assert db.execute("select from clearway.probe where id = %s", (row,)).fetchone() is None
    world.release(0)
    world.check()
    with people.acting(None) as db:
        assert db.execute("select from clearway.probe where id = %s", (row,)).fetchone() is None
    with people.acting(outsider) as db:
        assert (db.execute("select from clearway.probe where id = %s", (row,)).fetchone() is not None) == (
            tlp == "GREEN"
        )
