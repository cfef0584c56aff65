"""Scanners' words that nothing explains, when what explains them comes or goes with the advisories.

While an asset holds a version of the package of which a record says the same flaw, a scanner's word of it is no
exposure of its own: it dates that one. `fleet_missing` and `fleet_expose` keep to this when an inventory is taken; this
does when answers change, for the versions in `incoming_pv` (`answer.put`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import answer, due, told
from .due import Dater, loaded

if TYPE_CHECKING:
    from datetime import date

    import psycopg

_AT_ONCE = 1_000  # assets


class Settled(NamedTuple):
    """How many exposures on a scanner's word alone that made and ended."""

    appeared: int
    ended: int


_ASSETS = """select distinct h.asset from (
    select distinct i.asset from clearway.inventory i where i.current and i.reports) r
join clearway.held h using (asset) join incoming_pv p on p.pv = h.pv order by h.asset"""
# What the scanner saw before the record said so was seen then; a day that somebody set (`how` 2) goes before another.
_EARLIER = """update clearway.exposure e set detected = w.detected, how = w.how, version = e.version + 1
from (
    select distinct on (x.asset, x.by_pv, x.flaw) x.asset, x.by_pv, x.flaw, o.detected, o.how
    from clearway.fleet_explained(%s) x
    join clearway.exposure o on o.asset = x.asset and o.pv = x.pv and o.flaw = x.flaw and o.via = 0 and o.gone is null
    order by x.asset, x.by_pv, x.flaw, (o.how = 2) desc, o.detected) w
where e.asset = w.asset and e.pv = w.by_pv and e.flaw = w.flaw and e.via = 0 and e.gone is null
    and (w.how = 2, e.detected) > (e.how = 2, w.detected) returning e.asset"""
_END = """update clearway.exposure e set gone = (select clearway.fleet_now()), version = version + 1
from (select distinct asset, pv, flaw from clearway.fleet_explained(%s)) x
where e.asset = x.asset and e.pv = x.pv and e.flaw = x.flaw and e.via = 0 and e.gone is null
returning e.exposure"""
_WANTED = """with explained as materialized (select asset, pv, flaw from clearway.fleet_explained(%(assets)s))
select h.asset, a.pv, a.flaw, a.verdict, s.org, f.id, f.kev, f.kev_due, f.automatable, f.impact, f.ssvc_dated,
    b.detected, b.kept
from clearway.held h
join clearway.package_version v on v.pv = h.pv and v.ecosystem = 'reported'
join clearway.answer a on a.pv = h.pv and a.verdict < 3
join clearway.asset s on s.asset = h.asset
join clearway.flaw f on f.flaw = a.flaw
cross join lateral (
    select coalesce(min(o.detected) filter (where o.how = 2), min(o.detected)) as detected, bool_or(o.how = 2) as kept
    from clearway.exposure o
    where o.asset = h.asset and o.flaw = a.flaw and o.via = 0
        and (o.pv = a.pv or clearway.fleet_hangs(a.pv, o.pv))) b
where h.asset = any(%(assets)s)
    and not exists (select from clearway.exposure e
        where e.asset = h.asset and e.pv = a.pv and e.flaw = a.flaw and e.via = 0 and e.gone is null)
    and not exists (select from explained x where x.asset = h.asset and x.pv = a.pv and x.flaw = a.flaw)"""


def settle(db: psycopg.Connection[Any], day: date) -> Settled:
    """Ends and makes such exposures on the assets that hold what was asked about: the owner's transaction."""
    assets = [row[0] for row in db.execute(_ASSETS)]
    appeared = ended = 0
    for start in range(0, len(assets), _AT_ONCE):
        part = assets[start : start + _AT_ONCE]
        dated = sorted({row[0] for row in db.execute(_EARLIER, (part,))})
        if dated:
            due.date_again(db, day, assets=dated)
        over = [row[0] for row in db.execute(_END, (part,))]
        told.note(db, "ended", over)
        ended += len(over)
        rows = db.execute(_WANTED, {"assets": part}).fetchall()
        if rows:
            made = answer.insert(db, Dater(db, day, loaded(db)), rows)
            answer.settle(db, made)
            appeared += len(made)
    return Settled(appeared, ended)
