"""What would be due under a version that is still to come, while none of its directive stands: counted for its own day.

Apart from what is due now: a figure here is of no duty before that day, and what is mended until then is not in it.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ConfigError, TooLargeError

from .kept.governing import settled
from .pages_figures import figures
from .reports.provider import default_provider
from .reports.row import ReportRow

if TYPE_CHECKING:
    import psycopg

    from .kept.who import Org
    from .pages_parts import About
    from .reports.provider import Provider


class AheadTier(Struct, frozen=True, kw_only=True):
    """One tier: the items that are open today. `overdue`: past their date at the end of the day from which it counts;
    `week`: due within seven days from then, that day among them."""

    code: str
    overdue: int
    week: int
    later: int
    no_date: int


class Ahead(Struct, frozen=True, kw_only=True):
    """What would be due at the end of `as_of`, the first day of `version`, by what is known today.

    `urgent` has the earliest dates. `waits`: as it may make a date later, it counts from then on only once the
    organisation has taken note of it.
    """

    version: str
    as_of: date
    waits: bool
    tiers: tuple[AheadTier, ...]
    urgent: tuple[ReportRow, ...]
    out_of_scope: int

    @property
    def overdue(self) -> int:
        """Of all tiers, what would be past its date at once."""
        return sum(tier.overdue for tier in self.tiers)

    @property
    def total(self) -> int:
        """All items that are open and in its scope."""
        return sum(tier.overdue + tier.week + tier.later + tier.no_date for tier in self.tiers)


def ahead_of(
    db: psycopg.Connection[Any], provider: Provider | None, org: Org | None, found: About, most: int
) -> Ahead | None:
    """What would be due of the organisation; None where no version is to come, or no fleet is kept.

    Raises TooLargeError for more than `most` items.
    """
    if org is None or found.ahead is None or found.begins is None:
        return None
    day = found.begins
    try:
        source = provider or default_provider()
    except ConfigError:  # this installation keeps no fleet
        return None
    shown = figures(source.rows(db, org.org, found.ahead, day, since=day), found.ahead, day, most)
    if shown is None:
        raise TooLargeError(
            f"more than {most:,} items",
            where=found.id,
            mend="ask for a report as of that day, which has them all",
        )
    return Ahead(
        version=found.ahead.version,
        as_of=day,
        waits=found.comes is not None
        and any(b.version_id == found.comes.id for b in settled(db, [org.org], day)[org.org].waits),
        tiers=tuple(
            AheadTier(code=t.code, overdue=t.overdue, week=t.week, later=t.later, no_date=t.no_date)
            for t in shown.tiers
        ),
        urgent=shown.urgent,
        out_of_scope=shown.out_of_scope,
    )
