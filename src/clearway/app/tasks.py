"""Loops and jobs of the assembled whole: the search's documents, digests by mail, and retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConfigError
from clearway.store.jobs import Loop, Spec, Tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg

    from clearway.store.jobs import Job

    Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loops, for the home whose table is followed."""

    def flaws(connect: Connect) -> None:
        from clearway.advisories.table import Table

        from . import indexing

        try:
            table = Table.of_home(home)
        except ConfigError:  # before the first intake
            return
        try:
            indexing.follow_flaws(connect, table)
        finally:
            table.close()

    def kept(connect: Connect) -> None:
        from . import indexing

        indexing.follow_kept(connect)

    return {
        "app.search_flaws": Loop("", 10.0, flaws),
        "app.search_kept": Loop("clearway_event", 30.0, kept),
    }


def keep_terms(job: Job, _: dict[str, Any]) -> None:
    """Deletes what is over its term (`app.retention`)."""
    from . import retention

    retention.carry_out(job.owner, lambda: job.stopping)


TASKS: Tasks = {"app.retention": Spec(keep_terms, cron="41 3 * * *")}
