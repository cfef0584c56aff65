"""What an asset holds that can't be judged: of these components silence proves nothing.

`Matcher` says which and why: no loaded source covers the ecosystem, the version is missing or can't be read, ….
A component with an open exposure that could not be judged is not counted again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from . import dictionary
from .version import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table

MOST = 2_000  # components that are asked about, the likeliest first
_SHOWN = 3
_ROWS = 20_000  # of several assets


class Bare(Struct, frozen=True, kw_only=True):
    """A component that can't be judged, and why."""

    name: str
    version: str
    reason: str


class Unjudged(Struct, frozen=True, kw_only=True):
    """How many components can't be judged, and the first of them. Not `exact`: at least so many."""

    count: int
    some: tuple[Bare, ...]
    exact: bool

    def words(self) -> str:
        """One line, "" for none."""
        if not self.count:
            return ""
        least = "" if self.exact else "at least "
        noun = "component" if self.count == 1 else "components"
        some = self.some[:_SHOWN]
        named = "; ".join(f"{f'{b.name} {b.version}'.strip()} ({b.reason})" for b in some)
        more = f"; and {self.count - len(some):,} more" if self.count > len(some) else ""
        return f"{least}{self.count:,} {noun} could not be judged: {named}{more}"


def of_assets(
    db: psycopg.Connection[Any], table: Table | None, assets: Sequence[int], day: date
) -> dict[int, Unjudged]:
    """As `of_asset`, of several at once: those that hold such components, up to 2,000 different ones in all.

    A plain component of a covered ecosystem can be judged, and is not asked about.
    """
    from clearway.exposure.match import Matcher

    covered = sorted({e for n in table.meta.sources for e in n.covers}) if table is not None else []
    rows = db.execute(
        """select h.asset, v.pv, v.name, v.version
        from clearway.held h join clearway.package_version v on v.pv = h.pv
        where h.asset = any(%s) and v.ecosystem <> 'reported'
            and not (v.plain and v.version <> '' and v.ecosystem = any(%s)) and not exists (
                select from clearway.exposure e where e.asset = h.asset and e.pv = h.pv and e.gone is null
                    and e.status = 0 and e.verdict = 2)
        order by v.ecosystem = 'vendor' desc, v.version = '' desc, v.pv, h.asset limit %s""",
        (list(assets), covered, _ROWS + 1),
    ).fetchall()
    numbers = list(dict.fromkeys(row[1] for row in rows))
    asked = set(numbers[:MOST])
    exact = len(rows) <= _ROWS and len(numbers) <= MOST
    matcher = None if table is None else Matcher(table, as_of=day)
    components = dictionary.components(db, asked) if matcher else {}
    reasons = dict.fromkeys(asked, "no source is loaded")
    if matcher is not None:
        for pv in asked:
            findings, reason = matcher.component(components[pv])
            reasons[pv] = "" if any(f.verdict == "affected" for f in findings) else reason
    bare: dict[int, list[Bare]] = {}
    for asset, pv, name, version in rows[:_ROWS]:
        if reasons.get(pv):
            said = named(components[pv].vendor, name) if pv in components else name
            bare.setdefault(asset, []).append(Bare(name=said, version=version, reason=reasons[pv]))
    return {a: Unjudged(count=len(b), some=tuple(b[:_SHOWN]), exact=exact) for a, b in bare.items()}


def of_asset(db: psycopg.Connection[Any], table: Table | None, asset: int, day: date) -> Unjudged:
    """What the caller sees of it. Without a table nothing can be judged."""
    return _of(db, table, asset, None, day, _SHOWN)


def of_inventory(
    db: psycopg.Connection[Any], table: Table | None, inventory: int, day: date, *, shown: int = _SHOWN
) -> Unjudged | None:
    """As `of_asset`, of what one inventory shows; None for one that a newer one has replaced, or that is not seen."""
    row = db.execute(
        "select asset, slot from clearway.inventory where inventory = %s and current", (inventory,)
    ).fetchone()
    return None if row is None else _of(db, table, row[0], row[1], day, shown)


def _of(
    db: psycopg.Connection[Any], table: Table | None, asset: int, slot: int | None, day: date, shown: int
) -> Unjudged:
    from clearway.exposure.match import Matcher

    rows = db.execute(
        """select v.pv, v.name, v.version from clearway.held h join clearway.package_version v on v.pv = h.pv
        where h.asset = %s and (%s::int is null or h.seen >> %s & 1 = 1) and v.ecosystem <> 'reported' and not exists (
            select from clearway.exposure e where e.asset = h.asset and e.pv = h.pv and e.gone is null
                and e.status = 0 and e.verdict = 2)
        order by v.ecosystem = 'vendor' desc, v.version = '' desc, v.pv limit %s""",
        (asset, slot, slot, MOST + 1),
    ).fetchall()
    asked = rows[:MOST]
    matcher = None if table is None else Matcher(table, as_of=day)
    components = dictionary.components(db, (pv for pv, _, _ in asked)) if matcher else {}
    found = []
    for pv, name, version in asked:
        findings, reason = matcher.component(components[pv]) if matcher else ((), "no source is loaded")
        if reason and not any(f.verdict == "affected" for f in findings):
            said = named(components[pv].vendor, name) if pv in components else name
            found.append(Bare(name=said, version=version, reason=reason))
    return Unjudged(count=len(found), some=tuple(found[:shown]), exact=len(rows) <= MOST)
