"""What access does in the background: it ends embargoes that are due, or freezes them and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.store.jobs import Loop

from . import clockwatch, embargo

if TYPE_CHECKING:
    from clearway.store.jobs import Connect

EVERY_S = 5.0


def embargoes(connect: Connect) -> None:
    """One look at the clocks and at what is due by them."""
    with connect() as owner:
        row = owner.execute(
            "select at from clearway.log_entry where at is not null order by entry desc limit 1"
        ).fetchone()
        embargo.carry_out(owner, clockwatch.read(), None if row is None else row[0])


LOOPS = {"access.embargoes": Loop("", EVERY_S, embargoes)}
