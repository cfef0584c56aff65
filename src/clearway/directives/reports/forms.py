"""Any report in any of its formats."""

from __future__ import annotations

from typing import Literal, get_args

from clearway.records.errors import UsageError

from ..attestation import AddressReport, address_csv
from ..lifecycle import LifecycleReport, lifecycle_csv
from .as_csv import remediation_csv
from .remediation import RemediationReport, as_json

Form = Literal["json", "csv", "oscal", "text"]
FORMS: tuple[str, ...] = get_args(Form)


def written(report: RemediationReport | AddressReport | LifecycleReport, form: str) -> bytes:
    """The report's bytes as json, csv, oscal or text. Raises UsageError for a form that this kind does not have."""
    if form == "json":
        return as_json(report)
    if isinstance(report, RemediationReport):
        if form == "csv":
            return remediation_csv(report)
        if form == "oscal":
            from .as_oscal import remediation_oscal

            return remediation_oscal(report)
        if form == "text":
            from .as_text import remediation_text

            return remediation_text(report).encode()
    elif form == "csv":
        return address_csv(report) if isinstance(report, AddressReport) else lifecycle_csv(report)
    raise UsageError(f"a report of the kind {report.report} has no form {form}", mend="json or csv")
