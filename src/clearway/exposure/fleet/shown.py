"""What an observation shows, as what is kept of it: an inventory, days of detection, facts of its asset. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.formats.purl import parse
from clearway.records.errors import InputError
from clearway.records.inventory import Component, Inventory

from . import asset as assets
from . import whose

if TYPE_CHECKING:
    from datetime import date

    from clearway.advisories.table import Table
    from clearway.records.fleet_input import Detection, Observed

    from . import take

REPORTED = "reported"  # the ecosystem of a component that only a scanner's word knows
_GONE = frozenset({"fixed", "dismissed"})


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


def inventory_of(seen: Observed, table: Table) -> tuple[Inventory, dict[take.Detected, date]]:
    """The inventory that an observation makes, and since when its tool has seen each flaw in each package."""
    first: dict[take.Detected, date] = {}
    more: list[Component] = []
    for detection in seen.detections:
        if detection.state in _GONE:
            continue
        component = reported(detection)
        more.append(component)
        if detection.first_detected is not None:
            for flaw in table.flaws_of(detection.flaw) or (detection.flaw,):
                at = flaw, component.source_name
                first[at] = min(first.get(at, detection.first_detected), detection.first_detected)
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
            problems=seen.problems,
        ),
        first,
    )


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
