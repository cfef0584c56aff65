"""The fleet as rows of a report: how an organisation's assets and exposures stood at the end of a day.

Everything is taken as it was known then: an exposure from its history (`past`), the facts of its flaw from theirs, and
what an asset and how exposed it was said to be by then. The date is worked out from those facts anew, once for each
combination.

An exposure that has ended counts as remediated where an inventory no longer shows its component; one that ended
because a source took its word back is not affected, unless a marked record still says so. Neither is said while the
same flaw stands in the same package and version of the asset, however that is written, or stood there when the other
ended: then the line that stands speaks for both. What public records say is
reported, of assets and exposures that all members of the organisation may see: the report goes to all of them, and to
whom they share it with.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

from msgspec.structs import replace

from clearway.access import audience
from clearway.access.marking import own
from clearway.directives import timeline
from clearway.directives.reports.provider import Chosen, Found, Late, Named, Provider
from clearway.directives.reports.row import AssetTags, ReportRow, Status
from clearway.records.errors import NotFoundError

from . import called, past, patched
from .answer import REPORTED
from .due import FlawDates, Said, exposed_on, facts_of, loaded, said, settings
from .listing import audiences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg

    from clearway.directives import Directive, Tier
    from clearway.directives.triage_patch import SeenPatch, Wanted

_STATUS: tuple[Status, ...] = ("open", "mitigated", "fixed", "not_affected", "accepted")
_OPEN = [_STATUS.index(word) for word in ("open", "mitigated", "accepted")]
_AFFECTED = 1
_BATCH = 20_000
_FIRST, _FIRST_ASSETS = 4_000, 32  # at first: a page that stops at a few thousand rows fetches little more

# Of these audiences those that every member of the organisation sees: what else is in the fleet stays out of a report.
_SHARED = "select a from unnest(%(auds)s::int[]) a where clearway.within(%(staff)s, a)"

# Tags as they were kept at the end of the day; what was restored without its history, as it is.
_ASSETS = """select a.asset, t.name, t.owner, t.sub_organisation, t.environment, t.kind, t.addresses, t.names, t.edge,
    t.end_of_support, t.eos_listed, t.decommissioned
    from clearway.asset a cross join lateral (
        (select s.name, s.owner, s.sub_organisation, s.environment, s.kind, s.addresses, s.names, s.edge,
            s.end_of_support, s.eos_listed, s.decommissioned
        from clearway.asset_said s where s.asset = a.asset and s.recorded < %(end)s
        order by s.recorded desc, s.statement desc limit 1)
        union all
        select a.name, a.owner, a.sub_organisation, a.environment, a.kind, a.addresses, a.names, a.edge,
            a.end_of_support, a.eos_listed, a.decommissioned
        limit 1) t
    where a.org = %(org)s and a.aud = any(%(auds)s) and a.created < %(end)s and (t.edge or not %(edge)s)
    order by a.asset"""

# `e` is how the exposure was at the end of the day, `k` the same of its flaw where that has changed since.
_ROWS: LiteralString = f"""
select e.exposure, e.aud::int, e.asset, v.purl, v.ecosystem, v.name, v.version, e.how, f.id,
    e.detected, e.status, e.accepted_until, e.gone, d.at,
    case when d.rule is null then d.detail else coalesce(r.detail, '') end,
    exists (select from clearway.inventory i
        where i.asset = e.asset and e.pv = any(i.removed) and i.received < %(end)s and i.received >= e.first_seen),
    case when k.until is null then f.kev else k.kev end,
    case when k.until is null then f.kev_due else k.kev_due end,
    coalesce(k.automatable, f.automatable), coalesce(k.impact, f.impact), coalesce(k.ssvc_dated, f.ssvc_dated),
    least((e.first_seen at time zone 'UTC')::date, e.detected),
    e.gone is not null and exists (
        select from {past.EXPOSURES} o join clearway.package_version w on w.pv = o.pv
        where o.asset = e.asset and o.flaw_now = e.flaw_now and o.flaw = e.flaw and o.via = 0
            and o.exposure <> e.exposure and (w.ecosystem, w.name, w.version) = (v.ecosystem, v.name, v.version)
            and o.first_seen < %(end)s
            and (o.gone is null or (o.first_seen <= e.gone and (o.gone, o.exposure) > (e.gone, e.exposure)))),
    case when e.gone is null then '{{}}' else array(select m.aud::int from {past.EXPOSURES} m
        where m.asset = e.asset and m.flaw_now = e.flaw_now and m.pv = e.pv and m.flaw = e.flaw and m.via <> 0
        and m.first_seen < %(end)s and (m.gone is null or m.gone >= %(end)s) order by 1) end,
    r.aud::int
from {past.EXPOSURES} e
join clearway.package_version v on v.pv = e.pv
join clearway.flaw f on f.flaw = e.flaw
left join lateral (select * from clearway.flaw_history k where k.flaw = f.flaw and k.until >= %(end)s
    order by k.until limit 1) k on true
left join clearway.decision d on d.decision = e.decision and d.at < %(end)s
left join clearway.fleet_rule r on r.rule = d.rule
where e.asset = any(%(assets)s) and (e.asset > %(asset)s or e.exposure > %(last)s) and e.org = %(org)s
    and e.via = 0 and e.first_seen < %(end)s and e.detected <= %(day)s and e.verdict = %(affected)s
    and (e.gone is null or e.gone >= %(since)s)
order by e.asset, e.exposure limit %(limit)s"""  # noqa: S608 - constants

_LATE = """select e.due, least((e.first_seen at time zone 'UTC')::date, e.detected) as known
    from clearway.exposure e where {aud} and e.org = %(org)s and e.gone is null
    and e.status = any(%(open)s) and e.verdict = %(affected)s and e.via = 0 and e.due_at < %(day)s limit %(most)s"""
_OVERDUE = f"select count(*), count(*) filter (where due < known) from ({_LATE.format(aud='true')}) l"  # noqa: S608
# One audience at a time, from the index by date: not what other organisations have.
_OVERDUE_EACH = f"""select count(*), count(*) filter (where due < known)
    from (select x.* from unnest(%(mine)s::int[]) m(aud)
        cross join lateral ({_LATE.format(aud="e.aud = m.aud")}) x limit %(most)s) l"""  # noqa: S608 - constants


class FleetRows:
    """`directives.reports.provider.Provider`, from the kept fleet."""

    def assets(self, db: psycopg.Connection[Any], org: int, as_of: date) -> list[AssetTags]:
        """Every asset that was there at the end of `as_of`.

        Its tags and its exposure are as they were said to be by then.
        """
        return [*self._assets(db, org, as_of).values()]

    def edge_devices(self, db: psycopg.Connection[Any], org: int, as_of: date) -> list[AssetTags]:
        """Every edge device that was there at the end of `as_of`, with its tags as they were."""
        return [*self._assets(db, org, as_of, edge=True).values()]

    def found_on(self, db: psycopg.Connection[Any], org: int, asset: int, flaw: str) -> tuple[Found, ...]:
        """Where that flaw is or was on one of the organisation's assets, under the id it has now or had before.

        Raises NotFoundError.
        """
        there = db.execute(
            "select from clearway.asset where asset = %s and org = %s", (asset, org)
        ).fetchone()
        if there is None:
            raise NotFoundError("no such asset of yours", where=f"asset/{asset}")
        rows = db.execute(
            """select v.purl, v.ecosystem, v.name, v.version, f.id, f.kev,
                array(select r.old from clearway.flaw_redirect r where r.new = f.id order by 1),
                array_agg(distinct e.aud::int)
            from clearway.exposure e
            join clearway.flaw f on f.flaw = e.flaw join clearway.package_version v on v.pv = e.pv
            where e.asset = %(asset)s and (f.id = any(%(ids)s) or f.id in (
                select r.new from clearway.flaw_redirect r where r.old = any(%(ids)s)))
            group by v.purl, v.ecosystem, v.name, v.version, f.id, f.kev order by 1, 2, 3, 4""",
            {"asset": asset, "ids": called.spellings(flaw)},
        )
        return tuple(
            Found(
                component=purl or f"{ecosystem}:{name}@{version}",
                components=patched.names(purl, ecosystem, name, version),
                flaw=known,
                kev=kev,
                former=tuple(former),
                auds=tuple(auds),
            )
            for purl, ecosystem, name, version, known, kev, former, auds in rows
        )

    def named(self, db: psycopg.Connection[Any], org: int, text: str) -> tuple[Named, ...]:
        """The assets of the organisation that a text names best."""
        return called.named(db, org, text)

    def words(self, db: psycopg.Connection[Any], assets: Sequence[int]) -> Mapping[int, frozenset[str]]:
        """Everything that these assets are or were called, in lower case."""
        return called.words(db, assets)

    def kev_day(self, db: psycopg.Connection[Any], flaw: str) -> date | None:
        """The day that a flaw was added to KEV."""
        return called.kev_day(db, flaw)

    def with_flaw(self, db: psycopg.Connection[Any], org: int, flaw: str) -> tuple[Named, ...]:
        """Assets of the organisation that have that flaw now, at most twenty."""
        return called.with_flaw(db, org, flaw)

    def patched(
        self, db: psycopg.Connection[Any], wanted: Sequence[Wanted]
    ) -> Sequence[tuple[SeenPatch, ...]]:
        """For each that is wanted the patches that the fleet has seen."""
        return patched.patches(db, wanted)

    def overdue(self, db: psycopg.Connection[Any], org: int, as_of: date, most: int) -> Late:
        """How many of the organisation's exposures are past their date on `as_of`, of at most `most`.

        As in its reports: what is mitigated or accepted is open, for the flaw is still there.
        """
        mine = audiences(db)
        given = {"mine": mine, "org": org, "open": _OPEN, "affected": _AFFECTED, "day": as_of, "most": most}
        row = db.execute(_OVERDUE if mine is None else _OVERDUE_EACH, given).fetchone()
        return Late(*row) if row else Late()

    def options(self, db: psycopg.Connection[Any], org: int, directive: str, as_of: date) -> Chosen:
        """The organisation's setting of that day, where it was about this directive, in names that its version has."""
        setting = settings(db, [org], past.end_of(as_of))[org]
        if setting.directive != directive:
            return Chosen()
        return Chosen(policy=setting.policy, retier=setting.retier)

    def rows(
        self, db: psycopg.Connection[Any], org: int, directive: Directive, as_of: date, *, since: date
    ) -> Iterator[ReportRow]:
        """What affected an asset on that day, and what ended from `since` on. Raises InputError for the last day."""
        end = past.end_of(as_of)
        tags = self._assets(db, org, as_of)
        exposed = said(db, (int(asset.id.rpartition("/")[2]) for asset in tags.values()), end)
        chosen = self.options(db, org, directive.id, as_of)
        there = loaded(db, end)
        known: dict[object, Tier] = {}

        def tier(flaw: FlawDates, words: Said, detected: date, how: int) -> Tier:
            key = (flaw.id[:9] if flaw.id.startswith("CVE-") else "", flaw[1:], words, detected, how)
            found = known.get(key)
            if found is None:
                facts = facts_of(flaw, words, detected, how, there)
                found = known[key] = timeline(
                    directive, facts, chosen.policy, retier=chosen.retier, as_of=as_of
                ).current
            return found

        given = {
            "org": org,
            "end": end,
            "day": as_of,
            "since": datetime.combine(since, time(), UTC),
            "affected": _AFFECTED,
        }
        shared = _Shared(db, org)
        named: set[tuple[str, str, str]] = set()
        for rows in _batches(db, [*tags], given):
            shared.ask(aud for _, aud, *_, marked, _ in rows for aud in (aud, *marked))
            shared.ask(ruled for *_, ruled in rows if ruled is not None)
            for _, aud, *row, again, marked, ruled in rows:
                if aud not in shared or again:
                    continue
                if ruled is not None and ruled not in shared:
                    row[12] = ""  # the words of a rule that not every member sees
                asset = tags[row[0]]
                over, removed = row[10] is not None and row[10] < end, row[13]
                if over and not removed and asset.decommissioned is None:
                    if row[2] == REPORTED:
                        continue  # what is held explains it, and is a row of its own
                    if any(m in shared for m in marked):
                        continue  # it is not over: a marked record still says so, of which no report speaks
                held = tier(FlawDates(row[6], *row[14:-1]), exposed[row[0]], row[7], row[5])
                made = _row(asset, row, held, end)
                while (
                    key := (asset.id, made.flaw, made.component)
                ) in named:  # the same purl, built otherwise
                    made = replace(made, component=f"{made.component} (another build)")
                named.add(key)
                yield made

    def _assets(
        self, db: psycopg.Connection[Any], org: int, as_of: date, *, edge: bool = False
    ) -> dict[int, AssetTags]:
        end = past.end_of(as_of)
        shared = _Shared(db, org)
        shared.ask(
            r[0] for r in db.execute("select distinct aud::int from clearway.asset where org = %s", (org,))
        )
        given = {"org": org, "auds": [*shared], "end": end, "edge": edge}
        rows = db.execute(_ASSETS, given).fetchall()
        exposed = said(db, (row[0] for row in rows), end)
        slug = db.execute("select slug from clearway.organisation where org = %s", (org,)).fetchone()
        return {row[0]: _tags(row, slug[0] if slug else "", exposed[row[0]], as_of) for row in rows}


PROVIDER: Provider = FleetRows()


class _Shared:
    """Audiences that every member of an organisation sees; each is asked once."""

    def __init__(self, db: psycopg.Connection[Any], org: int) -> None:
        self._db = db
        self._staff = audience.of(db, own(org))
        self._asked: set[int] = set()
        self._seen: set[int] = set()

    def ask(self, auds: Iterable[int]) -> None:
        """Makes these known."""
        new = {*auds} - self._asked
        if new:
            rows = self._db.execute(_SHARED, {"auds": sorted(new), "staff": self._staff})
            self._seen |= {aud for (aud,) in rows}
            self._asked |= new

    def __contains__(self, aud: int) -> bool:
        return aud in self._seen

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._seen))


def _batches(
    db: psycopg.Connection[Any], assets: Sequence[int], given: Mapping[str, Any]
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of these assets, an asset after the other; of as many at once as have some `_BATCH` rows."""
    at, many, limit = 0, _FIRST_ASSETS, _FIRST
    while at < len(assets):
        chunk = assets[at : at + many]
        found, asset, last = 0, 0, 0
        while True:
            rows = db.execute(
                _ROWS, {**given, "assets": list(chunk), "asset": asset, "last": last, "limit": limit}
            ).fetchall()
            found += len(rows)
            if rows:
                yield rows
            if len(rows) < limit:
                break
            last, _, asset, *_ = rows[-1]
            limit = _BATCH
            chunk = [a for a in chunk if a >= asset]
        at, limit = at + many, _BATCH
        many = max(1, min(2 * many, many * _BATCH // (2 * found + 1)))


def _tags(row: Any, organisation: str, words: Said, as_of: date) -> AssetTags:
    return AssetTags(
        id=f"asset/{row[0]}",
        name=row[1],
        organisation=organisation,
        owner=row[2],
        sub_organisation=row[3],
        environment=row[4],
        exposure=exposed_on(words, as_of),  # type: ignore[arg-type]  # the table allows no other word
        asset_type=row[5],
        addresses=tuple(row[6]),
        names=tuple(row[7]),
        edge_device=row[8],
        end_of_support=row[9],
        eos_listed=row[10],
        decommissioned=row[11] if row[11] is not None and row[11] <= as_of else None,
    )


def _row(asset: AssetTags, row: Any, tier: Tier, end: datetime) -> ReportRow:
    (
        _,
        purl,
        ecosystem,
        name,
        version,
        _,
        flaw,
        detected,
        word,
        until,
        gone,
        decided,
        detail,
        removed,
        *_,
        known,
    ) = row
    status, since, reason = _STATUS[word], _day(decided), detail or ""
    if status == "accepted" and until is not None and until < _day(end - timedelta(days=1)):
        status, since, reason = "open", until + timedelta(days=1), f"accepted until {until}"
    if gone is not None and gone < end and status not in ("fixed", "not_affected"):
        # Gone with its component, or only what the sources say of it has changed.
        since = _day(gone)
        status = "fixed" if removed or asset.decommissioned is not None else "not_affected"
        reason = "the component is no longer there" if status == "fixed" else "no source says so any more"
    over = status in ("open", "mitigated", "accepted") or (
        gone is not None and status == "fixed" and not removed
    )
    if over and asset.decommissioned is not None:  # with the asset, whenever that was recorded
        status, since, reason = "fixed", asset.decommissioned, "the asset was decommissioned"
    return ReportRow(
        asset=asset,
        component=purl or f"{ecosystem}:{name}@{version}",
        flaw=flaw,
        tier=tier.decision.code,
        due=tier.due,
        start=tier.start,
        detected=detected,
        known_since=known,
        kev_added=tier.kev_added,
        forensic_triage=tier.decision.forensic_triage,
        row=tier.decision.row,
        basis=tier.decision.basis,
        status=status,
        status_since=since,
        status_reason=reason,
        accepted_until=until if status == "accepted" else None,
        remediated_at=since if status == "fixed" else None,
        reasons=tier.reasons,
    )


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.astimezone(UTC).date()
