"""Inventories of an asset: who saw what, and what each re-upload changed."""

# ruff: noqa: S608 - queries are composed of constants; what people type is always a parameter
from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import zstandard
from msgspec import Struct

from clearway.records.errors import IntegrityError, NotFoundError

from .shown import REPORTED
from .unjudged import Unjudged
from .version import named, vendor_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

MOST = 5_000  # components of one page
_RAW_BYTES = 512 << 20


class InventoryLine(Struct, frozen=True, kw_only=True):
    """One document about an asset. `current`: the newest of its witness."""

    inventory: int
    asset: int
    witness: str
    format: str
    name: str
    created: str
    received: datetime
    sha256: str
    components: int
    added: int
    removed: int
    appeared: int
    ended: int
    current: bool
    problems: tuple[str, ...] = ()


class HeldLine(Struct, frozen=True, kw_only=True):
    """One component that an asset holds, and which witnesses show it."""

    pv: int
    ecosystem: str
    name: str
    version: str
    purl: str
    witnesses: tuple[str, ...]
    vendor: str = ""  # who makes it, of a product that is known by its vendor

    @property
    def called(self) -> str:
        """Its name as people say it: "Fortinet FortiOS"."""
        return named(self.vendor, self.name)


class Changed(Struct, frozen=True, kw_only=True):
    """A package whose version changed: from these to those."""

    ecosystem: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Moved(Struct, frozen=True, kw_only=True):
    """An exposure that an inventory made appear or ended, with what it is due by today."""

    exposure: int
    flaw: str
    ecosystem: str
    name: str
    version: str
    due: date | None


class Difference(Struct, frozen=True, kw_only=True):
    """What one inventory changed on its asset. A package on both sides is in `changed` alone.

    What a scanner detected runs nowhere: it is in none of the three, and `detections_added` and `detections_removed` of
    what the inventory's own counts have are such.

    `new` and `over` name the exposures that it made appear and ended, the first 2,000 of each that the caller may see;
    of one that was taken by an earlier release none is named. `unjudged` is what of it can't be judged today, None for
    one that a newer one has replaced. `silenced` counts the exposures that are not affected by VEX that came with its
    witness's inventories, while it is the newest of these.
    """

    inventory: InventoryLine
    added: tuple[HeldLine, ...]
    removed: tuple[HeldLine, ...]
    changed: tuple[Changed, ...]
    appeared: int
    ended: int
    new: tuple[Moved, ...] = ()
    over: tuple[Moved, ...] = ()
    unjudged: Unjudged | None = None
    detections_added: int = 0
    detections_removed: int = 0
    silenced: int = 0


_COLUMNS = """inventory, asset, witness, format, name, created, received, encode(sha256, 'hex'), components,
    cardinality(added), cardinality(removed), appeared, ended, current, problems"""


def of_asset(db: psycopg.Connection[Any], asset: int, *, limit: int = 100) -> tuple[InventoryLine, ...]:
    """The asset's inventories, the newest first."""
    rows = db.execute(
        f"select {_COLUMNS} from clearway.inventory where asset = %s order by inventory desc limit %s",
        (asset, limit),
    )
    return tuple(_line(row) for row in rows)


def one(db: psycopg.Connection[Any], inventory: int) -> InventoryLine:
    """One inventory. Raises NotFoundError for one that is not there or may not be seen."""
    row = db.execute(
        f"select {_COLUMNS} from clearway.inventory where inventory = %s", (inventory,)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such inventory", where=f"inventory/{inventory}")
    return _line(row)


def raw(db: psycopg.Connection[Any], inventory: int) -> bytes:
    """The document as it came.

    Raises:
        NotFoundError: there is none, or it may not be seen.
        IntegrityError: it is not what was kept.
    """
    row = db.execute("select raw from clearway.inventory where inventory = %s", (inventory,)).fetchone()
    if row is None:
        raise NotFoundError("no such inventory", where=f"inventory/{inventory}")
    if not row[0]:  # a newer one has replaced it, and its term is over (`clearway retention`)
        raise NotFoundError("the document is not kept any more", where=f"inventory/{inventory}")
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(row[0]), max_output_size=_RAW_BYTES)
    except zstandard.ZstdError:
        raise IntegrityError("the kept document can't be read", where=f"inventory/{inventory}") from None


def held(
    db: psycopg.Connection[Any], asset: int, *, after: int = 0, limit: int = MOST
) -> tuple[HeldLine, ...]:
    """What an asset holds now, by number of the version, after `after`; without scanners' words (`observe`)."""
    names = _witnesses(db, asset)
    rows = db.execute(
        """select v.pv, v.ecosystem, v.name, v.version, v.purl, h.seen,
            case when v.ecosystem = 'vendor' then v.component end
        from clearway.held h join clearway.package_version v on v.pv = h.pv
        where h.asset = %s and h.pv > %s and v.ecosystem <> 'reported' order by h.pv limit %s""",
        (asset, after, min(limit, MOST)),
    )
    return tuple(
        HeldLine(
            pv=pv,
            ecosystem=ecosystem,
            name=name,
            version=version,
            purl=purl,
            witnesses=tuple(n for slot, n in names.items() if seen >> slot & 1),
            vendor=vendor_of(made),
        )
        for pv, ecosystem, name, version, purl, seen, made in rows
    )


def disputed(db: psycopg.Connection[Any], asset: int) -> tuple[HeldLine, ...]:
    """What not every witness shows, where there are several."""
    names = _witnesses(db, asset)
    everybody = sum(1 << slot for slot in names)
    if len(names) < 2:
        return ()
    rows = db.execute(
        """select v.pv, v.ecosystem, v.name, v.version, v.purl, h.seen,
            case when v.ecosystem = 'vendor' then v.component end
        from clearway.held h join clearway.package_version v on v.pv = h.pv
        where h.asset = %s and h.seen <> %s and v.ecosystem <> 'reported'
        order by v.ecosystem, v.name, v.version limit %s""",
        (asset, everybody, MOST),
    )
    return tuple(
        HeldLine(pv=r[0], ecosystem=r[1], name=r[2], version=r[3], purl=r[4],
                 witnesses=tuple(n for slot, n in names.items() if r[5] >> slot & 1), vendor=vendor_of(r[6]))
        for r in rows
    )  # fmt: skip


def _witnesses(db: psycopg.Connection[Any], asset: int) -> dict[int, str]:
    rows = db.execute(
        "select slot, witness from clearway.inventory where asset = %s and current order by slot", (asset,)
    )
    return dict(rows.fetchall())


def difference(db: psycopg.Connection[Any], inventory: int) -> Difference:
    """What an inventory changed. Raises NotFoundError."""
    line = one(db, inventory)
    rows = db.execute(
        """select true, v.pv, v.ecosystem, v.name, v.version, v.purl
        from clearway.inventory i, unnest(i.added) p join clearway.package_version v on v.pv = p
        where i.inventory = %(i)s
        union all
        select false, v.pv, v.ecosystem, v.name, v.version, v.purl
        from clearway.inventory i, unnest(i.removed) p join clearway.package_version v on v.pv = p
        where i.inventory = %(i)s order by 3, 4, 5""",
        {"i": inventory},
    ).fetchall()
    sides: dict[tuple[str, str], tuple[list[HeldLine], list[HeldLine]]] = {}
    detections = {True: 0, False: 0}
    for is_added, pv, ecosystem, name, version, purl in rows:
        if ecosystem == REPORTED:
            detections[is_added] += 1
            continue
        held_line = HeldLine(pv=pv, ecosystem=ecosystem, name=name, version=version, purl=purl, witnesses=())
        sides.setdefault((ecosystem, name), ([], []))[0 if is_added else 1].append(held_line)
    return Difference(
        inventory=line,
        added=tuple(h for new, old in sides.values() if not old for h in new),
        removed=tuple(h for new, old in sides.values() if not new for h in old),
        changed=tuple(
            Changed(
                ecosystem=e, name=n, before=tuple(h.version for h in old), after=tuple(h.version for h in new)
            )
            for (e, n), (new, old) in sides.items()
            if new and old
        ),
        appeared=line.appeared,
        ended=line.ended,
        new=_moved(db, inventory, "appeared_as"),
        over=_moved(db, inventory, "ended_as"),
        detections_added=detections[True],
        detections_removed=detections[False],
        silenced=_silenced(db, inventory) if line.current else 0,
    )


def _silenced(db: psycopg.Connection[Any], inventory: int) -> int:
    # What a newer document of the witness repeats is the word of the first that said so.
    row = db.execute(
        """select count(*) from clearway.inventory i join clearway.inventory j on j.asset = i.asset and j.slot = i.slot
        join clearway.decision d on d.asset = i.asset and d.document = j.inventory and d.ended is null
        join clearway.exposure e on e.asset = i.asset and e.decision = d.decision and e.gone is null and e.status = 3
        where i.inventory = %s""",
        (inventory,),
    ).fetchone()
    return row[0] if row else 0


def _moved(db: psycopg.Connection[Any], inventory: int, column: str) -> tuple[Moved, ...]:
    rows = db.execute(
        f"""select e.exposure, f.id, v.ecosystem, v.name, v.version, e.due
        from clearway.inventory i cross join lateral unnest(i.{column}) as w(exposure)
        cross join lateral (select * from clearway.exposure x where x.exposure = w.exposure offset 0) e
        cross join lateral (select * from clearway.package_version x where x.pv = e.pv offset 0) v
        cross join lateral (select * from clearway.flaw x where x.flaw = e.flaw offset 0) f
        where i.inventory = %s order by e.due nulls last, e.verdict, f.id, v.name, e.exposure""",
        (inventory,),
    )
    return tuple(
        Moved(exposure=r[0], flaw=r[1], ecosystem=r[2], name=r[3], version=r[4], due=r[5]) for r in rows
    )


def _line(row: Sequence[Any]) -> InventoryLine:
    (inventory, asset, witness, format_, name, created, received, sha256, components, added, removed, appeared, ended,
     current, problems) = row  # fmt: skip
    return InventoryLine(
        inventory=inventory,
        asset=asset,
        witness=witness,
        format=format_,
        name=name,
        created=created,
        received=received,
        sha256=sha256,
        components=components,
        added=added,
        removed=removed,
        appeared=appeared,
        ended=ended,
        current=current,
        problems=tuple(problems),
    )
