"""What tools in the field saw, of one document that may speak of many assets: SBOMs, scanners, agents, lists.

Which asset an observation is of is told by `whose`; what is none that is kept becomes a new one, and what the document
states of one that is kept is learned. A scanner's detection is a component of its own, known by flaw and package: it is
an exposure only while nothing that the asset holds explains it (`fleet_explained`), and it dates what does.
"""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clearway.formats.purl import parse
from clearway.records.asset_identity import identity_keys
from clearway.records.errors import ConflictError, InputError
from clearway.records.fleet_input import SetAside
from clearway.records.inventory import Component, Inventory

from . import asset as assets
from . import stated, take, whose
from .version import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from clearway.advisories.table import Table, VexClaim
    from clearway.records.fleet_input import Detection, Observed
    from clearway.store.principal import Pool

REPORTED = "reported"  # the ecosystem of a component that only a scanner's word knows
_GONE = frozenset({"fixed", "dismissed"})
# Tables that people keep of their assets: what stands in them is said, and not guessed.
_TABLES = frozenset(("asset-list", "scanner-csv"))


class Seen(Struct, frozen=True, kw_only=True):
    """One asset that a document speaks of, and what that changed."""

    asset: int
    name: str
    made: bool
    taken: take.Taken


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
    whole: bool = True,
    place: str = "",
    asset: int | None = None,
    passed_over: list[SetAside] | None = None,
) -> list[Seen]:
    """Takes in everything that one document says, one transaction an asset. `detected`, `whole`: as in `take.take`.

    `given` are VEX statements that came with it (`stated`), `place` is its file's name. `asset` is whose it is where
    somebody said so. With `passed_over`, assets that were decommissioned go there, and the others land.

    Raises: as `take.prepare`, `take.take` and `asset.add`; what was taken before stands.
    """
    several = list(observed)
    file = whose.source_of(place)
    found = []
    for seen in several:
        # Of a document that speaks of many assets each keeps its own part, with the document's hash.
        own = raw if len(several) == 1 else msgspec.json.encode(
            {"document": sha256(raw).hexdigest(), "observed": msgspec.to_builtins(seen)}
        )  # fmt: skip
        try:
            found.append(_one(pool, key, table, org, seen, own, day, detected, given, whole, file, asset))
        except ConflictError as error:
            if passed_over is None or len(several) == 1 or "decommissioned" not in error.what:
                raise
            passed_over.append(SetAside(seen.name, str(error)))
    return found


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
    whole: bool,
    file: str,
    asset: int | None,
) -> Seen:
    plain, first = inventory_of(seen, table)
    with pool.owner() as owner:
        prepared = take.prepare(owner, table, plain, day)
    with pool.acting(key) as db:
        found, made = _asset(db, org, seen, raw, day, file, asset)
        taken = stated.take(
            db, table, found.asset, prepared, raw, day=day, given=given, witness=seen.witness.tool,
            detected=detected, whole=whole, first_detected={f: min(d, day) for f, d in first.items()},
        )  # fmt: skip
    return Seen(asset=found.asset, name=found.name, made=made, taken=taken)


def _asset(
    db: psycopg.Connection[Any], org: int, seen: Observed, raw: bytes, day: date, file: str, asset: int | None
) -> tuple[assets.Asset, bool]:
    """The asset that `seen` is, with what it says of it learned; and whether it is new."""
    by = seen.exposure_by or seen.witness.tool or seen.format
    details = details_of(seen, file)
    if asset is not None:
        return assets.one(db, asset), False
    found = _found(db, org, seen, file)
    if found is None:
        assets.one_at_a_time(db, org)
        found = _found(db, org, seen, file)  # somebody else may have made it meanwhile
    if found is None:
        name = assets.free(db, org, whose.called(seen, storable(seen.name).strip()))
        made = assets.add(
            db, org, name, exposure=seen.exposure or "unknown", since=seen.exposure_since or day,
            said_by=by, details=details, day=day,
        )  # fmt: skip
        return made, True
    if _again(db, found.asset, seen, raw):  # the same bytes change nothing, whatever was said since
        return found, False
    if not _describes(seen):  # what a tool takes it for is no word against what is kept
        details = replace(
            details, owner="", environment="unknown", end_of_support=None,
            kind="" if found.details.kind else details.kind,
        )  # fmt: skip
    found = assets.learn(db, found, details, by, edge=seen.edge)
    if seen.exposure and seen.exposure != found.exposure:
        found, _ = assets.say_exposure(
            db, found.asset, seen.exposure, seen.exposure_since or day, by, day=day
        )
    return found, False


def _found(db: psycopg.Connection[Any], org: int, seen: Observed, file: str) -> assets.Asset | None:
    name = storable(seen.name).strip()
    # A host's or a file's name is shared by many, and decides only beside an asset's name.
    keys = [k[:300] for k in identity_keys(seen.ids, seen.witness.tool)[:200]]
    near = assets.alike(db, org, name, (*keys, *seen.ids.image_digests[:200], whose.alias_of(name)))
    return whose.choose(replace(seen, name=name), near, file)


def _describes(seen: Observed) -> bool:
    """Whether people wrote it, to say what their assets are."""
    return seen.format in _TABLES


def _again(db: psycopg.Connection[Any], asset: int, seen: Observed, raw: bytes) -> bool:
    row = db.execute(
        """select exists (select from clearway.inventory
            where asset = %s and witness = %s and current and sha256 = %s)""",
        (asset, take.witness_of(seen.witness.tool, seen.format), sha256(raw).digest()),
    ).fetchone()
    return bool(row and row[0])
