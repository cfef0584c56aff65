"""What access does in the background: embargoes end or freeze, rows leave those that ended, numbers are given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.records.clock import SystemClock
from clearway.store.jobs import Loop, Spec

from . import clockwatch, embargo, exploitation, figures, reclaim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearway.store.jobs import Connect, Job

EVERY_S = 5.0


def embargoes(connect: Connect) -> None:
    """One look at the clocks and at what is due by them, and at what is exploited in public."""
    with connect() as owner:
        row = owner.execute(
            "select at from clearway.log_entry where at is not null order by entry desc limit 1"
        ).fetchone()
        embargo.carry_out(owner, clockwatch.read(), None if row is None else row[0])
        exploitation.standing(owner)


LOOPS = {"access.embargoes": Loop("", EVERY_S, embargoes)}


def move_released(job: Job, _: Mapping[str, object]) -> None:
    """Rows of ended embargoes go to the audiences that say the same without them."""
    reclaim.move(job.owner)


def give_back(job: Job, _: Mapping[str, object]) -> None:
    """Audiences that nothing refers to go one step on."""
    reclaim.give_back(job.owner)


def count_figures(job: Job, _: Mapping[str, object]) -> None:
    """The day's figures across fleets."""
    with job.owner() as owner:
        figures.count(owner, SystemClock().now().date())


TASKS = {
    "access.count_figures": Spec(count_figures, cron="10 4 * * *"),
    "access.move_released": Spec(move_released, cron="*/10 * * * *"),
    "access.give_back": Spec(give_back, cron="40 3 * * *"),
}
