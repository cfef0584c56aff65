"""Beside requests: keys made where they are missing or old, cross-runs of what they suggest, terms learnt anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from .at_desk import TASK

if TYPE_CHECKING:
    from pathlib import Path

    from clearway.store.jobs import Job, Tasks

_AT_ONCE = 500  # findings in one turn of the replay; the next turn goes on
_CROSS_LEVEL = 3


def tasks(home: Path, url: str) -> Tasks:
    """The tasks, for the home whose vault they use."""

    def rekey(job: Job, args: dict[str, Any]) -> None:
        """Makes keys that are missing or were made by other rules, and asks for the cross-runs that they suggest."""
        from clearway.store import jobs

        from ..vault import Vault
        from . import at_desk, rekey

        vault = Vault.of_home(home)
        with job.owner() as db:
            todo = rekey.stale(db, _AT_ONCE)
        for n, number in enumerate(todo):
            if job.stopping:
                return
            with job.owner() as db:
                finding, waiting = rekey.rekey(db, vault, number)
                for other in waiting if finding.level >= _CROSS_LEVEL else ():
                    at_desk.start(db, number, other, jobs)
            job.progress(n + 1, len(todo), "findings compared")

    def cross(job: Job, args: dict[str, Any]) -> None:
        """Tries each of two findings' fixes on the other's proof."""
        from ..vault import Vault
        from .at_desk import Desk

        Desk(home, Vault.of_home(home)).cross(job, args)

    def words(job: Job, args: dict[str, Any]) -> None:
        """Learns how rare terms are from the public records."""
        from .hint import kept

        kept.learn(job.owner)

    return {
        "findings.rekey": Spec(rekey, cron="* * * * *"),
        TASK: Spec(cross, Retry(attempts=5)),
        "findings.words": Spec(words, cron="17 4 * * *"),
    }
