"""The triage report as CSV and as OSCAL carries every flag, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import warnings
from typing import Any

import pytest
from msgspec.structs import replace

import triage_told
from clearway.directives.reports.as_oscal import validate
from clearway.directives.triage import (
    Event,
    EvidenceMoved,
    EvidenceTaken,
    Reopened,
)
from clearway.directives.triage_csv import triage_csv
from clearway.directives.triage_oscal import triage_oscal
from clearway.directives.triage_patch import SeenPatch, TakenBack
from clearway.directives.triage_report import TriageReport, triage_report
from triage_told import at, book, concluded, done, patched, taken

HOSTILE = "=cmd|' /C calc'!A0\x1b[0m\n"
SUBJECT = replace(triage_told.SUBJECT, asset_name=HOSTILE)


def report(*events: Event, **more: Any) -> TriageReport:
    return triage_report(book(*events, subject=SUBJECT, **more), at(71))


def steps(*ids: str) -> list[Event]:
    return [done(step, 1) for step in ids]


def evidence(hours: float) -> EvidenceTaken:
    return taken("mem", hours, what=HOSTILE)


def whole() -> TriageReport:
    """One of everything that a report can hold."""
    ended = concluded(summary=HOSTILE)
    return report(
        patched(2, HOSTILE), evidence(3),
        EvidenceMoved(at=at(4), by="ann", evidence="mem", to="bob", place="lab", sha256="b" * 64),
        *steps("scope", "collect", "patch", "contain", "analyse"), ended,
        Reopened(at=at(70.5), by="ann", reason=HOSTILE), ended,
        seen=[
            SeenPatch(at=at(2), where="exposure/1", what="recorded as done"),
            TakenBack(at=at(2), where="exposure/2", what="recorded as done", by="Olga", until=at(3)),
        ],
    )  # fmt: skip


def clean() -> TriageReport:
    return report(
        evidence(0.5),
        *steps("scope", "collect", "patch", "contain", "analyse"),
        concluded(summary="nothing"),
    )


def test_every_flag_is_a_line_of_the_csv_and_no_cell_is_a_formula() -> None:
    made = whole()
    assert len(made.flags) > 3
    lines = list(csv.DictReader(io.StringIO(triage_csv(made).decode(), newline="")))
    assert [line["what"] for line in lines if line["kind"] == "flag"] == list(made.flags)
    assert {line["kind"] for line in lines} == {"flag", "conclusion", "step", "patch", "evidence", "custody"}
    assert {line["patched_first"] for line in lines} == {"yes"}
    assert not [cell for line in lines for cell in line.values() if cell.startswith(("=", "\x1b"))]


def test_every_flag_is_an_observation_and_leaves_the_finding_unsatisfied() -> None:
    made = whole()
    (result,) = json.loads(triage_oscal(made))["assessment-results"]["results"]
    assert [o["title"] for o in result["observations"]][: len(made.flags)] == list(made.flags)
    (finding,) = result["findings"]
    assert finding["target"]["status"] == {"state": "not-satisfied", "reason": "other"}
    ids = [o["uuid"] for o in result["observations"]]
    assert len({*ids}) == len(ids)
    assert [o["observation-uuid"] for o in finding["related-observations"]] == ids


def test_a_triage_without_a_flag_that_is_concluded_satisfies_it() -> None:
    made = clean()
    assert made.flags == ()
    (result,) = json.loads(triage_oscal(made))["assessment-results"]["results"]
    assert result["findings"][0]["target"]["status"] == {"state": "satisfied", "reason": "pass"}
    (result,) = json.loads(triage_oscal(report(evidence(0.5))))["assessment-results"]["results"]
    assert result["findings"][0]["target"]["status"]["state"] == "not-satisfied", "nothing is concluded"


def test_the_same_report_gives_the_same_bytes() -> None:
    assert triage_oscal(whole()) == triage_oscal(whole())
    assert triage_csv(whole()) == triage_csv(whole())


@pytest.mark.skipif(
    importlib.util.find_spec("trestle") is None,
    reason="compliance-trestle is not installed (extra clearway[oscal])",
)
def test_compliance_trestle_accepts_the_document() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        for made in (whole(), clean(), report()):
            validate(triage_oscal(made))
