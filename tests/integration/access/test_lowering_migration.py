"""The step that added lowering can be taken back and made again, and what it replaced is there meanwhile."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.access import approval, audience, lowering
from clearway.access.marking import GREEN, own
from clearway.http.acting import Doorkeeper
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from people import People

FUNCTIONS = """select p.oid::regprocedure::text, p.prosrc from pg_proc p
where p.pronamespace = 'clearway'::regnamespace and p.prolang <> 12 order by 1"""


def test_taken_back_and_made_again_a_marking_is_lowered_as_before(people: People) -> None:
    module = ScriptDirectory(str(_MIGRATIONS)).get_revision("0012").module
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(people.url), poolclass=NullPool)

    def run(way: str) -> None:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(module, way)()

    with people.owner() as db:
        before = dict(db.execute(FUNCTIONS).fetchall())
    run("downgrade")
    with people.owner() as db:
        between = dict(db.execute(FUNCTIONS).fetchall())
        assert db.execute("select to_regclass('clearway.log_act')").fetchone() == (None,)
    assert "log_act" not in between["log_append(text,text,text,integer,bytea)"]
    assert "audience_free" not in between["make_audience(integer[])"]
    assert set(between) < set(before)
    run("upgrade")
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
