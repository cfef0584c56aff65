"""The step can be taken back and made again: names become one asset's alone, and what it replaced is there."""

from __future__ import annotations

import pytest

from clearway.access import audience
from clearway.access.marking import own
from people import People
from steps import Steps

FUNCTIONS = """select p.oid::regprocedure::text, p.prosrc, has_function_privilege('clearway_app', p.oid, 'execute'),
    has_function_privilege('public', p.oid, 'execute')
from pg_proc p where p.pronamespace = 'clearway'::regnamespace and p.prolang <> 12 order by 1"""
NAMES = "select name from clearway.asset order by asset"


@pytest.mark.slow
def test_taken_back_and_made_again_all_is_as_before(people: People) -> None:
    steps = Steps(people.url, "0039")

    a, b = people.org("a"), people.org("b")
    with people.owner() as db:
        before = db.execute(FUNCTIONS).fetchall()
        for org in (a, b):
            for name in ("gw", "gw", "x" * 300, "x" * 300):
                db.execute(
                    "insert into clearway.asset (org, aud, name) values (%s, %s, %s)",
                    (org, audience.of(db, own(org)), name),
                )
        kept = db.execute(NAMES).fetchall()
    steps.down()
    with people.owner() as db:
        between = {row[0]: row[1] for row in db.execute(FUNCTIONS)}
        renamed = [name for (name,) in db.execute(NAMES)]
    assert "log_act.needs" not in str(between)
    assert "my_orgs(r)" not in between["log_append(text,text,text,integer,bytea)"]
    assert "fleet_taken(integer,text[])" in between
    assert [name for name in renamed if len(name) < 20] == ["gw", "gw (2)", "gw", "gw (6)"]
    assert all(len(name) <= 300 for name in renamed)
    steps.up()
    with people.owner() as db:
        assert db.execute(FUNCTIONS).fetchall() == before
        assert len(db.execute(NAMES).fetchall()) == len(kept)
