"""Patches that the fleet has seen, for forensic triages: what stands as fixed, what is gone, and what did not stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.directives.triage_patch import SeenPatch, TakenBack

from .wanted import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from clearway.directives.triage_patch import Wanted

FIXED = STATUSES.index("fixed")
_MOST = 20  # patches of one item

# A decision that was taken back, or that an inventory has refuted since, is no patch; nor is a component that came
# back. An inventory's word is as old as its arrival, whatever date it bears. What is taken out of service keeps no
# memory either. Of what did not stay it is told until when it stood, and whose word it was: who takes a patch back,
# takes evidence and patches again, has not taken it back from the workbook.
_SEEN = """
select w.place, v.purl, v.ecosystem, v.name, v.version, s.at, s.place, s.what, s.until, coalesce(p.name, '')
from unnest(%(orgs)s::int[], %(assets)s::int[], %(flaws)s::text[], %(auds)s::int[]) with ordinality
    as w(org, asset, flaw, aud, place)
join clearway.exposure e on e.asset = w.asset and e.org = w.org and (w.aud is null or clearway.within(w.aud, e.aud))
join clearway.flaw f on f.flaw = e.flaw and (f.id = w.flaw or f.id in (
    select r.new from clearway.flaw_redirect r where r.old = w.flaw))
join clearway.package_version v on v.pv = e.pv
cross join lateral (
    (select d.at, 'exposure/' || e.exposure as place, case when d.document is null then 'recorded as done'
            else 'a statement in inventory/' || d.document || ' says fixed' end as what,
            null::timestamptz as until, 0 as person
        from (select e.decision where e.status = %(fixed)s
            union select h.decision from clearway.exposure_history h
            where e.status = %(fixed)s and h.exposure = e.exposure and h.status = %(fixed)s and not exists (
                select from clearway.exposure_history k
                where k.exposure = h.exposure and k.until > h.until and k.status <> %(fixed)s)) c
        join clearway.decision d on d.decision = c.decision
        order by d.at, d.decision limit %(most)s)
    union all
    (select i.received, 'inventory/' || i.inventory, 'shows the component no more', null, 0
        from clearway.inventory i
        where i.asset = e.asset and e.pv = any(i.removed) and i.received >= e.first_seen and not exists (
            select from clearway.inventory j where j.asset = i.asset and j.inventory > i.inventory
                and e.pv = any(j.added))
        order by i.inventory limit 1)
    union all
    (select greatest(t.recorded, t.decommissioned::timestamp at time zone 'UTC'), 'asset/' || t.asset,
            'taken out of service', null, 0
        from clearway.asset_said t
        where t.asset = e.asset and t.decommissioned <= (clearway.fleet_now() at time zone 'UTC')::date
            and not exists (select from clearway.asset_said n
                where n.asset = t.asset and n.statement > t.statement and n.decommissioned is null)
        order by t.statement limit 1)
    union all
    (select d.at, 'exposure/' || e.exposure, case when d.document is null then 'recorded as done'
            else 'a statement in inventory/' || d.document || ' says fixed' end,
            max(h.until), case when d.document is null then d.person else 0 end
        from clearway.exposure_history h join clearway.decision d on d.decision = h.decision
        where h.exposure = e.exposure and h.status = %(fixed)s and (e.status <> %(fixed)s or exists (
            select from clearway.exposure_history k
            where k.exposure = h.exposure and k.until > h.until and k.status <> %(fixed)s))
        group by d.decision order by d.at, d.decision limit %(most)s)
    union all
    (select i.received, 'inventory/' || i.inventory, 'shows the component no more', min(j.received), 0
        from clearway.inventory i join clearway.inventory j
            on j.asset = i.asset and j.inventory > i.inventory and e.pv = any(j.added)
        where i.asset = e.asset and e.pv = any(i.removed) and i.received >= e.first_seen
        group by i.inventory order by i.inventory limit %(most)s)
    union all
    (select greatest(t.recorded, t.decommissioned::timestamp at time zone 'UTC'), 'asset/' || t.asset,
            'taken out of service', min(n.recorded), t.person
        from clearway.asset_said t join clearway.asset_said n
            on n.asset = t.asset and n.statement > t.statement and n.decommissioned is null
        where t.asset = e.asset
        group by t.statement
        having t.decommissioned <= (min(n.recorded) at time zone 'UTC')::date
        order by t.statement limit %(most)s)) s
left join clearway.person p on p.person = s.person
order by w.place, s.at, s.place"""


def patches(db: psycopg.Connection[Any], wanted: Sequence[Wanted]) -> list[tuple[SeenPatch, ...]]:
    """For each that is wanted the patches that the caller may see, the earliest first: at most twenty that stand, and
    at most twenty `TakenBack`."""
    found: list[tuple[list[SeenPatch], list[SeenPatch]]] = [([], []) for _ in wanted]
    rows = db.execute(
        _SEEN,
        {
            "orgs": [w.org for w in wanted],
            "assets": [w.asset for w in wanted],
            "flaws": [w.flaw for w in wanted],
            "auds": [w.told_to for w in wanted],
            "fixed": FIXED,
            "most": _MOST,
        },
    )
    for place, purl, ecosystem, name, version, at, where, what, until, by in rows:
        held = found[place - 1][until is not None]
        if wanted[place - 1].component in names(purl, ecosystem, name, version) and len(held) < _MOST:
            held.append(
                SeenPatch(at=at, where=where, what=what)
                if until is None
                else TakenBack(at=at, where=where, what=what, by=by, until=until)
            )
    return [tuple(dict.fromkeys([*stands, *undone])) for stands, undone in found]


def names(purl: str, ecosystem: str, name: str, version: str) -> tuple[str, str, str, str]:
    """Every name that a component of the fleet is shown by in reports and workbooks."""
    return purl, f"{ecosystem}:{name}@{version}", f"{name}@{version}", name
