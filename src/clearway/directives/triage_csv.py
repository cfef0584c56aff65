"""The triage report as CSV: one line a fact, flags first, so that a spreadsheet shows what weakens it on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reports.as_csv import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .triage_report import TriageReport

_ABOUT = (
    "directive", "organisation", "asset", "asset_name", "flaw", "component", "kev_added", "as_of", "conclusion",
    "patched_first",
)  # fmt: skip
_FACT = (
    "kind",
    "id",
    "what",
    "state",
    "at",
    "recorded",
    "until",
    "by",
    "place",
    "sha256",
    "size_bytes",
    "intact",
)
COLUMNS = (*_ABOUT, *_FACT)


def triage_csv(report: TriageReport) -> bytes:
    """The report as CSV (RFC 4180). `kind` is flag, conclusion, step, patch, evidence or custody; a patch that was
    recorded elsewhere has that place for its id, one that did not stay the instant until which it stood."""
    s = report.subject
    about = (
        s.directive, s.organisation, s.asset, s.asset_name, s.flaw, s.component, s.kev_added, report.as_of,
        report.conclusion or "", report.patched_first,
    )  # fmt: skip
    rows = ([*about, *(fact.get(column) for column in _FACT)] for fact in _facts(report))
    return table(COLUMNS, rows)


def _facts(report: TriageReport) -> Iterator[dict[str, object]]:
    for flag in report.flags:
        yield {"kind": "flag", "what": flag}
    yield {
        "kind": "conclusion", "what": report.summary, "state": report.conclusion or "open", "at": report.concluded,
        "by": report.concluded_by, "id": report.incident,
    }  # fmt: skip
    for e in report.earlier:
        yield {
            "kind": "conclusion", "what": f"{e.summary} (opened again: {e.reason})", "state": e.conclusion,
            "at": e.concluded, "until": e.reopened, "by": e.by,
        }  # fmt: skip
    for step in report.steps:
        yield {
            "kind": "step", "id": step.id, "what": step.note, "state": f"{step.state}{', late' if step.late else ''}",
            "at": step.ended or step.started, "recorded": step.recorded, "until": step.target, "by": step.by,
        }  # fmt: skip
    for told in report.patches:
        yield {"kind": "patch", "what": told.what, "at": told.at, "recorded": told.recorded}
    for seen in report.seen:
        yield {"kind": "patch", "id": seen.where, "what": seen.what, "at": seen.at}
    for gone in report.taken_back:
        yield {
            "kind": "patch",
            "id": gone.where,
            "what": gone.what,
            "at": gone.at,
            "until": gone.until,
            "by": gone.by,
        }
    for item in report.evidence:
        yield {
            "kind": "evidence", "id": item.id, "what": item.what, "state": "volatile" if item.volatile else "",
            "at": item.taken, "recorded": item.recorded, "sha256": item.sha256, "size_bytes": item.size_bytes,
        }  # fmt: skip
        for held in item.custody:
            yield {
                "kind": "custody", "id": item.id, "at": held.since, "by": held.holder, "place": held.place,
                "sha256": held.sha256, "intact": held.intact,
            }  # fmt: skip
