"""Figures across fleets, for whoever watches and may see none of the rows: so many stand open, and so many are overdue.

Counted once a day by the owner's job. Each cell passes one function of the database (`clearway.disclosed`), which hides
it where fewer than five organisations contribute or one of them makes most of it, and gives it in tens. The cells don't
overlap and no sum stands beside them, so that a hidden one can't be had by taking away.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway.store.scalar import scalar

if TYPE_CHECKING:
    import psycopg

State = Literal["overdue", "due", "undated", "handled"]


class Figure(Struct, frozen=True, kw_only=True):
    """How many exposures to flaws that are, or are not, in KEV were in a state on a day.

    `n` is rounded down to tens; None: it is hidden, since it would tell of single organisations.
    """

    day: date
    kev: bool
    state: State
    n: int | None


def count(owner: psycopg.Connection[Any], day: date) -> int:
    """Counts a day's figures, once; how many cells it wrote: 0 where that day was counted."""
    return scalar(owner, "select clearway.count_figures(%s)", (day,))


def listed(db: psycopg.Connection[Any], *, days: int = 31) -> tuple[Figure, ...]:
    """The figures of the last `days` days that were counted, the newest day first."""
    rows = db.execute(
        """select day, kev, state, n from clearway.figure where day > (select max(day) from clearway.figure) - %s
        order by day desc, kev desc, state""",
        (days,),
    )
    return tuple(Figure(day=day, kev=kev, state=state, n=n) for day, kev, state, n in rows)
