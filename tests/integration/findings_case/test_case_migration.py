"""The steps that added cases can be taken back and made again; findings outlive them, each in no case."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from findings_case_world import Cases

THERE = """select 'table', relname::text from pg_class where relnamespace = 'clearway'::regnamespace and relkind = 'r'
union all select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname from pg_policy
union all select 'governed', name from clearway.governed
union all select 'task', task from clearway.job_allowed
union all select 'act', act from clearway.log_act"""


def test_taken_back_and_made_again_cases_are_opened_as_before(cases: Cases) -> None:
    steps = [
        ScriptDirectory(str(_MIGRATIONS)).get_revision(n).module
        for n in ("0019", "0040", "0041", "0047", "0050")
    ]
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(cases.world.url), poolclass=NullPool
    )

    def there() -> set[tuple[str, str]]:
        with cases.desk.owner() as db:
            return {(kind, name) for kind, name in db.execute(THERE)}

    def run(way: str) -> set[tuple[str, str]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            for step in steps if way == "upgrade" else reversed(steps):
                getattr(step, way)()
        return there()

    case = cases.opened()
    cases.vendor(case)
    cases.by_mail(case)
    cases.drafted(case)
    before = there()
    without = run("downgrade")
    # Functions of leases had other arguments before.
    assert {one for one in without if "(lease_" not in f"({one[1]}"} < before
    assert not {name for kind, name in without if "case" in name and kind != "act"}
    with cases.desk.owner() as db:
        assert db.execute("select count(*) from clearway.finding where case_id is not null").fetchone() == (
            0,
        )
    assert run("upgrade") == before
    cases.vendor(cases.opened())
