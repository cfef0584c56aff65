"""What access does in the background: embargoes end or freeze, rows leave those that ended, numbers are given back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clearway.records.clock import SystemClock
from clearway.store.jobs import Loop, Spec

from . import clockwatch, embargo, exploitation, figures, reclaim, restored
from .clockwatch import Database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearway.store.jobs import Connect, Job

EVERY_S = 5.0
_LONG_LOOK_S = 20.0
_LOOK = """select (select at from clearway.log_entry where at is not null order by entry desc limit 1),
    clock_timestamp(), pg_postmaster_start_time()"""


def embargoes(connect: Connect, home: Path | None = None) -> None:
    """One look at the clocks and at what is due by them, and at what is exploited in public.

    A database that is known in `home` to have gone back to an earlier state ends nothing: what is armed freezes. Its
    webhooks are told nothing.
    """
    with connect() as owner:
        if home is not None and (why := restored.gone_back(owner, home)):
            embargo.freeze_armed(owner, why)
            restored.stop_webhooks(owner)
        now = clockwatch.read()
        row = owner.execute(_LOOK).fetchone()
        assert row is not None
        # A look that was held up says nothing of two clocks: the next one does.
        if clockwatch.read().up_s - now.up_s < _LONG_LOOK_S:
            latest, wall, since = row
            embargo.carry_out(owner, now, latest, Database(wall=wall, since=since))
        exploitation.standing(owner)


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loop of embargoes, which looks at what was signed in `home`."""
    return {"access.embargoes": Loop("", EVERY_S, partial(embargoes, home=home))}


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
