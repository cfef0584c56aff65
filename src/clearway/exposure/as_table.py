"""A report for a person: what to do by when, what could not be judged, and how far the sources reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearway.records.text import plain

if TYPE_CHECKING:
    from datetime import date

    from clearway.records.finding import Finding

    from .report import Report

# Colour never stands alone: the tier is printed beside it (SCREENS, "Language").
_COLOURS = {"3DF": "bold red", "3D": "bold red", "14D": "yellow", "60D": "blue", "FSU": "dim"}
_TIERS = {"3DF": "3 days, triage", "3D": "3 days", "14D": "14 days", "60D": "60 days", "FSU": "next upgrade"}
_UNKNOWN_SHOWN = 5
_PIPED_WIDTH = 140  # columns, where no terminal says


def show(report: Report, out: TextIO, *, every_unknown: bool = False) -> None:
    """Prints the report; text from outside is shown without control characters."""
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED_WIDTH)
    _head(report, console)
    affected = [f for f in report.findings if f.verdict == "affected"]
    if affected:
        console.print(_affected(affected, report.as_of))
    _possible(report, console)
    _vex(report, console)
    _unknown(report, console, every_unknown)
    _coverage(report, console)
    console.print()


def _head(report: Report, console: Console) -> None:
    console.print(Text(plain(report.name), style="bold"))
    console.print(
        Text(
            f"{report.components:,} components: {report.affected:,} affected, {report.unknown:,} unknown, "
            f"{report.not_affected:,} not affected by anything the sources state"
        )
    )
    exposure = report.exposure if report.exposure != "unknown" else "unknown, counted as public"
    detected = report.detected.isoformat() + (
        " (today: none was given)" if report.detected_by == "today" else ""
    )
    console.print(
        Text(
            f"Dates: {report.directive} ({report.standing}), exposure {exposure}, detected {detected}, UTC days"
        ),
    )


def _affected(findings: list[Finding], as_of: date) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in ("due", "component", "installed", "fixed in", "flaw"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("due", "flaw"))
    table.add_column("why", overflow="fold")
    for finding in findings:
        component = finding.component
        name = component.name if not component.vendor else f"{component.vendor} {component.name}"
        if component.host:
            name = f"{name} on {component.host}"
        table.add_row(
            _due(finding, as_of),
            Text(plain(name, 60)),
            Text(plain(component.version, 40)),
            Text(plain(", ".join(finding.fixed), 60) or "no fix known"),
            Text(plain(finding.flaw)),
            Text(_why(finding)),
        )
    return table


def _due(finding: Finding, as_of: date) -> Text:
    tier = _TIERS.get(finding.tier, finding.tier.replace("_", " "))
    style = _COLOURS.get(finding.tier, "")
    if finding.due is None:
        return Text(tier, style=style)
    late = " OVERDUE" if finding.due < as_of else ""
    return Text(f"{finding.due.isoformat()}{late}\n{tier}", style=style)


def _why(finding: Finding) -> str:
    parts = []
    if finding.kev is not None:
        parts.append(f"in KEV since {finding.kev.date_added.isoformat()}")
    if "defaulted" in finding.due_basis:
        parts.append("no SSVC values published")
    parts.append(plain(", ".join(finding.sources), 60))
    disagreeing = [r for r in finding.reasons if "disagree" in r]
    if disagreeing:
        parts.append("sources disagree")
    return "; ".join(parts)


def _possible(report: Report, console: Console) -> None:
    unsure = [f for f in report.findings if f.verdict == "unknown"]
    if unsure:
        console.print(Text(f"\n{len(unsure):,} possible, not certain:", style="bold"))
        for finding in unsure[:_UNKNOWN_SHOWN]:
            reason = plain(finding.reasons[0] if finding.reasons else "", 100)
            console.print(Text(f"  {plain(finding.component.name, 60)} {finding.flaw}: {reason}"))
        if len(unsure) > _UNKNOWN_SHOWN:
            console.print(Text(f"  and {len(unsure) - _UNKNOWN_SHOWN:,} more in --json"))


def _vex(report: Report, console: Console) -> None:
    taken_back = [f for f in report.findings if f.basis == "vex"]
    if taken_back:
        console.print(Text(f"\n{len(taken_back):,} taken back by VEX:", style="bold"))
        for finding in taken_back[:_UNKNOWN_SHOWN]:
            console.print(
                Text(
                    f"  {plain(finding.component.name, 60)} {finding.flaw}: {plain(finding.reasons[-1], 120)}"
                )
            )


def _unknown(report: Report, console: Console, everyone: bool) -> None:
    if not report.unjudged:
        return
    console.print(
        Text(f"\n{len(report.unjudged):,} components could not be judged (this is not safety):", style="bold")
    )
    if everyone:
        for entry in report.unjudged:
            name = plain(
                f"{entry.component.name} {entry.component.version}".strip() or entry.component.place, 80
            )
            console.print(Text(f"  {name}: {plain(entry.reason, 160)}"))
        return
    reasons: dict[str, int] = {}
    for entry in report.unjudged:
        reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
    ranked = sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
    for reason, number in ranked[:_UNKNOWN_SHOWN]:
        console.print(Text(f"  {number:,} × {plain(reason, 160)}"))
    if len(ranked) > _UNKNOWN_SHOWN:
        console.print(Text(f"  and {len(ranked) - _UNKNOWN_SHOWN:,} other reasons; --all lists them"))


def _coverage(report: Report, console: Console) -> None:
    covered = [c for c in report.coverage if c.covered]
    console.print(Text("\nCoverage", style="bold"))
    ages = {s.source: s.newest[:10] or "undated" for s in report.sources}
    for line in covered:
        said = ", ".join(f"{s} (newest record {ages.get(s, 'undated')})" for s in line.sources)
        console.print(Text(f"  {plain(line.ecosystem)}: {line.components:,} components, covered by {said}"))
    bare = [c for c in report.coverage if not c.covered and c.ecosystem != "vendor"]
    if bare:
        names = ", ".join(f"{plain(c.ecosystem) or 'no ecosystem'} ({c.components:,})" for c in bare)
        console.print(Text(f"  not covered: {names}"))
