"""What to do this week: for each asset, the upgrades that end the most urgent of what is due within it.

All of it is due by the week's end, so what is first is what its directive gives the least time for, then what
attackers use; the day decides among equals, and then how many exposures a step ends.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from clearway.exposure.fixes import early_version
from clearway.exposure.plan import least_that_ends

from . import listed, listing
from .version import component_of, named
from .wanted import Filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

_READ = 500
_COUNTED = 100_000
_NAMED = 4  # components of one step by name


class Line(NamedTuple):
    """What the plan needs to know of one exposure. `reachable` is how exposed its asset is."""

    exposure: int
    asset: int
    asset_name: str
    reachable: str
    flaw: str
    ecosystem: str
    name: str
    version: str
    due: date | None
    tier: str
    forensic: bool
    fixed: list[str]
    kev: bool
    aud: int
    known: date  # since when
    component: bytes
    rank: int = -1  # how strict its tier is, -1 where it has none (`Directive.rank`)

    @property
    def vendor(self) -> str:
        """Who makes it, of a product that is known by its vendor; else ""."""
        return component_of(self.component).vendor if self.ecosystem == "vendor" else ""

    @property
    def source(self) -> str:
        """The source package that an operating system built it from, "" for what has none."""
        return component_of(self.component).source_name


class Step(Struct, frozen=True, kw_only=True):
    """One upgrade of one component, wherever it runs. `to` "" when no source names a fix.

    `names` are all that the update mends: what an operating system builds from one source package comes together, and
    `name` is then that package's.

    `prerelease`: `to` is one, because no source names a release that ends it. `before_listed`: all of it that is
    overdue was due before it was known here, the earliest on `first_listed`.
    """

    ecosystem: str
    name: str
    names: tuple[str, ...]
    versions: tuple[str, ...]
    to: str
    assets: tuple[tuple[int, str], ...]  # (asset, its name)
    flaws: tuple[str, ...]
    exposures: tuple[int, ...]
    due: date | None
    overdue: bool
    tier: str
    kev: bool
    forensic: bool
    prerelease: bool = False
    before_listed: bool = False
    first_listed: date | None = None
    rank: int = -1  # how strict the strictest of its tiers is; `tier` is that of `due`
    vendor: str = ""  # of a product that is known by its vendor

    @property
    def called(self) -> str:
        """What is updated, in words: "busybox and ssl_client"."""
        shown = [*self.names[:_NAMED]]
        if len(self.names) > _NAMED:
            shown.append(f"{len(self.names) - _NAMED} more of {self.name}")
        return named(self.vendor, " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))))


class Plan(Struct, frozen=True, kw_only=True):
    """The steps, the most urgent first, and how much else is due within the week.

    Where not all could be counted (not `exact`), the steps are of the 500 that have been due for longest.
    """

    day: date
    until: date
    steps: tuple[Step, ...]
    due: int  # exposures due within the week or overdue
    overdue: int
    exact: bool
    before_listed: int = (
        0  # of those overdue, due before they were first seen here: of the first 500, at least
    )
    auds: tuple[
        int, ...
    ] = ()  # where asked for: of all that was counted, not of all where that is not `exact`


def plan(
    db: psycopg.Connection[Any],
    day: date,
    *,
    org: int | None = None,
    days: int = 7,
    most: int = 3,
    marked: bool = False,
) -> Plan:
    """The plan of the `days` from `day` on: what is overdue counts as due. Accepted and mitigated are left out.

    With `marked` it has the audiences of what was counted, from the same look at the rows.
    """
    until = day + timedelta(days=days)
    row = db.execute(
        "select total, late, first, auds from clearway.fleet_due(%s, %s, %s, %s, %s, %s)",
        (until, day, org, _COUNTED + 1, _READ, marked),
    ).fetchone()
    total, late, first, auds = row or (0, 0, None, ())
    exact = total <= _COUNTED
    if not exact:  # counting has stopped: the first are asked for, and what is late is counted by itself
        facets = {"status": ("open",), "verdict": ("affected",)}
        soon = Filter(org=org, due_to=until, yes=facets)
        first = [line.exposure for line in listing.page(db, soon, limit=_READ).lines]
        late = listing.counts(db, Filter(org=org, due_to=day - timedelta(days=1), yes=facets), ()).total
    lines = lines_of(db, first or ())
    steps = sorted((_step(group, day) for group in grouped(lines)), key=_urgency)
    return Plan(
        day=day,
        until=until,
        steps=tuple(steps[:most]),
        due=min(total, _COUNTED),
        overdue=late,
        exact=exact,
        auds=tuple(auds or ()),
        before_listed=sum(_late(line, day) and _before(line) for line in lines),
    )


def grouped(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines by what one update ends: those of one component, and of all that the same source package builds where
    the same version ends them. Pure."""
    by_name: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        by_name.setdefault((line.ecosystem, line.name), []).append(line)
    found: dict[tuple[str, str, str], list[Line]] = {}
    for (ecosystem, name), group in by_name.items():
        to = least_that_ends(ecosystem, (line.fixed for line in group))
        # Not every tool tells what a package was built from: one that does speaks for the others.
        source = next((s for line in group if (s := line.source)), "") if to else ""
        found.setdefault((ecosystem, source or name, to), []).extend(group)
    return [*found.values()]


# Each is looked up by its number (`offset 0`), whatever the planner thinks of how few rows a policy lets through.
_LINES = """select e.exposure, e.asset, a.name, a.exposure, f.id, v.ecosystem, v.name, v.version, e.due, c.tier,
    c.forensic, coalesce(n.fixed, '{}'), f.kev is not null, e.aud::int,
    least((e.first_seen at time zone 'UTC')::date, e.detected), v.component, c.rank
from unnest(%s::bigint[]) with ordinality as w(exposure, place)
cross join lateral (select * from clearway.exposure x where x.exposure = w.exposure offset 0) e
cross join lateral (select * from clearway.asset x where x.asset = e.asset offset 0) a
cross join lateral (select * from clearway.package_version x where x.pv = e.pv offset 0) v
cross join lateral (select * from clearway.flaw x where x.flaw = e.flaw offset 0) f
join clearway.clock c on c.clock = e.clock
left join lateral (
    select * from clearway.answer x where e.via = 0 and x.pv = e.pv and x.flaw = e.flaw offset 0) n on true
order by w.place"""


def lines_of(db: psycopg.Connection[Any], exposures: Sequence[int]) -> tuple[Line, ...]:
    """The lines of these exposures, in their order, without those that may not be seen."""
    return tuple(Line(*row) for row in db.execute(_LINES, (list(exposures),)))


def _late(line: Line, day: date) -> bool:
    return line.due is not None and line.due < day


def _before(line: Line) -> bool:
    return listed.before_listed(line.due, line.known)


def _urgency(step: Step) -> tuple[Any, ...]:
    return (
        -step.rank,
        not step.kev,
        step.due or date.max,
        -len(step.exposures),
        step.ecosystem,
        step.name,
    )


def _step(group: list[Line], day: date) -> Step:
    group = sorted(group, key=lambda line: line.due or date.max)
    first = group[0]
    to = least_that_ends(first.ecosystem, (line.fixed for line in group))
    names = tuple(sorted({line.name for line in group}))
    return Step(
        ecosystem=first.ecosystem,
        name=first.name if len(names) == 1 else first.source or names[0],
        names=names,
        vendor=first.vendor,
        versions=tuple(dict.fromkeys(line.version for line in group)),
        to=to,
        prerelease=early_version(first.ecosystem, to),
        before_listed=_late(first, day) and all(_before(line) for line in group if _late(line, day)),
        first_listed=min(line.known for line in group),
        assets=tuple(dict.fromkeys((line.asset, line.asset_name) for line in group)),
        flaws=tuple(dict.fromkeys(line.flaw for line in group)),
        exposures=tuple(line.exposure for line in group),
        due=first.due,
        overdue=first.due is not None and first.due < day,
        tier=first.tier,
        rank=max(line.rank for line in group),
        kev=any(line.kev for line in group),
        forensic=any(line.forensic for line in group),
    )
