"""What a match returns: findings, what could not be judged, and how far the sources reach."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from clearway.advisories.table import SourceNote
from clearway.records.finding import Finding, Unjudged


class CoverageLine(Struct, frozen=True):
    """One ecosystem of the inventory: how many components, and whether a loaded source covers it."""

    ecosystem: str
    components: int
    covered: bool
    sources: tuple[str, ...]
    reason: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """The answer for one inventory.

    A component counts once: `affected` when any flaw affects it, else `unknown` when it or a
    flaw in it could not be judged, else `not_affected`. Findings are sorted by due date, then
    by component and flaw.
    """

    name: str
    format: str
    components: int
    affected: int
    not_affected: int
    unknown: int
    findings: tuple[Finding, ...]
    unjudged: tuple[Unjudged, ...]
    coverage: tuple[CoverageLine, ...]
    sources: tuple[SourceNote, ...]
    problems: tuple[str, ...] = ()
    exposure: str = "unknown"
    exposure_stated_by: str = ""
    detected: date
    detected_by: str  # "given", "today", or "as_of": the day asked about
    as_of: date
    directive: str = ""
    standing: str = ""
    policy: str = ""
    data_built: str = ""  # when the table was compiled
    data_content: str = ""  # its content hash
