"""One inventory of one asset: what it holds, which exposures that makes, and due when.

1. `prepare`, in a transaction of the owner's: the versions get their numbers, and those that nobody had
   before are asked about once. What it writes is the same whoever asked, and tells nothing of them.
2. `take`, in the caller's transaction: what the asset holds, the difference, exposures with their dates,
   rules, the entry in the log, the event. Nothing is kept before all of it is.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import zstandard
from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError

from . import answer, dictionary, due, follow
from .acts import record
from .due import Dater, FlawDates, loaded, said, settings
from .version import clean, digest_of, storable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table
    from clearway.records.inventory import Component, Inventory

MAX_COMPONENTS = 1_000_000
_PROBLEMS = 100
_PROBLEM_CHARS = 400
_COMPRESSOR = zstandard.ZstdCompressor(level=1)


class Prepared(Struct, frozen=True, kw_only=True):
    """An inventory whose versions are in the dictionary. `flaws` leads any name of a flaw to the preferred one."""

    inventory: Inventory
    digests: tuple[bytes, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """What one inventory changed. `inventory` is the one that stood already when `unchanged`."""

    inventory: int
    components: int  # distinct
    added: int = 0
    removed: int = 0
    appeared: tuple[int, ...] = ()  # exposures
    ended: int = 0
    unchanged: bool = False


def prepare(db: psycopg.Connection[Any], table: Table, inventory: Inventory, day: date) -> Prepared:
    """Makes an inventory ready: the owner's transaction, which may be committed before the caller's begins.

    Raises:
        TooLargeError: over a million components.
        ConflictError: the advisory table is older than the fleet's answers; take a newer one.
    """
    if len(inventory.components) > MAX_COMPONENTS:
        raise TooLargeError(
            f"{len(inventory.components):,} components in one inventory",
            where=inventory.name,
            mend="split it by asset",
        )
    by_digest: dict[bytes, Component] = {}
    for component in inventory.components:
        kept = clean(component)
        by_digest.setdefault(digest_of(kept), kept)
    follow.together(db, table, day)
    found = dictionary.known(db, list(by_digest))
    fresh = {d: c for d, c in by_digest.items() if d not in found}
    if fresh:
        # What only the dictionary keeps need not be on disk before the inventory that uses it is.
        db.execute("set local synchronous_commit = off")
        made = dictionary.intern(db, fresh)
        asker = answer.Asker(table, day)
        components = dictionary.components(db, made.values())
        answer.put(db, list(made.values()), answer.ask(asker, components), day, held=False)
    return Prepared(inventory=inventory, digests=tuple(by_digest))


def take(
    db: psycopg.Connection[Any],
    asset: int,
    prepared: Prepared,
    raw: bytes,
    *,
    day: date,
    witness: str = "",
    detected: date | None = None,
    first_detected: Mapping[str, date] | None = None,
) -> Taken:
    """Takes a prepared inventory of `asset` in, in the caller's transaction.

    `witness` is the tool that saw it ("" for the document's format): each witness's newest inventory counts, and
    what several show is kept as the word of each. `detected` is when a scan first saw its flaws, and
    `first_detected` the same by flaw id; today where neither says.

    Raises:
        NotFoundError: no such asset, or it may not be seen.
        ForbiddenError: the caller may not operate for its organisation.
        InputError: a detection lies in the future.
    """
    inventory = prepared.inventory
    given = first_detected or {}
    if max((d for d in (detected, *given.values()) if d is not None), default=day) > day:
        raise InputError("a detection lies in the future", where=inventory.name, mend="give an earlier day")
    told = storable(witness or inventory.format)[:200]
    digest = sha256(raw).digest()
    same = db.execute(
        """select inventory from clearway.inventory
        where asset = %s and witness = %s and current and sha256 = %s""",
        (asset, told, digest),
    ).fetchone()
    if same is not None:
        return Taken(inventory=same[0], components=len(prepared.digests), unchanged=True)
    row = db.execute(
        "select inventory, added, removed from clearway.fleet_take(%s, %b, %s, %s, %s, %s, %s, %s, %s, %s)",
        (asset, list(prepared.digests), told, storable(inventory.format), storable(inventory.name)[:300],
         storable(inventory.created)[:100], digest, _COMPRESSOR.compress(raw), len(inventory.components),
         [storable(p)[:_PROBLEM_CHARS] for p in inventory.problems[:_PROBLEMS]]),
    ).fetchone()  # fmt: skip
    assert row is not None
    document, added, removed = row
    org, aud = _owner(db, asset)
    appeared, ended = _expose(db, asset, org, document, day, detected, given)
    if given:
        row = db.execute(
            "select clearway.fleet_detect(%s, %s, %s)", (asset, list(given), list(given.values()))
        ).fetchone()
        if row is not None and row[0]:
            due.date_again(db, day, assets=[asset])
    if appeared:
        from .rule import apply_to

        apply_to(db, appeared, [org])
    record(
        db,
        "inventory.taken",
        f"inventory/{document}",
        {"asset": asset, "witness": told, "sha256": digest.hex(), "components": len(prepared.digests),
         "added": len(added), "removed": len(removed), "appeared": len(appeared), "ended": ended},
        org=org,
        aud=aud,
    )  # fmt: skip
    return Taken(
        inventory=document,
        components=len(prepared.digests),
        added=len(added),
        removed=len(removed),
        appeared=tuple(appeared),
        ended=ended,
    )


def _owner(db: psycopg.Connection[Any], asset: int) -> tuple[int, int]:
    row = db.execute("select org, aud from clearway.asset where asset = %s", (asset,)).fetchone()
    assert row is not None  # `fleet_take` has seen it in this transaction
    return row[0], row[1]


def _expose(
    db: psycopg.Connection[Any],
    asset: int,
    org: int,
    document: int,
    day: date,
    detected: date | None,
    given: Mapping[str, date],
) -> tuple[list[int], int]:
    with db.cursor(binary=True) as cursor:
        rows = cursor.execute("select * from clearway.fleet_missing(%s)", (asset,)).fetchall()
    dater = Dater(db, day, loaded(db))
    setting = settings(db, [org])[org]
    told = said(db, [asset])[asset]
    columns: tuple[list[Any], ...] = ([], [], [], [], [], [], [])
    for pv, flaw, verdict, flaw_id, kev, kev_due, automatable, impact, ssvc_dated, was in rows:
        stated = given.get(flaw_id, detected)
        first = min((d for d in (stated, was) if d is not None), default=day)
        how = 1 if stated is not None and first == stated else 0
        facts = FlawDates(flaw_id, kev, kev_due, automatable, impact, ssvc_dated)
        dated = dater.due(setting, facts, told, first, how)
        for column, value in zip(
            columns, (pv, flaw, verdict, first, how, dated.due, dated.clock), strict=True
        ):
            column.append(value)
    row = db.execute(
        """select appeared, ended from clearway.fleet_expose(
            %s, %s, %b::int[], %b::int[], %b::smallint[], %b::date[], %b::smallint[], %b::date[], %b::int[])""",
        (asset, document, *columns),
    ).fetchone()
    assert row is not None
    return row[0], row[1]
