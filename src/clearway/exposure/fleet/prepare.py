"""Inventories made ready, in a transaction of the owner's that may be committed before `take.take` begins.

The versions get their numbers, and those that nobody had before are asked about once. What is written is the same
whoever asked, and tells nothing of them.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.records.errors import TooLargeError
from clearway.store.arrays import Ints

from . import answer, dictionary, follow
from .version import clean, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table
    from clearway.records.inventory import Component, Inventory

MAX_COMPONENTS = 1_000_000
_called = attrgetter("ecosystem", "name", "version")


class Prepared(Struct, frozen=True, kw_only=True):
    """An inventory whose versions are in the dictionary: their numbers, ascending, and the digest of each.

    `alike` are those of them that share name and version with another. `seal` says that the numbers are the digests';
    without one they are looked up again.
    """

    inventory: Inventory
    pvs: tuple[int, ...]
    digests: tuple[bytes, ...]
    alike: tuple[int, ...] = ()
    seal: bytes | None = None


def one(db: psycopg.Connection[Any], table: Table, inventory: Inventory, day: date) -> Prepared:
    """As `every`, of one."""
    (prepared,) = every(db, table, [inventory], day)
    return prepared


def every(
    db: psycopg.Connection[Any], table: Table, inventories: Sequence[Inventory], day: date
) -> list[Prepared]:
    """Makes inventories ready: the owner's transaction, which may be committed before the caller's begins.

    Raises:
        TooLargeError: over a million components.
        ConflictError: the advisory table is older than the fleet's answers; take a newer one.
    """
    by_digest: dict[bytes, Component] = {}
    owns: list[dict[bytes, Component]] = []
    for inventory in inventories:
        if len(inventory.components) > MAX_COMPONENTS:
            raise TooLargeError(
                f"{len(inventory.components):,} components in one inventory",
                where=inventory.name,
                mend="split it by asset",
            )
        own: dict[bytes, Component] = {}
        for component in inventory.components:
            stored = clean(component)
            digest = digest_of(stored)
            own[digest] = by_digest.setdefault(digest, stored)
        owns.append(own)
    follow.together(db, table, day)
    found = dictionary.known(db, list(by_digest))
    fresh = {d: c for d, c in by_digest.items() if d not in found}
    if fresh:
        # What only the dictionary keeps need not be on disk before the inventory that uses it is.
        db.execute("set local synchronous_commit = off")
        made = dictionary.intern(db, fresh)
        found |= made
        asker = answer.Asker(table, day)
        components = dictionary.components(db, made.values())
        answer.put(db, list(made.values()), answer.ask(asker, components), day, held=False)
    ready = [
        _prepared(inventory, own, {digest: found[digest] for digest in own})
        for inventory, own in zip(inventories, owns, strict=True)
    ]
    return [replace(made, seal=_seal(db, made.pvs)) for made in ready]


def _seal(db: psycopg.Connection[Any], pvs: Sequence[int]) -> bytes:
    with db.cursor(binary=True) as cursor:
        row = cursor.execute("select clearway.fleet_sealed(%b)", (Ints(pvs),)).fetchone()
    assert row is not None
    return bytes(row[0])


def together(several: Sequence[Prepared], inventory: Inventory) -> Prepared:
    """What several show of one asset, as the one `inventory` that they make."""
    found = {d: pv for one in several for pv, d in zip(one.pvs, one.digests, strict=True)}
    every = {digest_of(stored): stored for stored in map(clean, inventory.components)}
    own = {digest: stored for digest, stored in every.items() if digest in found}
    return _prepared(inventory, own, found)


def _prepared(inventory: Inventory, own: Mapping[bytes, Component], found: Mapping[bytes, int]) -> Prepared:
    kept = sorted((pv, digest) for digest, pv in found.items())
    return Prepared(
        inventory=inventory,
        pvs=tuple(pv for pv, _ in kept),
        digests=tuple(digest for _, digest in kept),
        alike=_alike(own, found),
    )


def _alike(own: Mapping[bytes, Component], found: Mapping[bytes, int]) -> tuple[int, ...]:
    """The versions that share ecosystem, name and version with another, by number."""
    times = Counter(map(_called, own.values()))
    if len(times) == len(own):
        return ()
    return tuple(sorted(found[digest] for digest, component in own.items() if times[_called(component)] > 1))
