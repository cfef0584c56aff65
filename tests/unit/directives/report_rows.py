"""Rows and assets for tests of reports."""

from __future__ import annotations

from datetime import date
from typing import Any

from clearway.directives import load
from clearway.directives.reports import AssetTags, Options, RemediationReport, ReportRow, remediation_report

BOD = load("bod-26-04")
D = date(2026, 12, 20)
OPTIONS = Options(organisation="water", organisation_name="Water works")


def asset(id: str = "asset/1", **more: Any) -> AssetTags:
    return AssetTags(id=id, name=more.pop("name", f"name of {id}"), organisation="water", **more)


def row(flaw: str = "CVE-2026-1", **more: Any) -> ReportRow:
    given: dict[str, Any] = {"asset": asset(), "component": "pkg:pypi/alpha@1", "tier": "3D"}
    return ReportRow(flaw=flaw, **given | more)


def report(*rows: ReportRow, kind: Any = "seven_day", as_of: date = D, **more: Any) -> RemediationReport:
    return remediation_report(kind, BOD, rows, as_of=as_of, options=OPTIONS, **more)
