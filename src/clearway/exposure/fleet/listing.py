"""Lists of exposures: filtered, sorted, page by page, with counts by facet. All under the reader's own rights.

A page is found by walking an index in the list's order, one audience at a time, and never by sorting
everything that is visible:

- by due date, the index (audience, due, exposure) of each of the reader's audiences; a reader of more than
  `HINT` audiences sees so much that the index over all is walked instead. Of one day the number of the exposure
  decides, affected and possible ones mixed: the verdict is in no index, and by it a page would read the whole day,
  which one flaw in everything, or all that has no date, makes as large as the fleet.
- by severity, EPSS or KEV, which are facts of the flaw: the flaws from the top, and of each its exposures by
  (audience, flaw). Where the top flaws don't fill the page, those that the reader's audiences have at all.
"""

# ruff: noqa: S608 - queries are composed of constants; what people type is always a parameter
from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway.exposure.fixes import offered
from clearway.records.errors import NotFoundError, UsageError

from . import product
from .listed import before_listed, known_since
from .version import named, vendor_of
from .wanted import FACETS, STATUSES, VERDICTS, Conditions, Filter, conditions, joins, walked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

Sort = Literal["due", "severity", "epss", "kev", "name"]
HINT = 64  # audiences
MOST = 500  # lines a page
_TOP = 400  # flaws looked at first
_COUNTED = 100_000  # exposures that facets count


class ExposureLine(Struct, frozen=True, kw_only=True):
    """One flaw in one component of one asset, as a list shows it.

    `severity` is the highest base score that a source gives, `epss` a probability; None where there is none.
    `records` say so, and `fixed` are versions that they say end it, pre-releases
    only where there is no other (`fixed_prerelease`). `marked`: known from a marked record only.
    """

    exposure: int
    org: int
    asset: int
    asset_name: str
    environment: str
    asset_exposure: str
    kind: str
    flaw: str
    pv: int
    ecosystem: str
    name: str
    version: str
    purl: str
    verdict: str
    status: str
    until: date | None
    detected: date
    due: date | None
    tier: str
    row: int | None
    rule_basis: str  # of the date
    forensic: bool
    directive: str
    basis: str  # of the match
    fixed: tuple[str, ...]
    fixed_prerelease: bool
    records: tuple[str, ...]
    severity: float | None
    epss: float | None
    kev: date | None
    first_seen: datetime
    gone: datetime | None
    marked: bool
    version_tag: int  # for If-Match
    aud: int
    vendor: str = ""  # who makes it, of a product that is known by its vendor; it is said before the name

    @property
    def called(self) -> str:
        """The component's name as people say it: "Fortinet FortiOS"."""
        return named(self.vendor, self.name)

    @property
    def before_listed(self) -> bool:
        """Whether it was due before it was known here: no days over are counted then."""
        return before_listed(self.due, known_since(self.first_seen.astimezone(UTC).date(), self.detected))


class Page(Struct, frozen=True, kw_only=True):
    """Some lines, and where the next begin: opaque to readers, and bound to sort and filter by who hands it out."""

    lines: tuple[ExposureLine, ...]
    after: tuple[Any, ...] | None = None


class Counts(Struct, frozen=True, kw_only=True):
    """How many exposures, in all and by facet. Not `exact`: counting stopped at `total`."""

    total: int
    exact: bool
    facets: dict[str, dict[str, int]]


_LOOKED_AT = 10_000  # exposures of a reader of many audiences


def audiences(db: psycopg.Connection[Any]) -> list[int] | None:
    """The reader's audiences when they are few, to steer the planner; None for many, and for the owner."""
    row = db.execute(
        "select case when clearway.actor() = 0 then null else clearway.my_audiences(%s) end", (HINT,)
    ).fetchone()
    return row[0] if row else None


def shown_audiences(db: psycopg.Connection[Any], *, gone: bool = False) -> list[int]:
    """The audiences of the exposures that figures are counted from, for the log of what is read: of the reader's own,
    where they are few, those that have any that stands; of those that are `gone`, which no index has by audience, all.
    """
    mine = audiences(db)
    if mine is not None and gone:
        return mine
    if mine is None:
        rows = db.execute(
            "select distinct e.aud from (select aud from clearway.exposure limit %s) e", (_LOOKED_AT,)
        )
    else:
        rows = db.execute(
            "select w.aud from unnest(%s::int[]) w(aud) "
            "where exists (select from clearway.exposure e where e.aud = w.aud and e.gone is null)",
            (mine,),
        )
    return [aud for (aud,) in rows]


def page(
    db: psycopg.Connection[Any],
    wanted: Filter,
    sort: Sort = "due",
    after: Sequence[Any] | None = None,
    limit: int = 50,
) -> Page:
    """Up to `limit` lines after the place `after`.

    Sorts: due (earliest first, without a date last), severity, epss and kev (highest or newest first), name.

    Raises:
        UsageError: an unknown sort or facet, or a limit over `MOST`.
    """
    if sort not in get_args(Sort):
        raise UsageError(f"no sort {sort!r}", mend="one of: " + ", ".join(get_args(Sort)))
    if not 1 <= limit <= MOST:
        raise UsageError(f"{limit} lines a page", mend=f"from 1 to {MOST}")
    found = conditions(product.meant(db, wanted))
    mine = audiences(db)
    if sort == "due":
        keys = _by_due(db, found, mine, after, limit + 1)
    elif sort == "name":
        keys = _by_name(db, found, mine, after, limit + 1)
    else:
        keys = _by_flaw(db, sort, found, mine, after, limit + 1)
    shown = keys[:limit]
    return Page(lines=lines(db, [k[-1] for k in shown]), after=shown[-1] if len(keys) > limit else None)


def _each_audience(mine: list[int] | None, body: str, order: str) -> str:
    """`body` (with `{aud}`) for each of the reader's audiences, or once for all."""
    if mine is None:
        return f"select x.* from ({body.format(aud='true')}) x order by {order} limit %(limit)s"
    inner = body.format(aud="e.aud = m.aud")
    return (
        f"select x.* from unnest(%(mine)s::int[]) m(aud) cross join lateral ({inner}) x "
        f"order by {order} limit %(limit)s"
    )


def _by_due(
    db: psycopg.Connection[Any],
    found: Conditions,
    mine: list[int] | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    at = "e.due_at"
    place = f"and ({at}, e.exposure) > (%(at)s::date, %(id)s)" if after else ""
    body = (
        f"select {at} as at, e.exposure from clearway.exposure e {walked(found)} "
        f"where {{aud}} and {_safe(found)} {place} order by {at}, e.exposure limit %(limit)s"
    )
    query = f"select at::text, exposure from ({_each_audience(mine, body, 'x.at, x.exposure')}) y"
    return _rows(db, query, found, mine, limit, after, ("at", "id"))


def _by_name(
    db: psycopg.Connection[Any],
    found: Conditions,
    mine: list[int] | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    needed = joins(found.joins | {"v"})
    place = "and (v.name, e.exposure) > (%(at)s, %(id)s)" if after else ""
    body = (
        f"select v.name as at, e.exposure from clearway.exposure e {needed} "
        f"where {{aud}} and {_safe(found)} {place} order by v.name, e.exposure limit %(limit)s"
    )
    query = f"select at, exposure from ({_each_audience(mine, body, 'x.at, x.exposure')}) y"
    return _rows(db, query, found, mine, limit, after, ("at", "id"))


# The order of flaws: (expression on f, its type)
_FLAW_ORDERS = {
    "severity": ("f.score", "real"),
    "epss": ("f.epss", "real"),
    "kev": ("coalesce(f.kev, '-infinity'::date)", "date"),
}


def _by_flaw(
    db: psycopg.Connection[Any],
    sort: str,
    found: Conditions,
    mine: list[int] | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    at, kind = _FLAW_ORDERS[sort]
    rest = joins(found.joins - {"f"})
    shown = f"{at}::text" if kind == "date" else at
    of_flaw = f"from clearway.exposure e {rest} where e.flaw = f.flaw and {_safe(found)}"
    tail = "and (not f.first or e.exposure > %(id)s)" if after else ""
    each = (
        f"select e.exposure {of_flaw} and e.aud = any(%(mine)s) {tail} order by e.exposure limit %(limit)s"
        if mine is not None
        else f"select e.exposure {of_flaw} {tail} order by e.exposure limit %(limit)s"
    )
    # A page begins inside the flaw that the last one ended in, or after it.
    place = f"where ({at}, -f.flaw) <= (%(at)s::{kind}, -%(flaw)s)" if after else ""
    first = f", f.flaw = %(flaw)s and {at} = %(at)s::{kind} as first" if after else ""

    def walk(flaws: str) -> str:
        return (
            f"select {shown} as at, f.flaw, x.exposure from ({flaws}) f cross join lateral ({each}) x "
            f"order by {at} desc, f.flaw, x.exposure limit %(limit)s"
        )

    top = f"select f.*{first} from clearway.flaw f {place} order by {at} desc, f.flaw limit {_TOP}"
    names = ("at", "flaw", "id")
    rows = _rows(db, walk(top), found, mine, limit, after, names)
    if len(rows) >= limit:
        return rows
    if mine is None:
        every = f"select f.*{first} from clearway.flaw f {place} order by {at} desc, f.flaw"
        return _rows(db, walk(every), found, mine, limit, after, names)
    query = f"""with recursive steps as (
            select m.aud, (select min(e.flaw) from clearway.exposure e where e.aud = m.aud and e.gone {_NULL[found.texts[0]]}) as flaw
            from unnest(%(mine)s::int[]) m(aud)
            union all
            select s.aud, (select min(e.flaw) from clearway.exposure e
                where e.aud = s.aud and e.gone {_NULL[found.texts[0]]} and e.flaw > s.flaw)
            from steps s where s.flaw is not null)
        {walk(f"select f.*{first} from clearway.flaw f {place + ' and' if place else 'where'} f.flaw in (select flaw from steps) order by {at} desc, f.flaw")}"""  # noqa: E501
    return _rows(db, query, found, mine, limit, after, names)


_NULL = {"e.gone is null": "is null", "e.gone is not null": "is not null"}


def _safe(found: Conditions) -> str:
    """The conditions, and what every list leaves out: what a marked record repeats of a public exposure."""
    return (
        f"{found.text} and (e.via = 0 or not exists (select from clearway.exposure p where p.asset = e.asset "
        "and p.pv = e.pv and p.flaw = e.flaw and p.via = 0 and p.gone is null and p.verdict = 1))"
    )


def _rows(
    db: psycopg.Connection[Any],
    query: str,
    found: Conditions,
    mine: list[int] | None,
    limit: int,
    after: Sequence[Any] | None,
    names: Sequence[str],
) -> list[tuple[Any, ...]]:
    values = {**found.values, "mine": mine, "limit": limit}
    if after is not None:
        if len(after) != len(names):
            raise UsageError("not a place in this list", mend="begin at its first page")
        values |= dict(zip(names, after, strict=True))
    # Composed of this module's and `wanted`'s constants alone.
    return db.execute(query, values).fetchall()


# One look-up a line and table: left to itself the planner may believe that little is visible and read all of it.
_LINE = """select e.exposure, e.org, e.asset, a.name, a.environment, a.exposure, a.kind, f.id, e.pv, v.ecosystem,
    v.name, v.version, v.purl, e.verdict, e.status, e.until, e.detected, e.due, c.tier, c."row", c.basis, c.forensic,
    c.directive, coalesce(n.basis, ''), coalesce(n.fixed, '{}'), coalesce(n.records, array[m.record]), f.score, f.epss,
    f.kev, e.first_seen, e.gone, e.via <> 0, e.version, e.aud, case when v.ecosystem = 'vendor' then v.component end
from unnest(%s::bigint[]) with ordinality as w(exposure, place)
cross join lateral (select * from clearway.exposure x where x.exposure = w.exposure offset 0) e
cross join lateral (select * from clearway.asset x where x.asset = e.asset offset 0) a
cross join lateral (select * from clearway.package_version x where x.pv = e.pv offset 0) v
cross join lateral (select * from clearway.flaw x where x.flaw = e.flaw offset 0) f
cross join lateral (select * from clearway.clock x where x.clock = e.clock offset 0) c
left join lateral (
    select * from clearway.answer x where e.via = 0 and x.pv = e.pv and x.flaw = e.flaw offset 0) n on true
left join lateral (select * from clearway.marked x where x.marked = e.via offset 0) m on true
order by w.place"""


def lines(db: psycopg.Connection[Any], exposures: Sequence[int]) -> tuple[ExposureLine, ...]:
    """The lines of these exposures, in their order, without those that may not be seen."""
    if not exposures:
        return ()
    return tuple(_line(row) for row in db.execute(_LINE, (list(exposures),)))


def one(db: psycopg.Connection[Any], exposure: int) -> ExposureLine:
    """One exposure. Raises NotFoundError for one that is not there or may not be seen."""
    found = lines(db, [exposure])
    if not found:
        raise NotFoundError("no such exposure", where=f"exposure/{exposure}")
    return found[0]


def _line(row: tuple[Any, ...]) -> ExposureLine:
    (exposure, org, asset, asset_name, environment, asset_exposure, kind, flaw, pv, ecosystem, name, version, purl,
     verdict, status, until, detected, due, tier, number, rule_basis, forensic, directive, basis, fixed, records,
     score, epss, kev, first_seen, gone, marked, tag, aud, made) = row  # fmt: skip
    offer = offered(ecosystem, fixed)
    return ExposureLine(
        exposure=exposure,
        org=org,
        asset=asset,
        asset_name=asset_name,
        environment=environment,
        asset_exposure=asset_exposure,
        kind=kind,
        flaw=flaw,
        pv=pv,
        ecosystem=ecosystem,
        name=name,
        version=version,
        purl=purl,
        verdict=VERDICTS[verdict],
        status=STATUSES[status],
        until=until,
        detected=detected,
        due=due,
        tier=tier,
        row=number,
        rule_basis=rule_basis,
        forensic=forensic,
        directive=directive,
        basis=basis,
        fixed=offer.versions,
        fixed_prerelease=offer.prerelease,
        records=tuple(r for r in records if r),
        severity=None if score < 0 else round(score, 1),
        epss=None if epss < 0 else round(epss, 5),
        kev=kev,
        first_seen=first_seen,
        gone=gone,
        marked=marked,
        version_tag=tag,
        aud=aud,
        vendor=vendor_of(made),
    )


def ids(db: psycopg.Connection[Any], wanted: Filter, most: int) -> list[int]:
    """The exposures of a filter, at most `most`, for a bulk act."""
    found = conditions(product.meant(db, wanted))
    mine = audiences(db)
    body = (
        f"select e.exposure from clearway.exposure e {joins(found.joins)} "
        f"where {{aud}} and {_safe(found)} limit %(limit)s"
    )
    query = _each_audience(mine, body, "x.exposure")
    return [row[0] for row in _rows(db, query, found, mine, most, None, ())]


def standing(db: psycopg.Connection[Any], exposures: Sequence[int]) -> list[int]:
    """Those of `exposures` that stand and that the reader sees, in order.

    Raises:
        NotFoundError: none of them does.
    """
    rows = db.execute(
        "select exposure from clearway.exposure where exposure = any(%s) and gone is null order by exposure",
        (list(exposures),),
    ).fetchall()
    if not rows:
        raise NotFoundError("no such exposure", where=", ".join(f"exposure/{n}" for n in exposures[:5]))
    return [row[0] for row in rows]


def counts(
    db: psycopg.Connection[Any], wanted: Filter, facets: Sequence[str] = tuple(FACETS), most: int = _COUNTED
) -> Counts:
    """How many there are, in all and by each value of `facets`; counting stops after `most`."""
    found = conditions(product.meant(db, wanted))
    mine = audiences(db)
    unknown = [f for f in facets if f not in FACETS]
    if unknown:
        raise UsageError(f"no facet {unknown[0]!r}", mend="one of: " + ", ".join(FACETS))
    needed = found.joins | {j for f in facets if (j := FACETS[f][1])}
    columns = ", ".join(f"{FACETS[f][0]} as {f}" for f in facets) or "1 as one"
    aud = "e.aud = any(%(mine)s)" if mine is not None else "true"
    names = facets or ("one",)
    query = (
        f"with seen as (select {columns} from clearway.exposure e {joins(needed)} "
        f"where {aud} and {_safe(found)} limit %(limit)s) "
        + " union all ".join(f"select '{f}', {f}::text, count(*) from seen group by {f}" for f in names)
        + " union all select '', '', count(*) from seen"
    )
    by_facet: dict[str, dict[str, int]] = {f: {} for f in facets}
    total = 0
    for facet, value, number in _rows(db, query, found, mine, most + 1, None, ()):
        if not facet:
            total = number
        elif facet in by_facet:
            words = FACETS[facet][2]
            by_facet[facet][value if words is None else words[int(value)]] = number
    return Counts(total=min(total, most), exact=total <= most, facets=by_facet)
