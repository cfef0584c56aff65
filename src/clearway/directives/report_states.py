"""The reports that a directive asks of an organisation: when each was last kept, and by when the next is due."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .kept import reports
from .pages_parts import KINDS
from .rhythm import next_due
from .standing import asks_reports, read_standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from .duties import ReportDuty
    from .kept import addresses
    from .kept.who import Org
    from .pages_parts import About
    from .reports.period import Kind
    from .standing import Standing

FORMS: dict[str, tuple[str, ...]] = {
    "seven_day": ("json", "csv", "oscal", "text"),
    "two_week": ("json", "csv", "oscal", "text"),
    "overdue": ("csv", "json", "text"),
    "addresses": ("csv", "json"),
    "lifecycle": ("csv", "json"),
}


class ReportState(Struct, frozen=True, kw_only=True):
    """One kind of report: what it is, when it was last kept, and by when the next is due. `forms` to download."""

    kind: str
    label: str
    what: str
    last: reports.Kept | None
    due: date | None
    forms: tuple[str, ...]


def report_states(
    db: psycopg.Connection[Any],
    org: Org | None,
    found: About,
    standing: Standing,
    todos: tuple[addresses.ToDo, ...],
) -> tuple[ReportState, ...]:
    """Each kind of report that can be drawn up under the directive; () without an organisation."""
    if org is None:
        return ()
    duty = {d.kind: d for d in (found.duties.reports if found.duties else ())}
    kinds = [*duty]
    if found.table is not None:
        kinds += [k for k in ("seven_day", "overdue") if k not in kinds]
    if found.duties is not None and found.duties.lifecycle:
        kinds.append("lifecycle")
    kept = {k: reports.listed(db, org=org.slug, directive=found.id, kind=k, limit=50) for k in kinds}
    made = []
    for kind in kinds:
        one = duty.get(kind)
        made.append(
            ReportState(
                kind=kind,
                label=KINDS[kind],
                what=one.what if one else "",
                last=max(kept[kind], key=lambda k: (k.as_of, k.id), default=None),
                # Of what is advice, or revoked, none is due.
                due=_due(one, found.id, kept, todos)
                if one and found.ended is None and asks_reports(standing)
                else None,
                forms=FORMS[kind] if found.reported or kind == "lifecycle" else (),
            )
        )
    return tuple(made)


def _due(
    duty: ReportDuty,
    directive: str,
    kept: Mapping[Kind, Sequence[reports.Kept]],
    todos: tuple[addresses.ToDo, ...],
) -> date:
    """By when the next report is due, the earliest of all authorities that wait for it, as each of them sees it.

    An authority counts what it was shown; without one each kept report counts.
    """
    met = [k for kind in (duty.kind, *duty.also_met_by) for k in kept.get(kind, ())]
    waiting = [
        t for t in todos if t.version.directive == directive and asks_reports(read_standing(t.standing))
    ]
    if not waiting:
        return next_due(duty, None, max((k.as_of for k in met), default=None))
    return min(
        next_due(duty, t.since, max((k.as_of for k in met if k.shared_with == t.version.by), default=None))
        for t in waiting
    )
