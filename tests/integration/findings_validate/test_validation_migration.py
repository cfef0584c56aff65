"""The step that added validations can be taken back and made again; findings and their statements outlive it."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.findings.validate import validation
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from findings_world import Desk

THERE = """select 'table', relname::text from pg_class where relnamespace = 'clearway'::regnamespace and relkind = 'r'
union all select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname from pg_policy
union all select 'governed', name from clearway.governed
union all select 'task', task from clearway.job_allowed
union all select 'act', act from clearway.log_act"""


def test_taken_back_and_made_again_validations_are_asked_for_as_before(desk: Desk) -> None:
    scripts = ScriptDirectory(str(_MIGRATIONS))
    steps = [scripts.get_revision(name).module for name in ("0046", "0017")]  # newest first
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(desk.people.url), poolclass=NullPool
    )

    def there() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return {(kind, name) for kind, name in db.execute(THERE)}

    def run(way: str) -> set[tuple[str, str]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            for module in steps if way == "downgrade" else reversed(steps):
                getattr(module, way)()
        return there()

    before = there()
    without = run("downgrade")
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {"validation", "validation_step"}
    assert ("act", "validation.*") in without
    assert run("upgrade") == before
    finding = desk.finding(state="queued")
    with desk.acting(desk.coordinator) as db:
        number = validation.ask(db, finding)
        assert validation.one(db, finding.id, number).state == "waiting"
