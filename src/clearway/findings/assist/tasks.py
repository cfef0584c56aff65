"""Beside requests: proposals are made, and deleted when their time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from .kept import TASK

if TYPE_CHECKING:
    from pathlib import Path

    from clearway.store.jobs import Job, Tasks


def tasks(home: Path, url: str) -> Tasks:
    """The tasks, for the home that has the settings and the vault."""

    def assist(job: Job, args: dict[str, Any]) -> None:
        """Makes one proposal."""
        from . import at_desk

        at_desk.draft(home, job, args)

    def sweep(job: Job, args: dict[str, Any]) -> None:
        """Deletes what proposals said whose time is over."""
        from . import kept

        with job.owner() as db:
            kept.sweep(db)

    return {
        TASK: Spec(assist, Retry(attempts=3, first_s=5.0, longest_s=60.0)),
        "findings.assist_sweep": Spec(sweep, cron="41 3 * * *"),
    }
