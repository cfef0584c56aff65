"""The week for programs: the steps that end most of what is due soonest, and what nothing loaded speaks of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct
from msgspec.structs import replace

from clearway.access.reading import reading
from clearway.directives.outlook import Outlook
from clearway.http import etag
from clearway.http.acting import SIGNED_IN
from clearway.http.openapi import READ, gives
from clearway.http.organisation import looked_as
from clearway.records.principal import member_of

from . import page_age, page_rule, page_week
from .page_common import table_or_none, today

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Membership, Principal

SlugText = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]


class StepSaid(Struct, frozen=True, kw_only=True):
    """One thing to do. `if_internal` is the later day, if it is to come, when it is due once its assets can not
    be reached from outside. `to` is "" where no loaded source names a version: that is no word that there is none.

    `prerelease`: `to` is one, because no source names a release that ends it. `before_listed`: it was due before these
    machines were first listed here. `names` are the components that the update mends: all that come of one source
    package, which `name` is then.
    """

    name: str
    names: tuple[str, ...]
    ecosystem: str
    versions: tuple[str, ...]
    to: str
    prerelease: bool
    before_listed: bool
    assets: tuple[tuple[int, str], ...]
    flaws: tuple[str, ...]
    exposures: tuple[int, ...]
    due: date | None
    overdue: bool
    tier: str
    kev: bool
    forensic_triage: bool
    reachable: int
    if_internal: date | None
    action: str


class WeekSaid(Struct, frozen=True, kw_only=True):
    """The week of one organisation. `redating`: dates are being counted anew by another version of the directive.

    `issued_by` is who issued that version here, "" for the table that ships. `old` is what of the loaded data is older
    than its limit. `support` has the edge devices past their support or near its end, the first five of them by name.
    `before_listed` of those overdue were due before they were first listed here (at least: of 500).
    """

    organisation: str
    day: date
    until: date
    steps: tuple[StepSaid, ...]
    due: int
    overdue: int
    exact: bool
    assets: int
    needing: int
    next_due: date | None
    directive: str
    directive_version: str
    standing: str
    redating: bool
    issued_by: str
    notices: tuple[page_rule.Notice, ...]
    old: tuple[page_age.Old, ...]
    before_listed: int
    support: Outlook | None


class Uncovered(Struct, frozen=True):
    """An ecosystem that no loaded source speaks of, and on how many assets there is something of it."""

    ecosystem: str
    assets: int


class RestSaid(Struct, frozen=True, kw_only=True):
    """What nothing loaded speaks of: the first 20 ecosystems, and how many exposures could not be judged.

    `assets` hold something of these ecosystems. Not `exact`: at least so many. `products` are the first ten of the
    vendor products that no source names; of "vendor" those alone count. Nothing is open on `quiet` assets, and all that
    runs there could be judged; nothing is on `unsure` ones, where not all could, or of which no inventory is kept.
    """

    organisation: str
    uncovered: tuple[Uncovered, ...]
    assets: int
    unjudged: int
    exact: bool
    products: tuple[str, ...]
    quiet: int
    unsure: int


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/week",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What to do this week",
        responses=gives(WeekSaid, *READ),
    )
    def week(request: Request[Any, Any, Any], organisation: SlugText = "") -> Response[bytes]:
        """Of one organisation: the steps that end most of what is due soonest."""
        return answer(request, organisation)

    @get(
        "/week/rest",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What runs that no loaded source speaks of",
        responses=gives(RestSaid, *READ),
    )
    def rest(request: Request[Any, Any, Any], organisation: SlugText = "") -> Response[bytes]:
        """Of one organisation. It looks through what every asset holds, and takes longer than the week."""
        with reading(request) as (db, me, note):
            home = _home(request, me, organisation)
            found = page_week.rest(db, home.org if home else None, table_or_none(request))
            note.counted("week-rest", question(home), found.auds)
        said = RestSaid(
            organisation=home.slug if home else "",
            uncovered=tuple(Uncovered(ecosystem, assets) for ecosystem, assets in found.uncovered),
            assets=found.assets,
            unjudged=found.unjudged,
            exact=found.exact,
            products=found.products,
            quiet=found.quiet,
            unsure=found.unsure,
        )
        return etag.response(request, msgspec.json.encode(said), me)

    return [week, rest]


def answer(request: Request[Any, Any, Any], organisation: str) -> Response[bytes]:
    """The week of one of the reader's organisations, by its short name; "" for the one that pages are looked at as."""
    with reading(request) as (db, me, note):
        home = _home(request, me, organisation)
        found = page_week.read(db, today(), home.org if home else None, table_or_none(request))
        note.listed("week", question(home), found.auds)
    return etag.response(request, msgspec.json.encode(_week(found, home.slug if home else "")), me)


def _home(request: Request[Any, Any, Any], me: Principal, organisation: str) -> Membership | None:
    """The organisation that is named, as pages name theirs too (`org`). Raises NotFoundError for another's."""
    slug = organisation or request.query_params.get("org", "")
    return member_of(me, slug, "read") if slug else looked_as(request, me)


def question(home: Membership | None) -> str:
    """What the log says was asked: the week of one organisation, or of all."""
    return f"organisation={home.slug}" if home is not None else ""


def _week(found: page_week.Week, slug: str) -> WeekSaid:
    steps = tuple(
        StepSaid(
            name=t.step.name,
            names=t.step.names,
            ecosystem=t.step.ecosystem,
            versions=t.step.versions,
            to=t.step.to,
            prerelease=t.step.prerelease,
            before_listed=t.step.before_listed,
            assets=t.step.assets,
            flaws=t.step.flaws,
            exposures=t.step.exposures,
            due=t.step.due,
            overdue=t.step.overdue,
            tier=t.step.tier,
            kev=t.step.kev,
            forensic_triage=t.step.forensic,
            reachable=t.exposed,
            if_internal=t.later,
            action=t.action,
        )
        for t in found.steps
    )
    return WeekSaid(
        organisation=slug,
        day=found.plan.day,
        until=found.plan.until,
        steps=steps,
        due=found.plan.due,
        overdue=found.plan.overdue,
        exact=found.plan.exact,
        assets=found.assets,
        needing=found.needing,
        next_due=found.next_due,
        directive=found.directive,
        directive_version=found.version,
        standing=found.standing,
        redating=found.redating,
        issued_by=found.authority,
        notices=found.notices,
        old=found.old,
        before_listed=found.plan.before_listed,
        # As many as the page names; the list of assets has them all.
        support=None if found.support is None else replace(found.support, devices=found.support.pressing[:5]),
    )
