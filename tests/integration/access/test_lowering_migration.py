"""The step that added lowering can be taken back and made again, and what it replaced is there meanwhile."""

from __future__ import annotations

from clearway.access import approval, audience, lowering
from clearway.access.marking import GREEN, own
from clearway.http.acting import Doorkeeper
from people import People
from steps import Steps

FUNCTIONS = """select p.oid::regprocedure::text, p.prosrc from pg_proc p
where p.pronamespace = 'clearway'::regnamespace and p.prolang <> 12 order by 1"""


def test_taken_back_and_made_again_a_marking_is_lowered_as_before(people: People) -> None:
    steps = Steps(people.url, "0012")

    with people.owner() as db:
        before = dict(db.execute(FUNCTIONS).fetchall())
    steps.down()
    with people.owner() as db:
        between = dict(db.execute(FUNCTIONS).fetchall())
        assert db.execute("select to_regclass('clearway.log_act')").fetchone() == (None,)
    assert "log_act" not in between["log_append(text,text,text,integer,bytea)"]
    assert "audience_free" not in between["make_audience(integer[])"]
    assert set(between) < set(before)
    steps.up()
    with people.owner() as db:
        after = dict(db.execute(FUNCTIONS).fetchall())
    assert set(after) == set(before)
    a = people.org("a")
    asker, second = people.somebody(a, "operator"), people.somebody(a, "coordinator")
    me = Doorkeeper(people.pool).principal(asker.key)
    assert me is not None
    with people.acting(asker) as db:
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
            (a, audience.of(db, own(a))),
        ).fetchone()
        assert row is not None
        asked = lowering.change(db, me, lowering.one(db, me, "asset", row[0]), GREEN, "known")
    assert asked.approval is not None
    with people.acting(second) as db:
        assert approval.decide(db, asked.approval.approval, "approved").used is not None
