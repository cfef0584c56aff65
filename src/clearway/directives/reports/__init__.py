"""Reports under a directive: rows that are handed in, as one document, in several formats.

Pure. The same rows, options and day give the same bytes: no clock is read and nothing is numbered at random.
"""

from __future__ import annotations

from .period import Kind, Period, period_of
from .remediation import Options, RemediationReport, remediation_report
from .row import AssetTags, ReportRow, State, state_of

__all__ = [
    "AssetTags",
    "Kind",
    "Options",
    "Period",
    "RemediationReport",
    "ReportRow",
    "State",
    "period_of",
    "remediation_report",
    "state_of",
]
