"""Dated facts about one flaw on one asset: what is known, since when, and on whose word."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

from msgspec import Struct

from clearway.records.advisory import Kev, Ssvc

from .directive import NOT_LOADED, UNKNOWN

# given: somebody stated it now; kept: a scan first saw it then; assumed: nobody said, so today
DetectedHow = Literal["given", "kept", "assumed"]


class Fact(Struct, frozen=True, kw_only=True):
    """One value of one decision point, from a day on.

    `dated` None means at all times. `value` is one of the point's values, "unknown",
    or "not_loaded" when no source that could tell is loaded.
    """

    point: str
    value: str
    dated: date | None = None
    by: str = ""


class Facts(Struct, frozen=True, kw_only=True):
    """All that bears on one due date.

    `cve` is "" for a finding without a CVE id. `changes` in any order: of one
    point, the latest on or before a day holds on that day, and of two of one day
    the later in the tuple. `detected` None: not detected on the asset.
    """

    cve: str
    changes: tuple[Fact, ...] = ()
    detected: date | None = None
    detected_how: DetectedHow = "given"
    catalogue_due: date | None = None  # the due date that KEV itself prints


def on(facts: Facts, day: date) -> dict[str, Fact]:
    """What holds on `day`, by decision point; facts dated later are not known."""
    held: dict[str, Fact] = {}
    for fact in facts.changes:
        if fact.dated is not None and fact.dated > day:
            continue
        before = held.get(fact.point)
        if before is None or (before.dated or date.min) <= (fact.dated or date.min):
            held[fact.point] = fact
    return held


def from_records(
    *,
    cve: str,
    kev: Kev | None,
    kev_loaded: bool,
    ssvc: Ssvc | None,
    ssvc_loaded: bool = True,
    exposed: str = UNKNOWN,
    detected: date | None = None,
    detected_how: DetectedHow = "given",
) -> Facts:
    """Facts from what the sources published: listed from its day on, not listed before."""
    source = "CISA KEV"
    changes = [Fact(point="exposed", value=exposed, by="given")]
    if kev is not None:
        # An entry of a CVE record's own container says when it was listed; the day before it was not.
        changes.append(Fact(point="kev", value="no", by=source))
        changes.append(Fact(point="kev", value="yes", dated=kev.date_added, by=source))
    else:
        changes.append(Fact(point="kev", value="no" if kev_loaded else NOT_LOADED, by=source))
    missing = UNKNOWN if ssvc_loaded or ssvc is not None else NOT_LOADED
    changes.append(Fact(point="automatable", value=missing, by="CISA SSVC"))
    changes.append(Fact(point="impact", value=missing, by="CISA SSVC"))
    if ssvc is not None:
        day = utc_day(ssvc.dated)
        if ssvc.automatable in ("yes", "no"):
            changes.append(Fact(point="automatable", value=ssvc.automatable, dated=day, by="CISA SSVC"))
        if ssvc.technical_impact in ("total", "partial"):
            changes.append(Fact(point="impact", value=ssvc.technical_impact, dated=day, by="CISA SSVC"))
    return Facts(
        cve=cve,
        changes=tuple(changes),
        detected=detected,
        detected_how=detected_how,
        catalogue_due=None if kev is None else kev.due_date,
    )


def utc_day(text: str) -> date | None:
    """The UTC calendar day of an ISO date or timestamp; None for "" or what is neither.

    A timestamp without an offset is read as UTC.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is None else at.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        return None
