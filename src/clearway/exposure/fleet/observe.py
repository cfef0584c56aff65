"""What tools in the field saw, of one document that may speak of many assets: SBOMs, scanners, agents, lists.

Which observation is of which asset is told by identifiers (`records.asset_identity`), else by name; what is not
known yet becomes a new asset. A scanner's detection dates the exposure that the asset's components have of the
same flaw; where they have none, the detection is an exposure of its own, in a component that the scanner names.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.records.asset_identity import identity_keys
from clearway.records.inventory import Component, Inventory

from . import asset as assets
from . import stated, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from clearway.advisories.table import Table, VexClaim
    from clearway.records.fleet_input import Detection, Observed
    from clearway.store.principal import Pool

REPORTED = "reported"  # the ecosystem of a component that only a scanner's word knows
_GONE = frozenset({"fixed", "dismissed"})


class Seen(Struct, frozen=True, kw_only=True):
    """One asset that a document speaks of, and what that changed."""

    asset: int
    name: str
    made: bool
    taken: take.Taken


def reported(detection: Detection) -> Component:
    """The component of a detection that no inventory explains; `repo` holds the flaw that it is about."""
    return Component(
        ecosystem=REPORTED,
        name=detection.package or detection.title[:200] or detection.plugin or detection.flaw,
        version=detection.version,
        vendor=detection.source,
        repo=detection.flaw,
    )


def inventory_of(
    seen: Observed, table: Table, *, explained: frozenset[str] = frozenset()
) -> tuple[Inventory, Mapping[str, date]]:
    """The inventory that an observation makes, and since when its tool has seen each flaw, by preferred id.

    `explained` are flaws that the asset's components have already: their detections are no components of their own.
    """
    first: dict[str, date] = {}
    more: list[Component] = []
    for detection in seen.detections:
        if detection.state in _GONE:
            continue
        for flaw in _flaws(detection, table):
            if detection.first_detected is not None:
                first[flaw] = min(first.get(flaw, detection.first_detected), detection.first_detected)
        if not explained.issuperset(_flaws(detection, table)):
            more.append(reported(detection))
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


def _flaws(detection: Detection, table: Table) -> tuple[str, ...]:
    return table.flaws_of(detection.flaw) or (detection.flaw,)


def details_of(seen: Observed) -> assets.Details:
    """What an observation says of its asset."""
    ids = seen.ids
    environment = seen.environment if seen.environment in ("production", "development") else "unknown"
    return assets.Details(
        owner=seen.owner[:300],
        environment=environment,  # type: ignore[arg-type]
        kind=seen.type[:100],
        end_of_support=seen.end_of_support,
        identifiers=tuple(k[:300] for k in identity_keys(ids, seen.witness.tool)[:200]),
        addresses=tuple(ids.ips[:200]),
        names=tuple(ids.fqdns[:200]),
    )


def observe(
    pool: Pool,
    key: str,
    table: Table,
    org: int,
    observed: Iterable[Observed],
    raw: bytes,
    day: date,
    *,
    detected: date | None = None,
    given: Sequence[VexClaim] = (),
) -> list[Seen]:
    """Takes in everything that one document says, one transaction an asset. `detected`: as in `take.take`.

    `given` are VEX statements that came with it (`stated`).

    Raises: as `take.prepare`, `take.take` and `asset.add`; what was taken before stands.
    """
    several = list(observed)
    return [
        _one(pool, key, table, org, seen, raw, day, detected, given, len(several) == 1) for seen in several
    ]


def _one(
    pool: Pool,
    key: str,
    table: Table,
    org: int,
    seen: Observed,
    raw: bytes,
    day: date,
    detected: date | None,
    given: Sequence[VexClaim],
    alone: bool,
) -> Seen:
    details = details_of(seen)
    plain, first = inventory_of(seen, table, explained=frozenset(_all_flaws(seen, table)))
    with pool.owner() as owner:
        prepared = take.prepare(owner, table, plain, day)
    with pool.acting(key) as db:
        found = assets.find(db, org, seen.name, details.identifiers)
        made = found is None
        if found is None:
            found = assets.add(
                db, org, seen.name, exposure=seen.exposure or "unknown", since=seen.exposure_since or day,
                said_by=seen.exposure_by or seen.format, details=details,
            )  # fmt: skip
        elif seen.exposure and seen.exposure != found.exposure:
            assets.say_exposure(
                db,
                found.asset,
                seen.exposure,
                seen.exposure_since or day,
                seen.exposure_by or seen.format,
                day=day,
            )
        explained = frozenset(_explained(db, found.asset, prepared.digests))
    whole, _ = inventory_of(seen, table, explained=explained)
    if len(whole.components) != len(plain.components):
        with pool.owner() as owner:
            prepared = take.prepare(owner, table, whole, day)
    # Of a document that speaks of many assets each keeps its own part, with the document's hash.
    own = raw if alone else msgspec.json.encode(
        {"document": sha256(raw).hexdigest(), "observed": msgspec.to_builtins(seen)}
    )  # fmt: skip
    with pool.acting(key) as db:
        taken = stated.take(
            db, table, found.asset, prepared, own, day=day, given=given,
            witness=seen.witness.tool or seen.format, detected=detected,
            first_detected={f: min(d, day) for f, d in first.items()},
        )  # fmt: skip
    return Seen(asset=found.asset, name=found.name, made=made, taken=taken)


def _all_flaws(seen: Observed, table: Table) -> set[str]:
    return {f for d in seen.detections for f in _flaws(d, table)}


def _explained(db: psycopg.Connection[Any], asset: int, digests: tuple[bytes, ...]) -> list[str]:
    """The flaws that what the asset holds, or these versions, have by a record's word."""
    rows = db.execute(
        """select distinct f.id from clearway.exposure e join clearway.flaw f using (flaw)
        join clearway.package_version v on v.pv = e.pv and v.ecosystem <> %s
        where e.asset = %s and e.gone is null
        union select unnest(clearway.fleet_flaws(%s))""",
        (REPORTED, asset, list(digests)),
    )
    return [row[0] for row in rows]
