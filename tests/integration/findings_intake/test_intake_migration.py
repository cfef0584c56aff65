"""The step that added the intake can be taken back and made again; findings and their files outlive it."""

from __future__ import annotations

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.findings import artefact, kept
from clearway.findings.intake import submit
from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS
from findings_world import Desk
from report_documents import dump, own

THERE = """select 'table', relname::text from pg_class where relnamespace = 'clearway'::regnamespace and relkind = 'r'
union all select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname from pg_policy
union all select 'governed', name from clearway.governed
union all select 'act', act from clearway.log_act"""


def test_taken_back_and_made_again_reports_land_as_before(desk: Desk) -> None:
    module = ScriptDirectory(str(_MIGRATIONS)).get_revision("0016").module
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(desk.people.url), poolclass=NullPool
    )

    def run(way: str) -> set[tuple[str, str]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(module, way)()
        return there()

    def there() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return {(kind, name) for kind, name in db.execute(THERE)}

    with desk.acting(desk.finder) as db:
        (first,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
    before = there()
    without = run("downgrade")
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {
        "submission", "finding_receipt", "finding_gate", "intake_limit", "finding_mark", "mark_appeal",
        "overlap_answer",
    }  # fmt: skip
    assert run("upgrade") == before
    with desk.acting(desk.finder) as db:
        (again,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
        assert (again.handling, again.new, again.receipt) == (first.handling, False, "")
        (other,) = submit.submit(db, desk.tools, desk.lab, dump(own(title="another"))).taken
        assert other.receipt
        document = artefact.listed(db, kept.one(db, first.handling).id, "document")[0]
        assert artefact.read(db, desk.vault, document) == dump(own())
