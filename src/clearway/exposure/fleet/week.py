"""What to do this week: for each asset, the upgrades that end most of what is due soonest."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.exposure.plan import highest, lowest
from clearway.versions import scheme_of

from . import listing
from .wanted import Filter

if TYPE_CHECKING:
    import psycopg

_READ = 500


class Step(Struct, frozen=True, kw_only=True):
    """One upgrade of one component, wherever it runs. `to` "" when no source names a fix."""

    ecosystem: str
    name: str
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


class Plan(Struct, frozen=True, kw_only=True):
    """The steps, the most urgent first, and how much else is due within the week."""

    day: date
    until: date
    steps: tuple[Step, ...]
    due: int  # exposures due within the week or overdue
    overdue: int
    exact: bool


def plan(
    db: psycopg.Connection[Any], day: date, *, org: int | None = None, days: int = 7, most: int = 3
) -> Plan:
    """The plan of the `days` from `day` on: what is overdue counts as due. Accepted and mitigated are left out."""
    until = day + timedelta(days=days)
    facets = {"status": ("open",), "verdict": ("affected",)}
    soon = Filter(org=org, due_to=until, yes=facets)
    lines = listing.page(db, soon, limit=_READ).lines
    counted = listing.counts(db, soon, ())
    late = listing.counts(db, Filter(org=org, due_to=day - timedelta(days=1), yes=facets), ())
    groups: dict[tuple[str, str], list[listing.ExposureLine]] = {}
    for line in lines:
        groups.setdefault((line.ecosystem, line.name), []).append(line)
    steps = sorted((_step(group, day) for group in groups.values()), key=_urgency)
    return Plan(
        day=day,
        until=until,
        steps=tuple(steps[:most]),
        due=counted.total,
        overdue=late.total,
        exact=counted.exact and late.exact,
    )


def _urgency(step: Step) -> tuple[Any, ...]:
    return (
        step.due or date.max,
        not step.forensic,
        not step.kev,
        -len(step.exposures),
        step.ecosystem,
        step.name,
    )


def _step(group: list[listing.ExposureLine], day: date) -> Step:
    first = min(group, key=lambda line: line.due or date.max)
    scheme = scheme_of(first.ecosystem)
    ends = [least for line in group if (least := lowest(scheme, line.fixed))]
    return Step(
        ecosystem=first.ecosystem,
        name=first.name,
        versions=tuple(dict.fromkeys(line.version for line in group)),
        to=highest(scheme, ends),
        assets=tuple(dict.fromkeys((line.asset, line.asset_name) for line in group)),
        flaws=tuple(dict.fromkeys(line.flaw for line in group)),
        exposures=tuple(line.exposure for line in group),
        due=first.due,
        overdue=first.due is not None and first.due < day,
        tier=first.tier,
        kev=any(line.kev is not None for line in group),
        forensic=any(line.forensic for line in group),
    )
