"""One report row out of dated facts and dated statuses, as of any day.

What is dated after the day is not known on it, so the row of a past day comes out the same whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from ..clock import timeline
from ..directive import Directive
from ..facts import Facts
from .row import AssetTags, ReportRow, Status


class StatusChange(Struct, frozen=True, kw_only=True):
    """From `dated` on the organisation says `status`; of two of one day the later in the sequence holds.

    `until` is the day an acceptance ends: after it the item is open again.
    """

    dated: date
    status: Status
    reason: str = ""
    until: date | None = None


def row_as_of(
    directive: Directive,
    asset: AssetTags,
    component: str,
    flaw: str,
    facts: Facts,
    statuses: Iterable[StatusChange] = (),
    *,
    as_of: date,
    policy: str = "",
    retier: str = "",
) -> ReportRow | None:
    """The row of one flaw in one component on `as_of`; None before it was first detected.

    Without a detection date in `facts` the row is there at all times. When an asset was decommissioned on or
    before `as_of` its flaws are gone with it.

    Raises:
        UsageError: the directive has no such policy or option.
        InputError: a due date would lie beyond the calendar.
    """
    if facts.detected is not None and facts.detected > as_of:
        return None
    current = timeline(directive, facts, policy, retier=retier, as_of=as_of).current
    held = _held(statuses, as_of)
    gone = held.dated if held is not None and held.status == "fixed" else None
    reason = held.reason if held is not None else ""
    if asset.decommissioned is not None and asset.decommissioned <= as_of and gone is None:
        gone, reason = asset.decommissioned, "the asset was decommissioned"
    status: Status = "fixed" if gone is not None else held.status if held is not None else "open"
    return ReportRow(
        asset=asset,
        component=component,
        flaw=flaw,
        tier=current.decision.code,
        due=current.due,
        start=current.start,
        detected=current.detected,
        kev_added=current.kev_added,
        forensic_triage=current.decision.forensic_triage,
        row=current.decision.row,
        basis=current.decision.basis,
        status=status,
        status_since=gone if gone is not None else held.dated if held is not None else None,
        status_reason=reason,
        accepted_until=held.until if held is not None and status == "accepted" else None,
        remediated_at=gone,
        reasons=current.reasons,
    )


def _held(statuses: Iterable[StatusChange], as_of: date) -> StatusChange | None:
    held: StatusChange | None = None
    for change in statuses:
        if change.dated <= as_of and (held is None or held.dated <= change.dated):
            held = change
    if held is not None and held.status == "accepted" and held.until is not None and held.until < as_of:
        return StatusChange(dated=held.until, status="open", reason=f"accepted until {held.until}")
    return held
