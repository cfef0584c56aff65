"""The step that left a witness's line to the owner can be taken back and made again."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from people import People

STATE = """select p.prosrc, has_function_privilege('clearway_app', p.oid, 'execute') from pg_proc p
where p.pronamespace = 'clearway'::regnamespace and p.proname in ('log_cosign', 'audience_label') order by p.proname"""


def test_taken_back_and_made_again_the_owner_alone_keeps_lines(people: People) -> None:
    module = ScriptDirectory(str(_MIGRATIONS)).get_revision("0027").module
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(people.url), poolclass=NullPool)

    def state() -> list[tuple[str, bool]]:
        with people.owner() as db:
            return db.execute(STATE).fetchall()

    def run(way: str) -> list[tuple[str, bool]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(module, way)()
        return state()

    now = state()
    assert not now[1][1]
    between = run("downgrade")
    assert between[1][1]
    assert all(a != b for (a, _), (b, _) in zip(now, between, strict=True))
    assert run("upgrade") == now
