"""What an observation shows, as what is kept of it: an inventory, days of detection, facts of its asset. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from clearway.formats.purl import parse
from clearway.records.errors import InputError
from clearway.records.fleet_input import FIRST_DETECTED, begins
from clearway.records.inventory import Component, Inventory

from . import asset as assets
from . import whose

if TYPE_CHECKING:
    from clearway.advisories.table import Table
    from clearway.records.fleet_input import Detection, Observed

    from . import take

REPORTED = "reported"  # the ecosystem of a component that only a scanner's word knows
_GONE = frozenset({"fixed", "dismissed"})
_EARLY = 20  # rows that are named one by one


def reported(detection: Detection) -> Component:
    """What a detection says is there: `repo` holds the flaw, `source_name` the package where the tool names one.

    Whichever tool says it of a package, it is one and the same.
    """
    package = detection.package or _package_of(detection.purl)
    return Component(
        ecosystem=REPORTED,
        name=package or detection.title[:200] or detection.plugin or detection.flaw,
        version=detection.version,
        source_name=package,
        repo=detection.flaw,
    )


def _package_of(purl: str) -> str:
    """The name in a purl, "" without one."""
    if not purl:
        return ""
    try:
        return parse(purl).name
    except InputError:
        return ""


def inventory_of(
    seen: Observed, table: Table, day: date, detected: date | None = None
) -> tuple[Inventory, dict[take.Detected, date]]:
    """The inventory that an observation makes on `day`, and since when its tool has seen each flaw in each package.

    That is the earliest of the days that the report states of it: first detected, last seen, else of the report itself,
    and `detected`, a day that is given for all of it, where no first one is stated. A day to come is none, and neither
    is one that is before the flaw can have been known (`begins`): where no other is stated it counts as `day`, and the
    inventory's problems say so.
    """
    first: dict[take.Detected, date] = {}
    more: list[Component] = []
    late, latest = 0, day
    early: list[str] = []
    for detection in seen.detections:
        if detection.state in _GONE:
            continue
        component = reported(detection)
        more.append(component)
        stated = _days(detection, seen)
        if not stated:
            continue
        known = begins(detection.flaw)
        if min(stated) < known:
            early.append(_too_early(detection, min(stated)))
            stated = [at for at in stated if at >= known]
            if not stated:
                continue
        if max(stated) > day:
            late, latest = late + 1, max(latest, *stated)
        since = min((at for at in stated if at <= day), default=day)
        if detected is not None and detection.first_detected is None:
            since = min(since, max(detected, known))
        for flaw in table.flaws_of(detection.flaw) or (detection.flaw,):
            at = flaw, component.source_name
            first[at] = min(first.get(at, since), since)
    problems = seen.problems
    if early:
        more_of = len(early) - _EARLY
        rest = (f"{more_of:,} more days are before the year of their CVE's id",) if more_of > 0 else ()
        problems = (*early[:_EARLY], *rest, *problems)
    if late:
        noun = "detection is" if late == 1 else "detections are"
        told = f"{late:,} {noun} on a day to come, such as {latest}: counted as of {day} at the latest"
        problems = (told, *problems)  # first, for only so many are kept
    return (
        Inventory(
            name=seen.name,
            format=seen.format,
            components=(*seen.components, *more),
            distro=seen.distro,
            created="" if seen.seen is None else seen.seen.isoformat(),
            serial=seen.serial,
            root_purl=seen.root_purl,
            vex=seen.vex,
            problems=problems,
        ),
        first,
    )


def _too_early(detection: Detection, day: date) -> str:
    place = f"{detection.place}: " if detection.place else ""
    return f"{place}{detection.flaw} on {day}, before the year of its id: the day does not count, see that it is right"


def _days(detection: Detection, seen: Observed) -> list[date]:
    """On which days the report says that the flaw was there. One before there were CVEs is a clock that was not set."""
    looked = detection.last_seen or (None if seen.seen is None else seen.seen.date())
    return [day for day in (detection.first_detected, looked) if day is not None and day >= FIRST_DETECTED]


def details_of(seen: Observed, file: str = "") -> assets.Details:
    """What an observation says of its asset; `file` is `whose.source_of` its document."""
    ids = seen.ids
    environment = seen.environment if seen.environment in ("production", "development") else "unknown"
    return assets.Details(
        owner=seen.owner[:300],
        environment=environment,  # type: ignore[arg-type]
        kind=seen.type[:100],
        edge=bool(seen.edge),
        end_of_support=seen.end_of_support,
        identifiers=whose.keys_of(seen, file),
        addresses=tuple(ids.ips[:200]),
        names=tuple(n[:300] for n in ids.fqdns[:200]),
    )
