"""The remediation report to print, sign and send where nothing is automated."""

from __future__ import annotations

import textwrap

from clearway.records.text import plain

from ..component import package_of
from .counts import total
from .remediation import Item, RemediationReport

_TITLES = {
    "seven_day": "Seven-day report",
    "two_week": "Two-week report",
    "overdue": "List of what is overdue",
}
_STATES = (
    ("overdue", "OVERDUE"),
    ("due", "DUE"),
    ("no_date", "WITHOUT A DATE"),
    ("remediated_late", "REMEDIATED AFTER THE DUE DATE"),
    ("remediated", "REMEDIATED IN TIME"),
    ("not_affected", "FOUND NOT AFFECTED"),
    ("out_of_scope", "OUT OF SCOPE"),
)
WIDTH = 100


def remediation_text(report: RemediationReport) -> str:
    """The report as plain text, 100 columns: head, figures by tier, items by state, and lines to sign."""
    under = report.directive
    lines = [
        f"{_TITLES[report.report]} under {under.issuer} {under.short} (data version {under.version})",
        f"Organisation: {plain(report.organisation_name, 80)} ({plain(report.organisation, 40)})",
        f"As of the end of {report.as_of} UTC; covers {report.period.first} to {report.period.last}",
        f"Missing data by policy {under.policy}; a change of tier by {under.retier}",
        *(f"Note: {note}" for note in report.notes),
        "",
        *_figures(report),
    ]
    names = {asset.id: asset for asset in report.assets}
    for state, title in _STATES:
        items = [item for item in report.items if item.state == state]
        if not items:
            continue
        lines += ["", f"{title}: {len(items):,}", "-" * WIDTH]
        for item in items:
            asset = names[item.asset]
            where = f"{asset.name} ({asset.exposure}, {asset.environment})"
            package = package_of(item.component, item.flaw) or "no package named"
            lines.append(plain(f"{item.flaw}  {package}  on {where}", WIDTH))
            lines += textwrap.wrap(_said(item), WIDTH, initial_indent="    ", subsequent_indent="    ")
    lines += ["", "Reported by: ______________________________   Date: ______________", ""]
    return "\n".join(lines)


def _figures(report: RemediationReport) -> list[str]:
    columns = [state for state, _ in _STATES]
    heads = ["overdue", "due", "no date", "late", "in time", "not aff.", "no scope"]
    lines = [f"{'tier':<14}" + "".join(f"{head:>12}" for head in heads)]
    for tier, by_state in report.counts.items():
        lines.append(f"{tier:<14}" + "".join(f"{by_state[state]:>12,}" for state in columns))
    sums = total(report.counts)
    return [*lines, f"{'all':<14}" + "".join(f"{sums[state]:>12,}" for state in columns)]


def _said(item: Item) -> str:
    parts = [f"tier {item.tier}"]
    if item.due is not None:
        parts.append(f"due {item.due}")
    if item.state == "overdue" and item.before_listed:
        parts.append("before it was listed here")
    elif item.days_left is not None and item.days_left < 0:
        parts.append(f"{-item.days_left} days overdue")
    if item.remediated_at is not None:
        parts.append(f"remediated {item.remediated_at}")
    if item.kev_added is not None:
        parts.append(f"in KEV since {item.kev_added}")
    if item.detected is not None:
        parts.append(f"detected {item.detected}")
    if item.status in ("mitigated", "accepted"):
        until = f" until {item.accepted_until}" if item.accepted_until else ""
        parts.append(f"{item.status}{until}, which does not end the duty")
    if item.forensic_triage:
        parts.append("forensic triage needed")
    if item.status_reason:
        parts.append(plain(item.status_reason, 200))
    return "; ".join(parts)
