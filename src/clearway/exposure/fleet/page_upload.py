"""A document that somebody uploads, for one asset or for as many as it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from clearway.formats.inventory import read_inventory
from clearway.formats.observed import fleet_kind, read_fleet
from clearway.records.errors import InputError
from clearway.records.fleet_input import AssetIds

from . import asset as assets
from . import observe, stated, take

if TYPE_CHECKING:
    from datetime import date

    from clearway.advisories.table import Table
    from clearway.records.principal import Membership
    from clearway.store.principal import Pool

MOST_ASSETS = 2_000  # of one document, while somebody waits


class Uploaded(Struct, frozen=True, kw_only=True):
    """What one document changed on one asset. `made`: the asset is new."""

    asset: int
    name: str
    made: bool
    inventory: int
    components: int
    added: int
    removed: int
    appeared: int
    ended: int
    unchanged: bool


class NewAsset(Struct, frozen=True, kw_only=True):
    """An asset to be made for a document, unless there is one of that name."""

    name: str
    exposure: assets.Exposed = "unknown"
    said_by: str = ""
    details: assets.Details = assets.Details()


def told(asset: int, name: str, made: bool, taken: take.Taken) -> Uploaded:
    """The answer to one document about one asset."""
    return Uploaded(
        asset=asset,
        name=name,
        made=made,
        inventory=taken.inventory,
        components=taken.components,
        added=taken.added,
        removed=taken.removed,
        appeared=len(taken.appeared),
        ended=taken.ended,
        unchanged=taken.unchanged,
    )


def to_asset(
    pool: Pool,
    key: str,
    table: Table,
    asset: int,
    data: bytes,
    filename: str,
    day: date,
    *,
    witness: str = "",
    detected: date | None = None,
) -> Uploaded:
    """Takes a document of one kept asset in.

    Raises:
        NotFoundError: no such asset, or it may not be seen.
        InputError: no supported format, or the document speaks of several assets.
        ForbiddenError: the caller may not operate for its organisation.
    """
    with pool.acting(key) as db:
        kept = assets.one(db, asset)
    if fleet_kind(data, filename):
        observed = read_fleet(data, filename).observed
        if len(observed) != 1:
            raise InputError(
                f"it speaks of {len(observed):,} assets",
                where=filename or "document",
                mend="upload it for the organisation instead of one asset",
            )
        mine = replace(observed[0], name=kept.name, ids=AssetIds(), exposure="")
        (found,) = observe.observe(pool, key, table, kept.org, [mine], data, day)
        return told(found.asset, found.name, found.made, found.taken)
    inventory = read_inventory(data, filename)
    with pool.owner() as owner:
        prepared = take.prepare(owner, table, inventory, day)
    with pool.acting(key) as db:
        taken = stated.take(db, table, asset, prepared, data, day=day, witness=witness, detected=detected)
    return told(asset, kept.name, False, taken)


def to_organisation(
    pool: Pool, key: str, table: Table, home: Membership, data: bytes, filename: str, day: date, new: NewAsset
) -> tuple[Uploaded, ...]:
    """Takes a document in for an organisation: its assets are found again, or made.

    `new` names the asset of a document that speaks of one.

    Raises: as `to_asset`, and InputError for a document of more assets than somebody would wait for.
    """
    if fleet_kind(data, filename):
        observed = read_fleet(data, filename).observed
        if len(observed) > MOST_ASSETS:
            raise InputError(
                f"it speaks of {len(observed):,} assets",
                where=filename or "document",
                mend="take it in with `clearway inventory add`",
            )
        if not observed:
            raise InputError("it speaks of no asset", where=filename or "document", mend="look at its rows")
        if len(observed) == 1 and new.name:
            observed = (replace(observed[0], name=new.name),)
        found = observe.observe(pool, key, table, home.org, observed, data, day)
        return tuple(told(f.asset, f.name, f.made, f.taken) for f in found)
    inventory = read_inventory(data, filename)
    name = new.name.strip() or inventory.name.strip()[:300] or filename.partition(".")[0][:300]
    if not name:
        raise InputError("what is this machine called?", where="name", mend="give a name")
    with pool.owner() as owner:
        prepared = take.prepare(owner, table, inventory, day)
    with pool.acting(key) as db:
        kept = assets.find(db, home.org, name)
        made = kept is None
        if kept is None:
            kept = assets.add(
                db, home.org, name, exposure=new.exposure, since=day, said_by=new.said_by, details=new.details
            )
        elif new.exposure not in ("unknown", kept.exposure):
            kept, _ = assets.say_exposure(db, kept.asset, new.exposure, day, new.said_by, day=day)
        taken = stated.take(db, table, kept.asset, prepared, data, day=day)
    return (told(kept.asset, kept.name, made, taken),)
