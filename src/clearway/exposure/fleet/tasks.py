"""What is done beside requests: following the table, the new day, and what the caller of an act may not see."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import follow, marked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearway.store.jobs import Job

HOME_VARIABLE = "CLEARWAY_HOME"


def follow_table(job: Job, args: Mapping[str, Any]) -> None:
    """Brings the fleet up to the compiled table; `home` names the one whose table it is."""
    from clearway.advisories.table import Table

    home = Path(str(args.get("home") or os.environ.get(HOME_VARIABLE, ""))).expanduser()
    table = Table.of_home(home)
    try:
        with job.owner() as db, job.step(f"generation {table.meta.generation}", db) as todo:
            if todo:
                follow.follow(db, table, _today(), home)
                marked.match(db, _today())
    finally:
        table.close()


def new_day(job: Job, args: Mapping[str, Any]) -> None:
    """What a new day alone changes."""
    with job.owner() as db:
        follow.tick(db, _today())


def match_pending(job: Job, args: Mapping[str, Any]) -> None:
    """What marked records say of assets that were changed by somebody who may not know them."""
    while True:
        with job.owner() as db:
            if not marked.pending(db, _today()):
                return


def _today() -> Any:
    return datetime.now(UTC).date()


def _tasks() -> dict[str, Any]:
    from clearway.store.jobs import Spec

    return {
        "fleet.follow": follow_table,
        "fleet.pending": Spec(match_pending, cron="* * * * *"),
        "fleet.day": Spec(new_day, cron="5 0 * * *"),
    }


TASKS = _tasks()
