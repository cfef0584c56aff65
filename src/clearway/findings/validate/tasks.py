"""Validations in the background: durable jobs, any worker that has the home's vault takes the next."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ClearwayError
from clearway.store.jobs import Spec
from clearway.store.jobs_retry import Retry

from .validation import ACCEPT, TASK

log = logging.getLogger(__name__)
SWEEP_S = 3600.0

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


def begin(home: Path, stop: threading.Event) -> threading.Thread:
    """Looks for builds of killed trials, now and each hour until `stop` is set: in every process that works, since they
    lie on its own machine, and no loop of the cluster's one leader comes there."""
    thread = threading.Thread(target=_sweep, args=(home, stop), name="sweeps builds", daemon=True)
    thread.start()
    return thread


def _sweep(home: Path, stop: threading.Event) -> None:
    from .apart import sweep

    while True:
        try:
            if count := sweep(home):
                log.info("removed what %d killed trials had left of their builds", count)
        except (ClearwayError, OSError) as error:
            log.warning("builds of killed trials could not be looked for: %s", error)
        if stop.wait(SWEEP_S):
            return
