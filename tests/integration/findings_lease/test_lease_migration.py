"""The step of owners' words can be taken back and made again; leases that were held before it stay held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.findings.lease import hold
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from database import server  # noqa: F401
from lease_house import NET, House, house_of

FUNCTIONS = """select p.oid::regprocedure::text, p.prosrc, has_function_privilege('clearway_app', p.oid, 'execute'),
    has_function_privilege('public', p.oid, 'execute')
from pg_proc p where p.pronamespace = 'clearway'::regnamespace and p.prolang <> 12 order by 1"""
SOURCE, WIDE = "198.51.100.7", "203.0.0.0/16"


@pytest.fixture
def alone(server: str, tmp_path: Path) -> Iterator[House]:  # noqa: F811
    yield from house_of(server, tmp_path / "home")


def test_taken_back_and_made_again_leases_are_held_as_before(alone: House) -> None:
    house = alone
    module = ScriptDirectory(str(_MIGRATIONS)).get_revision("0041").module
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(house.people.url), poolclass=NullPool
    )

    def run(way: str) -> list[object]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(module, way)()
        with house.owner() as db:
            return [*db.execute(FUNCTIONS)]

    house.prove(house.finder, authorised=["rival"])
    held = house.lease(house.finder, NET, sources=(SOURCE,))
    with house.owner() as db:
        before = [*db.execute(FUNCTIONS)]
    between = run("downgrade")
    assert "lapsed" not in str(between)
    assert len(between) < len(before)
    with house.owner() as db:  # what an older release took
        db.execute("insert into clearway.lease_source select lease, %s::inet from clearway.lease", (WIDE,))
    assert run("upgrade") == before
    assert house.whose(house.operator, SOURCE, "192.0.2.9").reference == held.reference
    with house.owner() as db:
        assert db.execute("select count(*) from clearway.lease_source").fetchone() == (1,)
        assert hold.one(db, held.reference).state == "held"
    assert house.ask(house.rival, "192.0.2.9").answer == "wait"
    assert house.renew(house.finder, held).version == 2
