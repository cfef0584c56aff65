"""The migrations, run by Alembic in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext, RevisionStep


def upgrade(connect: Callable[[], psycopg.Connection], folder: Path, schema: str, lock: int) -> None:
    """Runs every migration of `folder` that the database has not had, in one transaction.

    The transaction holds the advisory lock `lock`, so that the version is read when no other
    process is migrating. `schema` is made when it is missing, and holds Alembic's version table.

    Raises:
        psycopg.Error: a statement failed; nothing has changed then.
    """
    script = ScriptDirectory(str(folder))

    def steps(now: Any, _: MigrationContext) -> list[RevisionStep]:
        return script._upgrade_revs("head", now)

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (lock,))
            connection.exec_driver_sql(f"create schema if not exists {schema}")
            with EnvironmentContext(Config(), script, fn=steps) as environment:
                environment.configure(
                    connection=connection, version_table_schema=schema, transactional_ddl=True
                )
                environment.run_migrations()
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise
