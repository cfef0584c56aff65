"""Patches that the fleet has seen, for forensic triages: what stands as fixed, and what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.directives.triage_patch import SeenPatch

from .wanted import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from clearway.directives.triage_patch import Wanted

FIXED = STATUSES.index("fixed")
_MOST = 20  # patches of one item

# A decision that was taken back, or that an inventory has refuted since, is no patch; nor is a component that came
# back. An inventory's word is as old as its arrival, whatever date it bears. What is taken out of service keeps no
# memory either.
_SEEN = """
select w.place, v.purl, v.ecosystem, v.name, v.version, s.at, s.place, s.what
from unnest(%(orgs)s::int[], %(assets)s::int[], %(flaws)s::text[]) with ordinality as w(org, asset, flaw, place)
join clearway.exposure e on e.asset = w.asset and e.org = w.org
join clearway.flaw f on f.flaw = e.flaw and (f.id = w.flaw or f.id in (
    select r.new from clearway.flaw_redirect r where r.old = w.flaw))
join clearway.package_version v on v.pv = e.pv
cross join lateral (
    (select d.at, 'exposure/' || e.exposure as place, case when d.document is null then 'recorded as done'
            else 'a statement in inventory/' || d.document || ' says fixed' end as what
        from (select e.decision where e.status = %(fixed)s
            union select h.decision from clearway.exposure_history h
            where e.status = %(fixed)s and h.exposure = e.exposure and h.status = %(fixed)s and not exists (
                select from clearway.exposure_history k
                where k.exposure = h.exposure and k.until > h.until and k.status <> %(fixed)s)) c
        join clearway.decision d on d.decision = c.decision
        order by d.at, d.decision limit %(most)s)
    union all
    (select i.received, 'inventory/' || i.inventory, 'shows the component no more' from clearway.inventory i
        where i.asset = e.asset and e.pv = any(i.removed) and i.received >= e.first_seen and not exists (
            select from clearway.inventory j where j.asset = i.asset and j.inventory > i.inventory
                and e.pv = any(j.added))
        order by i.inventory limit 1)
    union all
    (select greatest(t.recorded, t.decommissioned::timestamp at time zone 'UTC'), 'asset/' || t.asset,
            'taken out of service'
        from clearway.asset_said t
        where t.asset = e.asset and t.decommissioned <= (clearway.fleet_now() at time zone 'UTC')::date
            and not exists (select from clearway.asset_said n
                where n.asset = t.asset and n.statement > t.statement and n.decommissioned is null)
        order by t.statement limit 1)) s
order by w.place, s.at, s.place"""


def patches(db: psycopg.Connection[Any], wanted: Sequence[Wanted]) -> list[tuple[SeenPatch, ...]]:
    """For each that is wanted the patches that the caller may see, the earliest first, at most twenty."""
    found: list[list[SeenPatch]] = [[] for _ in wanted]
    rows = db.execute(
        _SEEN,
        {
            "orgs": [w.org for w in wanted],
            "assets": [w.asset for w in wanted],
            "flaws": [w.flaw for w in wanted],
            "fixed": FIXED,
            "most": _MOST,
        },
    )
    for place, purl, ecosystem, name, version, at, where, what in rows:
        item = place - 1
        if wanted[item].component in names(purl, ecosystem, name, version) and len(found[item]) < _MOST:
            found[item].append(SeenPatch(at=at, where=where, what=what))
    return [tuple(dict.fromkeys(seen)) for seen in found]


def names(purl: str, ecosystem: str, name: str, version: str) -> tuple[str, str, str, str]:
    """Every name that a component of the fleet is shown by in reports and workbooks."""
    return purl, f"{ecosystem}:{name}@{version}", f"{name}@{version}", name
