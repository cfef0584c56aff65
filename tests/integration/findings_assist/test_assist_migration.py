"""The step that added proposals can be taken back and made again; findings outlive it."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from assist_world import Assist
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from findings_world import Desk

THERE = """select 'table', relname::text from pg_class where relnamespace = 'clearway'::regnamespace and relkind = 'r'
union all select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname from pg_policy
union all select 'governed', name from clearway.governed
union all select 'task', task from clearway.job_allowed
union all select 'act', act from clearway.log_act"""


def test_taken_back_and_made_again_the_model_is_asked_as_before(desk: Desk, assist: Assist) -> None:
    module = ScriptDirectory(str(_MIGRATIONS)).get_revision("0034").module
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(desk.people.url), poolclass=NullPool
    )

    def there() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return {(kind, name) for kind, name in db.execute(THERE)}

    def run(way: str) -> set[tuple[str, str]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(module, way)()
        return there()

    finding = assist.reported()
    assist.drafted("summary", finding)
    before = there()
    without = run("downgrade")
    assert without < before
    assert not {name for _, name in without if "assist" in name}
    assert run("upgrade") == before
    assert assist.drafted("summary", finding).state == "proposed"
