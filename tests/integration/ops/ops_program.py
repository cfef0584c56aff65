"""The real program, run on a home and a database; and databases at a migration of choice."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from clearway.store.connect import connect
from clearway.store.server import URL_VARIABLE
from intake_world import PROGRAM, SRC
from steps import SCRIPTS


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of a command that uses the database at `url`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CLEARWAY_")}
    return {**kept, "PYTHONPATH": str(SRC), **({URL_VARIABLE: url} if url else {}), **more}


def clearway(
    home: Path, url: str, *words: str, limit_bytes: int = 0, **more: str
) -> subprocess.CompletedProcess[str]:
    """One command, to its end. With `limit_bytes`, it can write no larger file."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [*PROGRAM, "--home", str(home), *words],
        env=environment(url, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limit if limit_bytes else None,
    )


def started(home: Path, url: str, *words: str, **more: str) -> subprocess.Popen[str]:
    """One command, at work."""
    return subprocess.Popen(
        [*PROGRAM, "--home", str(home), *words],
        env=environment(url, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def step_to(url: str, number: str) -> None:
    """Brings the database to migration `number`, up or down, as the program brings it to the newest."""

    def steps(now: Any, _: Any) -> Any:
        down = bool(now) and max(now) > number
        return SCRIPTS._downgrade_revs(number, now) if down else SCRIPTS._upgrade_revs(number, now)

    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("create schema if not exists clearway")
        with EnvironmentContext(Config(), SCRIPTS, fn=steps) as context:
            context.configure(connection=connection, version_table_schema="clearway", transactional_ddl=True)
            context.run_migrations()
