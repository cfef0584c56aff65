"""A report in other people's formats: SARIF, CycloneDX VEX, OpenVEX."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from clearway.formats import report_cyclonedx_vex, report_openvex, report_sarif

if TYPE_CHECKING:
    from clearway.records.inventory import Inventory

    from .report import Report

_WRITERS = {
    "sarif": report_sarif.write,
    "vex": report_cyclonedx_vex.write,
    "openvex": report_openvex.write,
}


def write(kind: str, inventory: Inventory, report: Report) -> bytes:
    """The report as a document of `kind` ("sarif", "vex", "openvex"), dated midnight UTC of its day."""
    moment = datetime.combine(report.as_of, time(), UTC)
    return _WRITERS[kind](report.findings, inventory, moment)
