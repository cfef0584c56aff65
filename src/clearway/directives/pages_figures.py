"""What a cockpit shows of an organisation's fleet under one directive: figures by tier, what comes next, and the days
behind. Pure: made from the rows of a report."""

from __future__ import annotations

from datetime import date
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from .reports.period import later
from .reports.row import ReportRow, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .directive import Directive

DAYS = 28  # of the burn-down
_URGENT = 8
_FORENSIC = 50
_OPEN = ("overdue", "due", "no_date")


class TierLine(Struct, frozen=True, kw_only=True):
    """One tier: what is not remediated. `week` are due within seven days, today among them; `late` were remediated
    late.

    `mitigated` and `accepted` of them are: a report has both until the flaw is gone.
    """

    code: str
    overdue: int
    week: int
    later: int
    no_date: int
    remediated: int
    late: int
    mitigated: int = 0
    accepted: int = 0

    @property
    def open(self) -> int:
        return self.overdue + self.week + self.later + self.no_date


class Figures(Struct, frozen=True, kw_only=True):
    """The state at the end of `as_of`. `days` with the open and the overdue items of each, the last one `as_of`."""

    as_of: date
    tiers: tuple[TierLine, ...]
    days: tuple[date, ...]
    open: tuple[int, ...]
    late: tuple[int, ...]
    urgent: tuple[ReportRow, ...]  # the earliest dates first
    forensic: tuple[ReportRow, ...]  # open, and to be triaged
    out_of_scope: int
    patched: tuple[ReportRow, ...] = ()  # fixed within these days, and to be triaged all the same

    @property
    def overdue(self) -> int:
        return sum(tier.overdue for tier in self.tiers)

    @property
    def week(self) -> int:
        return sum(tier.week for tier in self.tiers)

    @property
    def mitigated(self) -> int:
        return sum(tier.mitigated for tier in self.tiers)

    @property
    def accepted(self) -> int:
        return sum(tier.accepted for tier in self.tiers)

    @property
    def total(self) -> int:
        return sum(tier.open for tier in self.tiers)


def figures(rows: Iterable[ReportRow], table: Directive, as_of: date, most: int) -> Figures | None:
    """The figures of `rows`, which reach back `DAYS` days; None when there are more than `most` of them."""
    found = list(islice(rows, most + 1))
    if len(found) > most:
        return None
    counted: dict[str, dict[str, int]] = {outcome.code: {} for outcome in table.outcomes}
    first = later(as_of, 1 - DAYS)
    opens, lates = [0] * (DAYS + 1), [0] * (DAYS + 1)
    still: list[ReportRow] = []
    patched: list[ReportRow] = []
    out_of_scope = 0
    for row in found:
        state = state_of(row, as_of)
        if state == "out_of_scope":
            out_of_scope += 1
            continue
        if state == "not_affected":
            continue
        by = counted.setdefault(row.tier, {})
        state_word = (
            "week" if state == "due" and row.due is not None and (row.due - as_of).days < 7 else state
        )
        by[state_word] = by.get(state_word, 0) + 1
        if state in _OPEN:
            still.append(row)
            by[row.status] = by.get(row.status, 0) + 1
        elif row.forensic_triage:
            patched.append(row)
        gone = None if state in _OPEN else row.remediated_at
        _span(opens, row.detected or first, gone, first)
        if row.due is not None:
            _span(lates, max(later(row.due, 1), row.detected or first), gone, first)
    return Figures(
        as_of=as_of,
        tiers=tuple(_line(code, by) for code, by in counted.items()),
        days=tuple(later(first, n) for n in range(DAYS)),
        open=_summed(opens),
        late=_summed(lates),
        urgent=tuple(nsmallest(_URGENT, (r for r in still if r.due is not None), key=_urgency)),
        forensic=tuple(nsmallest(_FORENSIC, (r for r in still if r.forensic_triage), key=_urgency)),
        patched=tuple(nsmallest(_FORENSIC, patched, key=_urgency)),
        out_of_scope=out_of_scope,
    )


def _urgency(row: ReportRow) -> tuple[date, str, str, str]:
    return row.due or date.max, row.flaw, row.asset.name, row.component


def _line(code: str, by: dict[str, int]) -> TierLine:
    return TierLine(
        code=code, overdue=by.get("overdue", 0), week=by.get("week", 0), later=by.get("due", 0),
        no_date=by.get("no_date", 0), remediated=by.get("remediated", 0), late=by.get("remediated_late", 0),
        mitigated=by.get("mitigated", 0), accepted=by.get("accepted", 0),
    )  # fmt: skip


def _span(steps: list[int], start: date, gone: date | None, first: date) -> None:
    """Adds one from `start` to the day before `gone`, as differences of the days from `first` on."""
    begin = max((start - first).days, 0)
    end = DAYS if gone is None else min(max((gone - first).days, 0), DAYS)
    if begin < end:
        steps[begin] += 1
        steps[end] -= 1


def _summed(steps: Sequence[int]) -> tuple[int, ...]:
    found, now = [], 0
    for step in steps[:DAYS]:
        now += step
        found.append(now)
    return tuple(found)
