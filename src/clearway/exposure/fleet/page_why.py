"""Why an exposure is due when it is, and when it would be due if its asset could not be reached from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from msgspec import Struct
from msgspec.structs import replace

from clearway.directives import Directive, Tier, word
from clearway.directives.kept import addresses
from clearway.directives.kept.governing import today_of
from clearway.directives.kept.standings import held
from clearway.directives.standing import read_standing

from . import due, listing, page_rule, past, status
from .wanted import STATUSES, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    import psycopg

_ASKED = 200  # exposures of one step of the week that are asked for their later date

_FACTS = """select e.exposure, e.asset, e.org, e.detected, e.how, f.id, f.kev, f.kev_due, f.automatable, f.impact,
    f.ssvc_dated
from clearway.exposure e join clearway.flaw f on f.flaw = e.flaw where e.exposure = any(%s)"""
# What was shown in the same words before and after (a version of the directive that gives the same date) is one row.
_HISTORY = """with states as (
    select h.until, h.flaw, h.due, c.tier, h.status, h.detected, h.gone
    from clearway.exposure_history h join clearway.clock c on c.clock = h.clock where h.exposure = %(exposure)s
    union all
    select null, e.flaw, e.due, c.tier, e.status, e.detected, e.gone
    from clearway.exposure e join clearway.clock c on c.clock = e.clock where e.exposure = %(exposure)s
), told as (
    select s.*, w.words, lead(w.words) over (order by s.until nulls last) as after
    from states s, lateral (
        select jsonb_build_array(s.flaw, s.due, s.tier, s.status, s.detected, s.gone) as words) w
)
select t.until, f.id, t.due, t.tier, t.status, t.detected, t.gone
from told t join clearway.flaw f on f.flaw = t.flaw
where t.until < coalesce(%(end)s::timestamptz, 'infinity') and t.words is distinct from t.after
order by t.until desc limit 50"""

_THEN: LiteralString = f"""
select f.id, e.pv, v.ecosystem, v.name, v.version, v.purl, e.verdict, e.status, e.accepted_until, e.detected, e.due,
    c.tier, c."row", c.basis, c.forensic, c.directive, e.first_seen, e.gone, s.name, s.environment, s.kind
from {past.EXPOSURES} e
join clearway.package_version v on v.pv = e.pv
join clearway.flaw f on f.flaw = e.flaw
join clearway.clock c on c.clock = e.clock
left join lateral (select * from clearway.asset_said s where s.asset = e.asset and s.recorded < %(end)s
    order by s.recorded desc, s.statement desc limit 1) s on true
where e.exposure = %(exposure)s"""  # noqa: S608 - constants


class Before(Struct, frozen=True, kw_only=True):
    """How an exposure was shown until then."""

    until: datetime
    flaw: str
    due: date | None
    tier: str
    status: str
    detected: date
    gone: datetime | None


class Why(Struct, frozen=True, kw_only=True):
    """One exposure on one day: the date that was shown, and the same worked out again with its reasons.

    `directive` is the table that governed then, in its version; `authority` who issued it, "" for the one that ships.
    `wording` is one sentence for what the directive is to the organisation (`standing`). `waits` is the version of it
    that is addressed and does not count until somebody takes note of it. `line` is of now, `then` of the end of `day`.
    """

    line: listing.ExposureLine
    then: listing.ExposureLine
    day: date
    shown: due.Shown
    tier: Tier
    directive: Directive
    authority: str
    imported: bool
    standing: str
    wording: str
    said: tuple[status.Said, ...]
    history: tuple[Before, ...]
    waits: page_rule.Notice | None = None


def why(
    db: psycopg.Connection[Any], exposure: int, day: date, standing: str = "", *, cut: bool = False
) -> Why:
    """The reasons of a date; with `cut`, of what was said and shown only what was by the end of `day`.

    Raises NotFoundError for what may not be seen or was not there on `day`.
    """
    line = listing.one(db, exposure)
    shown, setting = due.replayed(db, exposure, day)
    directive = setting.table
    what_it_is = standing or standing_for(db, line.org, directive.id, day)
    waits = (
        n for n in page_rule.notices(db, line.org, day) if (n.kind, n.directive) == ("waits", directive.id)
    )
    end, past_day = past.end_of(day), day < today_of(db)
    rows = db.execute(_HISTORY, {"exposure": exposure, "end": end if cut else None}).fetchall()
    return Why(
        line=line,
        then=_then(db, line, day) if past_day else line,
        day=day,
        shown=shown,
        tier=shown.again,
        directive=directive,
        authority=page_rule.issuer(db, setting.version_id),
        imported=setting.under is not None and setting.under.imported,
        standing=what_it_is,
        wording=word(directive, shown.again.decision, shown.again.due, read_standing(what_it_is)),
        said=status.said(db, exposure, end if cut and past_day else None),
        history=tuple(
            Before(
                until=r[0],
                flaw=r[1],
                due=r[2],
                tier=r[3],
                status=STATUSES[r[4]],
                detected=r[5],
                gone=r[6],
            )
            for r in rows
        ),
        waits=next(waits, None),
    )


def _then(db: psycopg.Connection[Any], line: listing.ExposureLine, day: date) -> listing.ExposureLine:
    """The line at the end of `day`, in the asset's words of then; its tag and what records say of it are of today."""
    end = past.end_of(day)
    row = db.execute(_THEN, {"end": end, "exposure": line.exposure}).fetchone()
    assert row is not None  # `due.replayed` found it
    (flaw, pv, ecosystem, name, version, purl, verdict, status_then, until, detected, due_then, tier, number, basis,
     forensic, directive, first_seen, gone, asset_name, environment, kind) = row  # fmt: skip
    return replace(
        line, flaw=flaw, pv=pv, ecosystem=ecosystem, name=name, version=version, purl=purl, verdict=VERDICTS[verdict],
        status=STATUSES[status_then], until=until, detected=detected, due=due_then, tier=tier, row=number,
        rule_basis=basis, forensic=forensic, directive=directive, first_seen=first_seen,
        gone=None if gone is None or gone >= end else gone,
        asset_exposure=due.exposed_on(due.said(db, [line.asset], end)[line.asset], day),
        asset_name=line.asset_name if asset_name is None else asset_name,
        environment=line.environment if environment is None else environment,
        kind=line.kind if kind is None else kind,
    )  # fmt: skip


def standing_for(db: psycopg.Connection[Any], org: int, directive: str, day: date | None = None) -> str:
    """What a directive is to an organisation on `day` (None: today), by the rule of its cockpit.

    As it is addressed, also before its version is taken note of; else as it said itself; advisory where nobody did.
    """
    row = db.execute("select standing from clearway.organisation where org = %s", (org,)).fetchone()
    todos = addresses.addressed_to(db, org, day or today_of(db))
    return held(row[0] if row else {}, todos, directive).standing


def if_internal(db: psycopg.Connection[Any], exposures: Sequence[int], day: date) -> date | None:
    """The earliest day on which these would be due if their assets were reachable from inside only, from `day` on.

    None where that gives no later day for all of them, or no date at all.
    """
    rows = db.execute(_FACTS, (list(exposures[:_ASKED]),)).fetchall()
    if not rows:
        return None
    said = due.said(db, {r[1] for r in rows})
    settings = due.settings(db, {r[2] for r in rows})
    there = due.loaded(db)
    days: list[date | None] = []
    for _, asset, org, detected, how, *flaw in rows:
        told = (*said[asset], (day, "internal"))
        days.append(due.tier_of(settings[org], due.FlawDates(*flaw), told, detected, how, there, day).due)
    dated = [d for d in days if d is not None]
    return min(dated) if dated else None


def postponed(later: date | None, due: date | None, day: date) -> tuple[date | None, bool]:
    """What cutting off from the internet gives: the later date, where it is one to come (from `day` on); and whether
    it is a later one that is past, so that it is still worth doing but ends no lateness."""
    if later is None or due is None or later <= due:
        return None, False
    return (later, False) if later >= day else (None, True)
