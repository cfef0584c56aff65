"""Beside requests: who waited has a turn, and trials are deleted after a week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store.jobs import Spec

from ..vault import Vault
from . import sweep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearway.store.jobs import Job, Tasks


def turns(job: Job, args: Mapping[str, Any]) -> None:
    """Queues the reports whose turn with their receiver has come."""
    with job.owner() as db:
        sweep.turns(db)


def tasks(home: Path, url: str) -> Tasks:
    """The tasks that need the home's vault, and the others."""

    def trials(job: Job, args: Mapping[str, Any]) -> None:
        """Deletes trials that are over a week old, and destroys their keys."""
        with job.owner() as db:
            sweep.trials(db, Vault.of_home(home))

    return {
        "findings.turns": Spec(turns, cron="7 * * * *"),
        "findings.trials": Spec(trials, cron="41 3 * * *"),
    }
