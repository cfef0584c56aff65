"""Beside requests: keys made where they are missing or old, cross-runs of what they suggest, whether others hold it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from ..intake import overlap
from .at_desk import TASK

if TYPE_CHECKING:
    from pathlib import Path

    from clearway.store.jobs import Job, Tasks

_AT_ONCE = 500  # findings in one turn of the replay; the next turn goes on


def tasks(home: Path, url: str) -> Tasks:
    """The tasks, for the home whose vault they use."""

    def rekey(job: Job, args: dict[str, Any]) -> None:
        """Makes keys that are missing or were made by other rules, and asks for the cross-runs that they suggest."""
        from ..vault import Vault
        from . import at_desk, rekey, told

        vault = Vault.of_home(home)
        with job.owner() as db:
            todo = rekey.stale(db, _AT_ONCE)
        for n, number in enumerate(todo):
            if job.stopping:
                return
            with job.owner() as db:
                _, waiting = rekey.rekey(db, vault, number)
                at_desk.start_all(db, waiting)
            job.progress(n + 1, len(todo), "findings compared")
        with job.owner() as db:
            told.correct(db)

    def answer(job: Job, args: dict[str, Any]) -> None:
        """Tells the reporter of a proof that has fired whether others hold the flaw; never more often than is right."""
        from clearway.records.errors import ForbiddenError, TooManyRequestsError

        from ..vault import Vault
        from . import told

        with suppress(ForbiddenError, TooManyRequestsError), job.owner() as db:
            told.answer_overlap(db, Vault.of_home(home), int(args["finding"]))

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
        overlap.TASK: Spec(answer, Retry(attempts=5)),
        "findings.words": Spec(words, cron="17 4 * * *"),
    }
