"""A document that somebody uploads, for one asset or for as many as it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from clearway.formats.observed import read_fleet
from clearway.records.errors import InputError
from clearway.records.fleet_input import SetAside, Witness

from . import asset as assets
from . import observe, take
from .absent import Absent
from .witness import file_of

if TYPE_CHECKING:
    from datetime import date

    from clearway.advisories.table import Table
    from clearway.records.fleet_input import FleetInput, Observed
    from clearway.records.principal import Membership
    from clearway.store.principal import Pool

NAMELESS = "(unprintable name)"  # as readers call what has no name
MOST_SET_ASIDE = 100  # rows that an answer names
MOST_ASSETS = 2_000  # of one document, while somebody waits


class Uploaded(Struct, frozen=True, kw_only=True):
    """What one document changed on one asset. `made`: the asset is new. `dated`: exposures that stood already, and
    were detected earlier than was known. `silenced`: how many exposures of the asset are not affected by VEX, by the
    document that says so. `set_aside` are rows of the document that could not be used (whichever asset they are of).
    `passed_over`: why it was not taken, where what is kept is newer.
    """

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
    dated: int = 0
    silenced: tuple[take.Silenced, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    problems: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


class NewAsset(Struct, frozen=True, kw_only=True):
    """What somebody says of the asset of a document, which is made unless there is one of that name.

    Owner and environment are of each asset that the document speaks of, and `witness` saw all of them.
    """

    name: str
    exposure: assets.Exposed = "unknown"
    said_by: str = ""
    witness: str = ""
    details: assets.Details = assets.Details()


def told(
    asset: int, name: str, made: bool, taken: take.Taken, set_aside: tuple[SetAside, ...] = ()
) -> Uploaded:
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
        dated=taken.dated,
        silenced=taken.silenced,
        set_aside=set_aside[:MOST_SET_ASIDE],
        problems=taken.problems,
        passed_over=taken.passed_over,
    )


class Landed(Struct, frozen=True, kw_only=True):
    """What became of a document: of each asset, and the rows that could not be used.

    Where rows were set aside, what the document does not show is not taken to be gone. `absent` are assets that earlier
    lists of that name had and this one has not: nothing of them ends.
    """

    items: tuple[Uploaded, ...]
    set_aside: tuple[SetAside, ...] = ()
    absent: tuple[Absent, ...] = ()


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
    again: bool = False,
) -> Uploaded:
    """Takes a document of one kept asset in.

    Raises:
        NotFoundError: no such asset, or it may not be seen.
        InputError: no supported format, or the document speaks of several assets.
        ForbiddenError: the caller may not operate for its organisation.
        ConflictError: the asset was decommissioned.
    """
    with pool.acting(key) as db:
        kept = assets.one(db, asset)
    read = read_fleet(data, filename)
    _none(read, filename)
    if len(read.observed) > 1:
        raise InputError(
            f"it speaks of {len(read.observed):,} assets",
            where=filename or "document",
            mend="upload it for the organisation instead of one asset",
        )
    mine = replace(read.observed[0], name=kept.name)
    if witness:
        mine = replace(mine, witness=Witness(tool=witness))
    (found,) = observe.observe(
        pool,
        key,
        table,
        kept.org,
        [mine],
        data,
        day,
        detected=detected,
        whole=not read.set_aside,
        file=file_of(filename),
        asset=asset,
        again=again,
    )
    return told(found.asset, kept.name, False, found.taken, read.set_aside)


def to_organisation(
    pool: Pool,
    key: str,
    table: Table,
    home: Membership,
    data: bytes,
    filename: str,
    day: date,
    new: NewAsset,
    *,
    detected: date | None = None,
    again: bool = False,
) -> Landed:
    """Takes a document in for an organisation: its assets are found again, or made.

    `new` says what somebody knows of the asset of a document that speaks of one; `detected` is as in `take.take`.

    Raises: as `to_asset`, and InputError for a document of more assets than somebody would wait for.
    """
    read = read_fleet(data, filename)
    observed = tuple(_about(seen, new) for seen in read.observed)
    if len(observed) > MOST_ASSETS:
        raise InputError(
            f"it speaks of {len(observed):,} assets",
            where=filename or "document",
            mend="take it in with `clearway inventory add`",
        )
    _none(read, filename)
    asset = None
    if len(observed) > 1:
        for field, said in (("name", new.name.strip()), ("exposure", new.exposure.removeprefix("unknown"))):
            if said:
                raise InputError(
                    f"it speaks of {len(observed):,} assets",
                    where=field,
                    mend="leave it out, or send one asset",
                )
    else:
        observed, asset = (_said(observed[0], new, filename),), _chosen(pool, key, home.org, new)
    passed: list[SetAside] = []
    missing: list[Absent] = []
    found = observe.observe(
        pool, key, table, home.org, observed, data, day, detected=detected, whole=not read.set_aside, place=filename,
        file=file_of(filename), asset=asset, called=bool(new.name.strip()), passed_over=passed,
        again=again, missing=missing,
    )  # fmt: skip
    if asset is not None:
        _expose(pool, key, asset, observed[0], day)
    return Landed(
        items=tuple(told(f.asset, f.name, f.made, f.taken) for f in found),
        set_aside=(*read.set_aside[:MOST_SET_ASIDE], *passed),
        absent=tuple(missing),
    )


def _none(read: FleetInput, filename: str) -> None:
    """Raises InputError, which tells the first row that was set aside, where a document speaks of no asset."""
    if not read.observed:
        first = "".join(f": {a.place}: {a.reason}" for a in read.set_aside[:1])
        raise InputError(
            f"it speaks of no asset{first}", where=filename or "document", mend="look at its rows"
        )


def _said(seen: Observed, new: NewAsset, filename: str) -> Observed:
    """The one observation with what its asset is called and how exposed it is, as somebody says."""
    from .naming import upload_name

    own = "" if seen.name in ("", filename, NAMELESS) else seen.name.strip()
    name = new.name.strip() or own or upload_name(filename, seen.subject)
    if not name:
        raise InputError("what is this machine called?", where="name", mend="give a name")
    seen = replace(seen, name=name[:300])
    if new.exposure != "unknown":
        seen = replace(seen, exposure=new.exposure, exposure_by=new.said_by, exposure_since=None)
    return seen


def _about(seen: Observed, new: NewAsset) -> Observed:
    """An observation with what somebody says of all assets of its document."""
    if new.details.owner:
        seen = replace(seen, owner=new.details.owner)
    if new.details.environment != "unknown":
        seen = replace(seen, environment=new.details.environment)
    return replace(seen, witness=Witness(tool=new.witness)) if new.witness else seen


def _chosen(pool: Pool, key: str, org: int, new: NewAsset) -> int | None:
    """The asset that somebody named: it is that one, whatever the document says of who it is."""
    if not new.name.strip():
        return None
    with pool.acting(key) as db:
        kept = assets.find(db, org, new.name.strip())
    return None if kept is None else kept.asset


def _expose(pool: Pool, key: str, asset: int, seen: Observed, day: date) -> None:
    with pool.acting(key) as db:
        kept = assets.one(db, asset)
        by = seen.exposure_by or seen.format
        assets.hear_exposure(db, kept, seen.exposure, seen.exposure_since, by, day=day)
