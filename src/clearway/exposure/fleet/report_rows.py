"""The kept fleet as rows of a directive's reports, as it stood at the end of a day.

Only what all members of the organisation may see is handed in: assets whose audience is the organisation's own or
wider, and what public records say of them. A row's date is the one that was shown on that day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from clearway.access import audience, marking
from clearway.directives.reports.provider import Chosen
from clearway.directives.reports.row import AssetTags, ReportRow

from . import due
from .wanted import STATUSES

if TYPE_CHECKING:
    import psycopg

    from clearway.directives import Directive

_BATCH = 5_000


class FleetRows:
    """`directives.reports.provider.Provider` over the kept fleet."""

    def assets(self, db: psycopg.Connection[Any], org: int, as_of: date) -> Iterator[AssetTags]:
        """Every asset that was there on that day, decommissioned ones included."""
        for row in self._assets(db, org, as_of).values():
            yield row

    def rows(
        self, db: psycopg.Connection[Any], org: int, directive: Directive, as_of: date, *, since: date
    ) -> Iterator[ReportRow]:
        """Every flaw that was open on that day, and what ended from `since` on; affected ones only."""
        end = _end(as_of)
        assets = self._assets(db, org, as_of)
        loaded = due.loaded(db, end)
        chosen = due.settings(db, [org], end)[org]
        setting = chosen if chosen.directive == directive.id else due.Setting(directive.id)
        last = 0
        while True:
            found = db.execute(_ROWS, {"end": end, "org": org, "since": _end(since - timedelta(days=1)),
                                       "auds": self._auds(db, org), "last": last, "limit": _BATCH}).fetchall()  # fmt: skip
            if not found:
                return
            last = found[-1][0]
            said = due.said(db, (r[1] for r in found), end)
            for exposure, asset, name, version, status, detected, how, gone, at, detail, until, shown, *facts in found:
                flaw = due.FlawDates(*facts)
                tier = due.tier_of(setting, flaw, said[asset], detected, how, loaded, as_of)
                word = STATUSES[status]
                over = gone is not None
                yield ReportRow(
                    asset=assets[asset],
                    component=f"{name} {version}".strip(),
                    flaw=flaw.id,
                    tier=tier.decision.code,
                    due=shown if setting == chosen else tier.due,
                    start=tier.start,
                    detected=detected,
                    kev_added=tier.kev_added,
                    forensic_triage=tier.decision.forensic_triage,
                    row=tier.decision.row,
                    basis=tier.decision.basis,
                    status="fixed" if over else word,
                    status_since=gone.date() if over else None if at is None else at.date(),
                    status_reason="no inventory shows it any more" if over else detail or "",
                    accepted_until=until if word == "accepted" and not over else None,
                    remediated_at=gone.date() if over else at.date() if word == "fixed" and at else None,
                    reasons=tier.reasons,
                )

    def options(self, db: psycopg.Connection[Any], org: int, directive: str, as_of: date) -> Chosen:
        """The policy and re-tiering rule of the organisation on that day."""
        found = due.settings(db, [org], _end(as_of))[org]
        return Chosen(policy=found.policy, retier=found.retier) if found.directive == directive else Chosen()

    def _auds(self, db: psycopg.Connection[Any], org: int) -> list[int]:
        """The audiences that all members of the organisation have: its own, and what holds it."""
        own = audience.of(db, marking.own(org))
        seen = db.execute("select distinct aud::int from clearway.asset where org = %s", (org,)).fetchall()
        return [a for (a,) in seen if a == own or audience.within(db, own, a)]

    def _assets(self, db: psycopg.Connection[Any], org: int, as_of: date) -> dict[int, AssetTags]:
        end = _end(as_of)
        rows = db.execute(
            """select a.asset, a.name, o.slug, a.sub_organisation, a.environment, coalesce((
                    select s.exposure from clearway.asset_exposure s
                    where s.asset = a.asset and s.since <= %s and s.recorded < %s
                    order by s.since desc, s.statement desc limit 1), a.exposure),
                a.kind, a.addresses, a.names, a.owner, a.edge, a.end_of_support, a.eos_listed, a.decommissioned
            from clearway.asset a join clearway.organisation o using (org)
            where a.org = %s and a.created < %s and a.aud = any(%s) order by a.asset""",
            (as_of, end, org, end, self._auds(db, org)),
        )
        return {
            r[0]: AssetTags(
                id=str(r[0]), name=r[1], organisation=r[2], sub_organisation=r[3], environment=r[4], exposure=r[5],
                asset_type=r[6], addresses=tuple(r[7]), names=tuple(r[8]), owner=r[9], edge_device=r[10],
                end_of_support=r[11], eos_listed=r[12], decommissioned=r[13],
            )
            for r in rows
        }  # fmt: skip


def _end(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


_ROWS = """select e.exposure, e.asset, v.name, v.version, coalesce(h.status, e.status),
    coalesce(h.detected, e.detected), e.how,
    case when (case when h.until is null then e.gone else h.gone end) < %(end)s
        then (case when h.until is null then e.gone else h.gone end) end,
    d.at, coalesce(nullif(d.justification, ''), d.detail), d.until,
    case when h.until is null then e.due else h.due end,
    f.id, case when k.until is null then f.kev else k.kev end,
    case when k.until is null then f.kev_due else k.kev_due end, coalesce(k.automatable, f.automatable),
    coalesce(k.impact, f.impact), coalesce(k.ssvc_dated, f.ssvc_dated)
from clearway.exposure e
join clearway.package_version v on v.pv = e.pv
left join lateral (select * from clearway.exposure_history h where h.exposure = e.exposure and h.until >= %(end)s
    order by h.until limit 1) h on true
join clearway.flaw f on f.flaw = coalesce(h.flaw, e.flaw)
left join lateral (select * from clearway.flaw_history k where k.flaw = f.flaw and k.until >= %(end)s
    order by k.until limit 1) k on true
left join clearway.decision d on d.decision = case when h.until is null then e.decision else h.decision end
where e.org = %(org)s and e.aud = any(%(auds)s) and e.via = 0 and e.first_seen < %(end)s and e.exposure > %(last)s
    and coalesce(h.verdict, e.verdict) = 1
    and coalesce(case when h.until is null then e.gone else h.gone end, 'infinity') >= %(since)s
order by e.exposure limit %(limit)s"""

PROVIDER = FleetRows()
