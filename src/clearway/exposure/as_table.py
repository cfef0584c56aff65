"""A report for a person: what to do by when, what could not be judged, and how far the sources reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearway.records.text import plain

from .fixes import offered
from .plan import upgrades

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clearway.advisories.table import SourceNote
    from clearway.records.finding import Finding
    from clearway.records.inventory import Component

    from .report import Report

# Colour never stands alone: the tier is printed beside it.
_COLOURS = {"3DF": "bold red", "3D": "bold red", "14D": "yellow", "60D": "blue", "FSU": "dim"}
_TIERS = {
    "3DF": "3 days, triage",
    "3D": "3 days",
    "14D": "14 days",
    "60D": "60 days",
    "FSU": "next upgrade",
    "out_of_scope": "out of scope",
}
_STANDING = {"binding": "a duty for you", "adopted": "adopted by you", "advisory": "advice for you"}
_ROWS = 20  # flaws listed one by one before the rest is gathered by component
_FEW = 5
_PIPED_WIDTH = 150  # columns, where no terminal says


def show(report: Report, out: TextIO, *, everything: bool = False) -> None:
    """Prints the report; text from outside is shown without control characters.

    The most urgent flaws come one by one and the rest by component, unless `everything`.
    """
    console = Console(file=out, highlight=False, width=None if out.isatty() else _PIPED_WIDTH)
    affected = [f for f in report.findings if f.verdict == "affected"]
    _head(report, affected, console)
    shown = affected if everything or len(affected) <= _ROWS + _FEW else affected[:_ROWS]
    if shown:
        console.print(_flaws(shown, report.as_of))
    if len(shown) < len(affected):
        _rest(affected[len(shown) :], report.as_of, console)
    _possible(report, console, everything)
    _vex(report, console, everything)
    _unknown(report, console, everything)
    _coverage(report, console)
    console.print()


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _head(report: Report, affected: list[Finding], console: Console) -> None:
    _say(console, plain(report.name), "bold")
    clear = f"{report.not_affected:,} with nothing known against them"
    _say(
        console,
        f"{_count(report.components, 'component')}: {report.affected:,} affected, {report.unknown:,} unknown, {clear}",
    )
    by_row = any(f.component.exposure for f in affected)
    exposure = "as each row says" if by_row else report.exposure
    if exposure == "unknown":
        exposure = "unknown, so counted as public"
    assumed = {"today": " (today, none was given)", "as_of": " (the day asked about, none was given)"}
    detected = report.detected.isoformat() + assumed.get(report.detected_by, "")
    standing = _STANDING.get(report.standing, report.standing)
    _say(
        console,
        f"Due dates: {report.directive}, {standing}; exposure {exposure}; detected {detected}; UTC days",
    )
    if affected:
        tiers: dict[str, int] = {}
        for finding in affected:
            tiers[finding.tier] = tiers.get(finding.tier, 0) + 1
        known = [t for t in _TIERS if t in tiers] + sorted(t for t in tiers if t not in _TIERS)
        _say(console, " · ".join(f"{_TIERS.get(t, t)}: {tiers[t]:,}" for t in known))
        console.print()


def _grid(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("due", "tier", "flaw"))
    return table


def _flaws(findings: Sequence[Finding], as_of: date) -> Table:
    table = _grid("due", "tier", "component", "installed", "fixed in", "flaw", "why")
    seen: dict[tuple[str, str, str, str, str, str], int] = {}
    for finding in findings:
        seen[_line(finding)] = seen.get(_line(finding), 0) + 1
    for finding in findings:
        times = seen.pop(_line(finding), 0)
        if not times:
            continue  # the same component again, elsewhere in the inventory
        style = _COLOURS.get(finding.tier, "")
        name = _name(finding.component) + (f" ({times} times)" if times > 1 else "")
        table.add_row(
            Text(_due(finding.due, as_of), style=style),
            Text(_TIERS.get(finding.tier, finding.tier), style=style),
            Text(name),
            Text(plain(finding.component.version, 30)),
            Text(_fixed(finding)),
            Text(plain(finding.flaw, 40)),
            Text(_why(finding)),
        )
    return table


def _fixed(finding: Finding) -> str:
    offer = offered(finding.component.ecosystem, finding.fixed)
    return (plain(", ".join(offer.versions), 40) or "none known") + (
        " (pre-release)" if offer.prerelease else ""
    )


def _line(finding: Finding) -> tuple[str, str, str, str, str, str]:
    """What makes two findings the same line to a reader."""
    c = finding.component
    return c.ecosystem, c.vendor, c.name, c.version, c.host, finding.flaw


def _rest(findings: Sequence[Finding], as_of: date, console: Console) -> None:
    _say(console, f"\nand {_count(len(findings), 'more flaw')}, by component (--all lists each):", "bold")
    table = _grid("due", "tier", "component", "installed", "upgrade to", "flaws")
    for act in upgrades(findings):
        style = _COLOURS.get(act.tier, "")
        unfixed = f" ({act.without_fix} without a known fix)" if act.without_fix and act.to else ""
        table.add_row(
            Text(_due(act.due, as_of), style=style),
            Text(_TIERS.get(act.tier, act.tier), style=style),
            Text(_name(act.component)),
            Text(plain(act.component.version, 30)),
            Text((plain(act.to, 30) or "none known") + (" (pre-release)" if act.prerelease else "")),
            Text(f"{act.flaws}{unfixed}"),
        )
    console.print(table)


def _name(component: Component) -> str:
    name = f"{component.vendor} {component.name}" if component.vendor else component.name
    return plain(f"{name} on {component.host}" if component.host else name, 60)


def _due(due: date | None, as_of: date) -> str:
    if due is None:
        return "–"
    return due.isoformat() + (" overdue" if due < as_of else "")


def _why(finding: Finding) -> str:
    parts = [] if finding.kev is None else [f"in KEV since {finding.kev.date_added.isoformat()}"]
    if "defaulted" in finding.due_basis:
        parts.append("no SSVC published")
    parts.append(plain(", ".join(finding.sources), 60))
    if any("disagree" in reason for reason in finding.reasons):
        parts.append("sources disagree")
    return "; ".join(parts)


def _listed(console: Console, title: str, lines: list[str], everything: bool) -> None:
    if not lines:
        return
    _say(console, f"\n{title}", "bold")
    for line in lines if everything else lines[:_FEW]:
        _say(console, f"  {line}")
    if not everything and len(lines) > _FEW:
        _say(console, f"  and {len(lines) - _FEW:,} more; --all lists them")


def _possible(report: Report, console: Console, everything: bool) -> None:
    unsure = [f for f in report.findings if f.verdict == "unknown"]
    lines = [
        f"{_name(f.component)} {f.flaw}: {plain(f.reasons[0] if f.reasons else '', 160)}" for f in unsure
    ]
    _listed(console, f"{len(unsure):,} possible, not certain:", lines, everything)


def _vex(report: Report, console: Console, everything: bool) -> None:
    taken = [f for f in report.findings if f.basis == "vex"]
    lines = [
        f"{_name(f.component)} {f.flaw}: {plain(f.reasons[-1] if f.reasons else '', 160)}" for f in taken
    ]
    _listed(console, f"{len(taken):,} taken back by VEX:", lines, everything)


def _unknown(report: Report, console: Console, everything: bool) -> None:
    title = f"{_count(len(report.unjudged), 'component')} could not be judged (that is not safety):"
    if everything:
        lines = [
            f"{plain(f'{u.component.name} {u.component.version}'.strip() or u.component.place, 80)}: "
            f"{plain(u.reason, 160)}"
            for u in report.unjudged
        ]
    else:
        reasons: dict[str, int] = {}
        for entry in report.unjudged:
            reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
        ranked = sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
        lines = [f"{number:,} × {plain(reason, 160)}" for reason, number in ranked]
    _listed(console, title, lines, everything)


def _coverage(report: Report, console: Console) -> None:
    _say(console, "\nCoverage", "bold")
    ages = {s.source: _age(s) for s in report.sources}
    for line in report.coverage:
        if line.covered:
            said = ", ".join(f"{s} ({ages[s]})" for s in line.sources)
            _say(
                console,
                f"  {plain(line.ecosystem)}: {_count(line.components, 'component')}, covered by {said}",
            )
        elif line.ecosystem == "vendor":
            _say(console, f"  vendor products: {line.components:,}, each judged only by sources that name it")
    bare = [c for c in report.coverage if not c.covered and c.ecosystem != "vendor"]
    if bare:
        names = ", ".join(f"{plain(c.ecosystem) or 'no ecosystem'} ({c.components:,})" for c in bare)
        _say(console, f"  not covered: {names}")


def _age(note: SourceNote) -> str:
    """How old a source's data is; where most records bear no date, only when they were taken in."""
    taken_in = f"taken in {note.received[:10]}"
    return taken_in if note.undated * 2 > note.records else f"newest record {note.newest[:10]}, {taken_in}"
