"""By which day a report is due: one rule for the organisation that owes it and the authority that waits for it. Pure.

The first is due so many days after the duty begins, or at the end of the quarter in which it begins; it begins with the
directive's own day or, where that is later, with the day from which the directive is addressed to the organisation.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from .reports.period import later, quarter_of

if TYPE_CHECKING:
    from .duties import ReportDuty


def next_due(duty: ReportDuty, addressed: date | None = None, last: date | None = None) -> date:
    """The last day on which the report after one of the day `last` is in time; of the first one where there was none.

    `addressed` is the day from which the directive is addressed to the organisation; None: nobody has addressed it.
    Whoever reports before the duty begins is due no sooner than whoever does not.
    """
    begins = duty.since if addressed is None else max(duty.since, addressed)
    first = quarter_of(begins)[1].last if duty.quarterly else later(begins, duty.days)
    if last is None:
        return first
    if not duty.quarterly:
        return max(later(last, duty.days), first)
    return max(quarter_of(later(quarter_of(last)[1].last, 1))[1].last, first)
