"""Steps of the schema taken back and made again on a database that has rows, whatever steps stand above them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from clearway.store.connect import connect
from clearway.store.migrate import _MIGRATIONS

if TYPE_CHECKING:
    import psycopg

SCRIPTS = ScriptDirectory(str(_MIGRATIONS))
# Tasks that 0058 closes were opened by the steps before: they are left out.
_THERE = """select 'table', relname::text from pg_class where relnamespace = 'clearway'::regnamespace and relkind = 'r'
union all select 'function', oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace
union all select 'policy', polrelid::regclass::text || '.' || polname from pg_policy
union all select 'governed', name from clearway.governed
union all select 'task', task from clearway.job_allowed
where task !~ '^(findings[.](validate|accept|cross|assist|case_release|case_cve)|app[.]case_letters)$'
union all select 'act', act from clearway.log_act"""


class Steps:
    """Some steps by their numbers, in the order in which they were made."""

    def __init__(self, url: str, *numbers: str) -> None:
        self._modules: list[Any] = [SCRIPTS.get_revision(number).module for number in numbers]
        self._engine = create_engine(
            "postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool
        )

    def down(self) -> None:
        """Takes them back, the newest first."""
        self._run("downgrade", self._modules[::-1])

    def up(self) -> None:
        """Makes them again."""
        self._run("upgrade", self._modules)

    def _run(self, way: str, modules: list[Any]) -> None:
        with self._engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            for module in modules:
                getattr(module, way)()


def step_of(name: str) -> str:
    """The number of the step whose file is `NNNN_name.py`."""
    (found,) = (_MIGRATIONS / "versions").glob(f"[0-9][0-9][0-9][0-9]_{name}.py")
    return found.name[:4]


def since(number: str) -> list[str]:
    """A step and all that were made after it: a later one may have made a function of it anew."""
    return [found.revision for found in SCRIPTS.iterate_revisions("heads", number, inclusive=True)][::-1]


def there(db: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """(kind, name) of the tables, functions, policies and listed names that a step makes."""
    return {(kind, name) for kind, name in db.execute(_THERE)}
