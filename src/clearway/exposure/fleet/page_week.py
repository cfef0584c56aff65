"""*This week* as data: each step of the plan in plain words, with what to do if it must wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from . import listing, page_age, page_rule, page_why, ruling, support, traces, week
from .governed import Setting, settings
from .shown import REPORTED
from .wanted import Filter

if TYPE_CHECKING:
    from datetime import date

    import psycopg

    from clearway.advisories.table import Table
    from clearway.directives.outlook import Outlook

_LINES = 200
_NAMED = 10  # vendor products by name
_VENDOR = "vendor"
_HELD = 100_000  # components that are looked through for ecosystems without a source


class Told(Struct, frozen=True, kw_only=True):
    """One step. `exposed` of its assets can be reached from the internet; `later`: due then, a day to come, if they
    could not. `cut_off`: it would have been due later, on a day that is past. `others`: how many are open of the same
    component on the first 200 of these assets, and are no part of the step.

    `lead` is the exposure that decides the date. `action` is what CISA's catalogue asks for, "" when it says nothing.
    """

    step: week.Step
    lead: int
    exposed: int
    unknown_exposure: int
    later: date | None
    action: str
    cut_off: bool = False
    others: int = 0
    traces: traces.Traces = traces.Traces()


class Week(Struct, frozen=True, kw_only=True):
    """The week of one organisation, or of all of the reader's.

    `next_due` is the first date after the plan's end; `assets` how many there are, `needing` on how many something is
    open and affected. `directive` is the short name of the rule with its
    `version`, `standing` what it is to the organisation.
    """

    plan: week.Plan
    steps: tuple[Told, ...]
    assets: int
    needing: int
    next_due: date | None
    directive: str
    version: str
    issuer: str
    url: str
    standing: str
    auds: tuple[int, ...]
    redating: bool = False  # dates are being counted anew by another version of the directive
    directive_id: str = ""
    authority: str = ""  # who issued the version here; "" for the table that ships
    imported: bool = False
    notices: tuple[page_rule.Notice, ...] = ()
    old: tuple[page_age.Old, ...] = ()  # what of the data is older than its limit
    feeds_to_add: tuple[str, ...] = ()  # that would bring it anew
    support: Outlook | None = None  # of edge devices; None where there is none to speak of
    support_standing: str = "advisory"  # what its directive is to the organisation
    held_off: int = (
        0  # mitigated or accepted and due by the plan's end: not in it, and in a report all the same
    )


class Rest(Struct, frozen=True, kw_only=True):
    """What runs that no loaded source speaks of: ecosystem -> on how many assets. Not `exact`: at least so many.

    On `quiet` assets nothing is open and affected, and all that runs there could be judged as far as is known here; on
    `unsure` nothing is either, but not all could, or no inventory is kept.

    `products` are the first of the vendor products that no source names; `auds` the audiences of all that was looked
    through.
    """

    uncovered: tuple[tuple[str, int], ...]
    assets: int
    unjudged: int  # exposures whose verdict is not known
    exact: bool
    products: tuple[str, ...] = ()
    quiet: int = 0
    unsure: int = 0
    auds: tuple[int, ...] = ()


def read(db: psycopg.Connection[Any], day: date, org: int | None, table: Table | None) -> Week:
    """The week from `day` on."""
    plan = week.plan(db, day, org=org)
    steps = tuple(_told(db, step, day, table) for step in plan.steps)
    counted = db.execute(
        """select count(*), count(*) filter (where exists (
            select from clearway.exposure e where e.asset = a.asset and e.gone is null and e.status = 0
                and e.verdict = 1)), array_agg(distinct a.aud::int)
        from clearway.asset a where (%s::int is null or a.org = %s) and a.decommissioned is null""",
        (org, org),
    ).fetchone() or (0, 0, None)
    following = listing.page(
        db,
        Filter(
            org=org,
            due_from=plan.until + timedelta(days=1),
            yes={"status": ("open",), "verdict": ("affected",)},
        ),
        limit=1,
    ).lines
    old = page_age.old(db, org, table.meta if table is not None else None, day)
    devices = support.of_fleet(db, org, day)
    setting = Setting() if org is None else settings(db, [org], day=day)[org]
    directive = setting.table
    return Week(
        plan=plan,
        steps=steps,
        assets=counted[0],
        needing=counted[1],
        next_due=following[0].due if following else None,
        directive=directive.short,
        version=directive.version,
        issuer=directive.issuer,
        url=directive.url,
        standing=page_why.standing_for(db, org, directive.id, day) if org is not None else "advisory",
        # That a machine needs nothing is told of it too.
        auds=tuple(
            {line.aud for step in steps for line in week.lines_of(db, step.step.exposures[:_LINES])}
            | {line.aud for line in following}
            | {*(counted[2] or ())}
        ),
        redating=org is not None and bool(ruling.pending(db, [org])),
        directive_id=directive.id,
        authority=page_rule.issuer(db, setting.version_id),
        imported=setting.under is not None and setting.under.imported,
        notices=page_rule.notices(db, org, day) if org is not None else (),
        old=old,
        feeds_to_add=page_age.to_add(db, old),
        held_off=listing.counts(
            db,
            Filter(
                org=org,
                due_to=plan.until,
                yes={"status": ("mitigated", "accepted"), "verdict": ("affected",)},
            ),
            (),
        ).total,
        support=devices if devices.pressing else None,
        support_standing=page_why.standing_for(db, org, devices.directive, day)
        if org is not None and devices.pressing
        else "advisory",
    )


def _told(db: psycopg.Connection[Any], step: week.Step, day: date, table: Table | None) -> Told:
    lines = week.lines_of(db, step.exposures[:_LINES])
    reached = {line.asset for line in lines if line.reachable == "public"}
    unsaid = {line.asset for line in lines if line.reachable == "unknown"}
    later = page_why.if_internal(db, step.exposures, day) if reached or unsaid else None
    postponed, cut_off = page_why.postponed(later, step.due, day)
    first = min(lines, key=lambda line: (line.due is None, line.due or day, line.exposure))
    flaw = table.flaw(first.flaw) if table is not None else None
    action = flaw.kev.required_action if flaw is not None and flaw.kev is not None else ""
    return Told(
        step=step,
        lead=first.exposure,
        exposed=len(reached),
        unknown_exposure=len(unsaid),
        later=postponed,
        cut_off=cut_off,
        others=_others(db, step) if step.to else 0,
        action=action,
        traces=traces.traces(db, step.exposures[:_LINES]) if step.forensic else traces.Traces(),
    )


def _others(db: psycopg.Connection[Any], step: week.Step) -> int:
    row = db.execute(
        """select count(*) from clearway.exposure e join clearway.package_version v on v.pv = e.pv
        where e.asset = any(%s) and v.ecosystem = %s and v.name = any(%s) and e.gone is null and e.status = 0
            and e.verdict = 1 and e.exposure <> all(%s)""",
        (
            [asset for asset, _ in step.assets[:_LINES]],
            step.ecosystem,
            list(step.names),
            list(step.exposures),
        ),
    ).fetchone()
    return row[0] if row else 0


def rest(db: psycopg.Connection[Any], org: int | None, table: Table | None) -> Rest:
    """What of the fleet nothing loaded speaks of."""
    mine = listing.audiences(db)
    rows = db.execute(
        """select v.ecosystem, count(distinct h.asset), array_agg(distinct h.asset), count(*),
            array_agg(distinct h.aud::int), array_agg(distinct h.asset) filter (where v.version = '')
        from (select h.asset, h.pv, h.aud from clearway.held h join clearway.asset a on a.asset = h.asset
            where (%(mine)s::int[] is null or h.aud = any(%(mine)s)) and (%(org)s::int is null or a.org = %(org)s)
            limit %(most)s) h join clearway.package_version v on v.pv = h.pv
        group by v.ecosystem order by 2 desc, 1""",
        {"mine": mine, "org": org, "most": _HELD},
    ).fetchall()
    bare = [(e, n, set(a)) for e, n, a, *_ in rows if table is None or not table.coverage(e).covered]
    # What vendors make is covered product by product, as `match` has it: only those that no record names are bare.
    products: list[str] = []
    if table is not None and (made := next((b for b in bare if b[0] == _VENDOR), None)) is not None:
        bare.remove(made)
        held, products = _unnamed(db, mine, org, table)
        if held:
            bare = sorted([*bare, (_VENDOR, len(held), held)], key=lambda b: (-b[1], b[0]))
    nameless = {asset for *_, some in rows for asset in some or ()}  # without a version nothing is judged
    quiet, unsure, looked_at = _quiet(db, org, nameless.union(*(a for _, _, a in bare)))
    # What a scanner's word alone says is there is no ecosystem that a source could cover.
    bare = [b for b in bare if b[0] != REPORTED]
    unjudged = listing.counts(db, Filter(org=org, yes={"verdict": ("unknown",), "status": ("open",)}), ())
    return Rest(
        uncovered=tuple((e, n) for e, n, _ in bare[:20]),
        products=tuple(products[:_NAMED]),
        assets=len(set().union(*(a for _, _, a in bare))) if bare else 0,
        unjudged=unjudged.total,
        quiet=quiet,
        unsure=unsure,
        exact=sum(r[3] for r in rows) < _HELD and unjudged.exact,
        auds=tuple(sorted({*looked_at, *(aud for *_, auds, _ in rows for aud in auds)})),
    )


def _quiet(db: psycopg.Connection[Any], org: int | None, bare: set[int]) -> tuple[int, int, list[int]]:
    """Assets on which nothing is open and affected: of how many all could be judged, of how many not, and the
    audiences of both. `bare` are those with something that nothing speaks of."""
    row = db.execute(
        """select count(*) filter (where not q.unsure), count(*) filter (where q.unsure),
            array_agg(distinct q.aud)
        from (select a.aud::int as aud, a.asset = any(%(bare)s)
                or not exists (select from clearway.held h where h.asset = a.asset)
                or exists (select from clearway.exposure e where e.asset = a.asset and e.gone is null
                    and e.status = 0 and e.verdict = 2) as unsure
            from clearway.asset a
            where (%(org)s::int is null or a.org = %(org)s) and a.decommissioned is null and not exists (
                select from clearway.exposure e where e.asset = a.asset and e.gone is null and e.status = 0
                    and e.verdict = 1)) q""",
        {"org": org, "bare": sorted(bare)},
    ).fetchone()
    return (row[0], row[1], row[2] or []) if row else (0, 0, [])


def _unnamed(
    db: psycopg.Connection[Any], mine: Any, org: int | None, table: Table
) -> tuple[set[int], list[str]]:
    """The assets with vendor products that no source names, and these products."""
    rows = db.execute(
        """select v.name, array_agg(distinct h.asset)
        from (select h.asset, h.pv from clearway.held h join clearway.asset a on a.asset = h.asset
            join clearway.package_version v on v.pv = h.pv and v.ecosystem = %(vendor)s
            where (%(mine)s::int[] is null or h.aud = any(%(mine)s)) and (%(org)s::int is null or a.org = %(org)s)
            limit %(most)s) h join clearway.package_version v on v.pv = h.pv
        group by v.name order by v.name""",
        {"mine": mine, "org": org, "most": _HELD, "vendor": _VENDOR},
    ).fetchall()
    table.expect(len(rows))
    bare = [(name, assets) for name, assets in rows if not table.speaks_of(_VENDOR, name)]
    return set().union(*(assets for _, assets in bare)), [name for name, _ in bare]
