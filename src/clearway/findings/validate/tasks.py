"""Validations in the background: durable jobs, any worker that has the home's vault takes the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from .validation import ACCEPT, TASK

if TYPE_CHECKING:
    from pathlib import Path

    from clearway.store.jobs import Job, Tasks


def tasks(home: Path, url: str) -> Tasks:
    """The tasks, for the home whose vault and key they use."""

    def desk() -> Any:
        from ..desk_key import DeskKey
        from ..vault import Vault
        from .at_desk import Desk

        return Desk(home, Vault.of_home(home), DeskKey.of_home(home))

    def validate(job: Job, args: dict[str, Any]) -> None:
        """Judges one finding."""
        desk().validate(job, args)

    def accept(job: Job, args: dict[str, Any]) -> None:
        """Signs that somebody accepted it."""
        desk().accept(job, args)

    from .at_desk import ATTEMPTS

    return {TASK: Spec(validate, Retry(attempts=ATTEMPTS)), ACCEPT: Spec(accept, Retry(attempts=ATTEMPTS))}
