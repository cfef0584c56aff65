"""The triage report: the workbook as a document, JSON by our declared schema, and text to print."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from clearway.records.text import plain

from .component import where_of
from .triage_book import Earlier, Evidence, Step, Subject, ToldPatch, Workbook
from .triage_patch import SeenPatch, TakenBack, told_back

SCHEMA: Final = "urn:clearway:schema:directive-triage:1"
_WIDTH = 100
_CONCLUSIONS = {
    "none": "no sign of compromise was found",
    "suspected": "compromise is suspected",
    "confirmed": "compromise is confirmed",
}


class TriageReport(Struct, frozen=True, kw_only=True):
    """The workbook as of one instant. `flags` name what may weaken it; an empty list means none was found.

    What was recorded by any way is looked at for them: by an event, by a step, by the kept fleet, in another workbook
    of the same item. `patched_first`: a patch was recorded before volatile evidence was. `patches` are those told here;
    `seen` those recorded elsewhere, with when and where; `taken_back` are those that did not stay, with whose word it
    was and until when it stood. `earlier` are conclusions that were opened again.
    """

    schema: Literal["urn:clearway:schema:directive-triage:1"] = SCHEMA
    report: Literal["triage"] = "triage"
    as_of: datetime
    subject: Subject
    conclusion: str | None
    concluded: datetime | None
    concluded_by: str
    summary: str
    incident: str
    patched: datetime | None
    patch: str
    steps: tuple[Step, ...]
    evidence: tuple[Evidence, ...]
    flags: tuple[str, ...]
    patched_first: bool
    seen: tuple[SeenPatch, ...]
    taken_back: tuple[TakenBack, ...] = ()
    patches: tuple[ToldPatch, ...] = ()
    earlier: tuple[Earlier, ...] = ()


def triage_report(book: Workbook, as_of: datetime) -> TriageReport:
    """The report of a workbook that was folded as of that instant."""
    return TriageReport(
        as_of=as_of.astimezone(UTC),
        subject=book.subject,
        conclusion=book.conclusion,
        concluded=book.concluded,
        concluded_by=book.concluded_by,
        summary=book.summary,
        incident=book.incident,
        patched=book.patched,
        patch=book.patch,
        steps=book.steps,
        evidence=book.evidence,
        flags=book.flags,
        patched_first=book.patched_first,
        seen=book.seen,
        taken_back=book.taken_back,
        patches=book.patches,
        earlier=book.earlier,
    )


def triage_text(report: TriageReport) -> str:
    """The report as plain text of 100 columns, evidence with its hashes and custody."""
    subject = report.subject
    said = _CONCLUSIONS.get(report.conclusion or "", "not decided yet")
    lines = [
        f"Forensic triage: {plain(subject.flaw, 40)} {plain(where_of(subject.component, subject.flaw), 64)}",
        f"Asset: {plain(subject.asset_name, 60)} ({plain(subject.asset, 60)}), {plain(subject.organisation, 40)}",
        f"Under {subject.directive}; hours count from the addition to KEV, {_at(subject.kev_added)}",
        f"As of {_at(report.as_of)}",
        "",
        f"Conclusion: {said}"
        + (f", {_at(report.concluded)} by {plain(report.concluded_by, 60)}" if report.concluded else ""),
        *_paragraph(report.summary),
    ]
    for before in report.earlier:
        lines += _paragraph(
            f"Before, {_at(before.concluded)} by {plain(before.by, 60)}: {_CONCLUSIONS[before.conclusion]}. "
            f"Opened again {_at(before.reopened)}: {plain(before.reason, 2_000)}"
        )
    if report.incident:
        lines.append(f"Incident report: {plain(report.incident, 80)}")
    if report.flags:
        lines += ["", "NOTE"]
        lines += [line for flag in report.flags for line in _paragraph(f"! {flag}")]
    lines += ["", f"{'step':<58}{'target':<24}{'state':<10}"]
    for step in report.steps:
        late = (
            " late, passed before it was opened"
            if step.late and step.passed
            else " late"
            if step.late
            else ""
        )
        lines.append(f"{plain(step.name, 56):<58}{_at(step.target):<24}{step.state}{late}")
        if step.note:
            lines += _paragraph(step.note)
    for told in report.patches:
        lines += ["", f"Patched: {_at(told.at)}, {plain(told.what, 200)}"]
    for seen in report.seen:
        lines += [
            "",
            f"Patch recorded elsewhere: {_at(seen.at)}, {plain(seen.where, 60)}: {plain(seen.what, 120)}",
        ]
    for patch in report.taken_back:
        lines += ["", *_paragraph(f"Taken back: {told_back(patch)}")]
    for item in report.evidence:
        kind = "volatile" if item.volatile else "not volatile"
        lines += [
            "",
            f"Evidence {plain(item.id, 40)} ({kind}): {plain(item.what, 200)}",
            f"  SHA-256 {item.sha256}, {item.size_bytes:,} bytes",
            *([f"  recorded {_at(item.recorded)}"] if item.recorded else []),
        ]
        for held in item.custody:
            changed = "" if held.intact else f"  HASH CHANGED: {held.sha256}"
            lines.append(f"  {_at(held.since)}  {plain(held.holder, 60)}, {plain(held.place, 100)}{changed}")
    return "\n".join([*lines, ""])


def _paragraph(text: str) -> list[str]:
    shown = plain(text, 20_000)
    return textwrap.wrap(shown, _WIDTH, initial_indent="  ", subsequent_indent="  ") if shown else []


def _at(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
