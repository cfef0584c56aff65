"""The step that added the intake can be taken back and made again; findings and their files outlive it."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.findings import artefact, kept
from clearway.findings.intake import record, submit
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
    scripts = ScriptDirectory(str(_MIGRATIONS))
    module = scripts.get_revision("0016").module
    (marks,) = [s.module for s in scripts.walk_revisions() if s.path.endswith("_marks.py")]
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(desk.people.url), poolclass=NullPool
    )

    def run(way: str, step: Any = module) -> set[tuple[str, str]]:
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            getattr(step, way)()
        return there()

    def there() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return {(kind, name) for kind, name in db.execute(THERE)}

    with desk.acting(desk.finder) as db:
        (first,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
    now = there()
    before = run("downgrade", marks)
    without = run("downgrade")
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {
        "submission", "finding_receipt", "finding_gate", "intake_limit", "finding_mark", "mark_appeal",
        "overlap_answer",
    }  # fmt: skip
    assert run("upgrade") == before
    assert run("upgrade", marks) == now
    with desk.acting(desk.finder) as db:
        (again,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
        assert (again.handling, again.new, again.receipt) == (first.handling, False, "")
        (other,) = submit.submit(db, desk.tools, desk.lab, dump(own(title="another"))).taken
        assert other.receipt
        document = artefact.listed(db, kept.one(db, first.handling).id, "document")[0]
        assert artefact.read(db, desk.vault, document) == dump(own())


def test_the_newest_mark_is_left_when_marks_of_their_own_are_taken_back(desk: Desk) -> None:
    scripts = ScriptDirectory(str(_MIGRATIONS))
    (marks,) = [s.module for s in scripts.walk_revisions() if s.path.endswith("_marks.py")]
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(desk.people.url), poolclass=NullPool
    )
    found = desk.finding()
    for mark in ("invalid", "known"):
        with desk.acting(desk.coordinator) as db:
            record.give(db, found, mark, "looked at")
    with desk.acting(desk.finder) as db:
        record.appeal(db, found, "it is new")
    for _ in range(2):  # what is sent again once it was withdrawn has the same hash
        with desk.acting(desk.finder) as db:
            (taken,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
            kept.move(db, kept.one(db, taken.handling), "withdrawn", "")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        marks.downgrade()
    with desk.owner() as db:
        rows = db.execute("select mark, why from clearway.finding_mark").fetchall()
        assert rows == [("known", "looked at")]
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        marks.upgrade()
    with desk.acting(desk.finder) as db:
        said = record.mark_of(db, found.id)
        assert said is not None
        assert (said.mark, len(said.appeals), said.earlier) == ("known", 1, ())
