"""Events of a forensic triage, by hours from the addition to KEV, and the workbook that they make."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from clearway.directives.duties import duties
from clearway.directives.triage import (
    Concluded,
    Event,
    EvidenceTaken,
    Patched,
    StepDone,
    Subject,
    Workbook,
    fold,
    kev_instant,
)

STEPS = duties("bod-26-04").triage
KEV = kev_instant(date(2026, 12, 7))
SUBJECT = Subject(
    organisation="water", asset="asset/1", asset_name="gw", flaw="CVE-2026-1", component="pkg:pypi/alpha@1",
    directive="bod-26-04", kev_added=KEV,
)  # fmt: skip


def at(hours: float) -> datetime:
    return KEV + timedelta(hours=hours)


def done(step: str, hours: float) -> StepDone:
    return StepDone(at=at(hours), by="ann", step=step)


def hash_of(evidence: str) -> str:
    """Of what is taken under that id, unless a test says another."""
    return evidence.encode().hex().zfill(64)


def taken(id: str, hours: float, volatile: bool = True, **more: Any) -> EvidenceTaken:
    given = {"what": "memory", "sha256": hash_of(id), "size_bytes": 9, "place": "safe"} | more
    return EvidenceTaken(at=at(hours), by="ann", evidence=id, volatile=volatile, **given)  # type: ignore[arg-type]


def patched(hours: float, what: str = "update to 2") -> Patched:
    return Patched(at=at(hours), by="ann", what=what)


def concluded(word: Any = "none", hours: float = 70, summary: str = "what was found") -> Concluded:
    return Concluded(at=at(hours), by="ann", conclusion=word, summary=summary)


def book(*events: Event, hours: float = 71, subject: Subject = SUBJECT, **more: Any) -> Workbook:
    return fold(subject, STEPS, events, now=at(hours), **more)
