"""What an authority sees across the organisations it addressed: from what each has shared with it, and nothing else.

Pure. An organisation that has shared no report of a kind shows as `not_shared`, whether it made none or marked it
for itself: the view can't tell, because the rows it is made of can't.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, Literal

from msgspec import Struct

from .acknowledgement import Acknowledgement, Addressed, acknowledged_on, addressed_on
from .duties import ReportDuty
from .reports.as_csv import table
from .reports.counts import Counts, total
from .reports.period import Kind, later
from .rhythm import next_due
from .standing import Standing, asks_reports

SCHEMA: Final = "urn:clearway:schema:directive-compliance:1"
Punctuality = Literal["on_time", "late", "not_shared", "not_due", "not_asked"]


class SharedReport(Struct, frozen=True, kw_only=True):
    """One report that the authority may see: its head and figures. `received` is the day it was submitted."""

    org: int
    kind: Kind
    as_of: date
    received: date
    sha256: str = ""
    counts: Counts = {}


class ReportLine(Struct, frozen=True, kw_only=True):
    """One duty to report, and how the organisation meets it. `next_due` is the last day of the next, or the first.

    `not_asked`: the directive is advice to the organisation, so that no day is due; what it has shared is there.
    """

    kind: Kind
    punctuality: Punctuality
    last: date | None
    received: date | None
    next_due: date | None
    days_late: int  # also of what was not shared: so many days after the first was due


class OrganisationLine(Struct, frozen=True, kw_only=True):
    """One addressed organisation. `counts` are those of its last shared seven-day or two-week report."""

    organisation: str
    name: str
    standing: Standing
    addressed: date
    acknowledged: date | None
    acknowledged_by: str
    reports: tuple[ReportLine, ...]
    counts_as_of: date | None
    counts: Counts


class Compliance(Struct, frozen=True, kw_only=True):
    """The view of one directive version on one day. `counts` sums the organisations' figures by tier and state.

    `revoked`: the version no longer stood on that day, and from which day on nothing more falls due. `comes` is the
    version that is issued by then and takes over next, from its own day `begins` on; "" and None where none does.
    """

    schema: Literal["urn:clearway:schema:directive-compliance:1"] = SCHEMA
    report: Literal["compliance"] = "compliance"
    directive: str
    version: str
    revoked: date | None = None
    comes: str = ""
    begins: date | None = None
    as_of: date
    addressed: int
    acknowledged: int
    late: int
    not_shared: int
    counts: Counts
    organisations: tuple[OrganisationLine, ...]


def compliance(
    directive: str,
    version: str,
    duties: Sequence[ReportDuty],
    addressed: Iterable[Addressed],
    acknowledgements: Iterable[Acknowledgement],
    shared: Iterable[SharedReport],
    *,
    as_of: date,
    revoked: date | None = None,
) -> Compliance:
    """The view as of the end of `as_of`; what was received or acknowledged later is not in it.

    `revoked` is the day from which the version no longer stood: nothing becomes later than it was the day before.
    `late` and `not_shared` count organisations with at least one such duty.
    """
    by_org: dict[int, list[SharedReport]] = {}
    for each in shared:
        if each.received <= as_of:
            by_org.setdefault(each.org, []).append(each)
    taken_note = acknowledged_on(acknowledgements, version, as_of)
    over = revoked is not None and revoked <= as_of
    until = later(revoked, -1) if over and revoked is not None else as_of
    lines = []
    for org, entry in sorted(addressed_on(addressed, as_of).items(), key=lambda pair: pair[1].slug):
        reports = by_org.get(org, [])
        whole = (
            r for r in reports if r.kind in ("seven_day", "two_week")
        )  # the overdue list has but one state
        last = max(whole, key=lambda r: (r.as_of, r.received), default=None)
        noted = taken_note.get(org)
        lines.append(
            OrganisationLine(
                organisation=entry.slug,
                name=entry.name,
                standing=entry.standing,
                addressed=entry.since,
                acknowledged=None if noted is None else noted.on,
                acknowledged_by="" if noted is None else noted.by,
                reports=tuple(_report_line(duty, reports, entry, as_of, until) for duty in duties),
                counts_as_of=None if last is None else last.as_of,
                counts={} if last is None else last.counts,
            )
        )
    return Compliance(
        directive=directive,
        version=version,
        revoked=revoked if over else None,
        as_of=as_of,
        addressed=len(lines),
        acknowledged=sum(line.acknowledged is not None for line in lines),
        late=sum(any(r.punctuality == "late" for r in line.reports) for line in lines),
        not_shared=sum(any(r.punctuality == "not_shared" for r in line.reports) for line in lines),
        counts=_sum(line.counts for line in lines),
        organisations=tuple(lines),
    )


def _report_line(
    duty: ReportDuty, shared: Iterable[SharedReport], addressed: Addressed, as_of: date, until: date
) -> ReportLine:
    """How one duty is met by what is known on `as_of`; what is late is counted up to `until`."""
    kinds = (duty.kind, *duty.also_met_by)
    found = [r for r in shared if r.kind in kinds and r.as_of <= as_of]
    last = max(found, key=lambda r: (r.as_of, r.received), default=None)
    if not asks_reports(addressed.standing):
        return ReportLine(
            kind=duty.kind,
            punctuality="not_asked",
            last=None if last is None else last.as_of,
            received=None if last is None else last.received,
            next_due=None,
            days_late=0,
        )
    if last is None:
        first = next_due(duty, addressed.since)
        state: Punctuality = "not_due" if until <= first else "not_shared"
        return ReportLine(
            kind=duty.kind,
            punctuality=state,
            last=None,
            received=None,
            next_due=first,
            days_late=max(0, (until - first).days),
        )
    due = next_due(duty, addressed.since, last.as_of)
    late = max(0, (until - due).days)
    return ReportLine(
        kind=duty.kind,
        punctuality="late" if late else "on_time",
        last=last.as_of,
        received=last.received,
        next_due=due,
        days_late=late,
    )


def _sum(all_counts: Iterable[Counts]) -> Counts:
    summed: Counts = {}
    for counts in all_counts:
        for tier, by_state in counts.items():
            into = summed.setdefault(tier, {})
            for state, n in by_state.items():
                into[state] = into.get(state, 0) + n
    return {tier: summed[tier] for tier in sorted(summed)}


def compliance_csv(view: Compliance) -> bytes:
    """The view as CSV, one line an organisation and duty."""
    columns = (
        "directive", "version", "as_of", "organisation", "name", "standing", "acknowledged", "report", "state",
        "last", "received", "next_due", "days_late", "figures_as_of", "overdue", "due", "remediated_late", "remediated",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for line in view.organisations:
        sums = total(line.counts)
        figures: tuple[object, ...] = (None,) * 5
        if line.counts_as_of is not None:
            figures = (
                line.counts_as_of,
                *(sums[s] for s in ("overdue", "due", "remediated_late", "remediated")),
            )
        head = (view.directive, view.version, view.as_of, line.organisation, line.name, line.standing)
        rows += [
            (
                *head,
                line.acknowledged,
                r.kind,
                r.punctuality,
                r.last,
                r.received,
                r.next_due,
                r.days_late,
                *figures,
            )
            for r in line.reports
        ]
    return table(columns, rows)
