"""The cockpit for programs: what a directive is to one's organisation, and its figures over the fleet."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN
from clearway.http.openapi import READ, gives
from clearway.records.errors import ConfigError, TooLargeError

from .ahead import Ahead, ahead_of
from .api_parts import SlugParameter, named, named_org
from .kept import addresses
from .kept.who import acting_in, between, now
from .pages_cockpit import AT_MOST, is_redating, todos_then
from .pages_figures import DAYS, Figures, TierLine, figures
from .pages_parts import about, standing_of
from .reports.period import later
from .reports.provider import default_provider
from .reports.row import ReportRow

if TYPE_CHECKING:
    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from .kept.who import Org
    from .pages_parts import About
    from .reports.provider import Provider


class Cockpit(Struct, frozen=True, kw_only=True):
    """One directive for one organisation at the end of `as_of`.

    `days`, with the open and the overdue items of each, are those of the plot; `urgent` the earliest dates, `forensic`
    what is open and to be triaged. `redating`: dates are being counted anew by another version. Without a fleet or a
    table there is nothing to count, and all figures are empty; so they are from the day `revoked` on, from which
    nothing is due under the directive: a report of the day before has what was. `counts`: false also where the figures
    are those that `version` would give, because it waits to be taken note of or is not addressed to the organisation.

    While no version stands and one is to come, nothing is due either: `begins` is the day from which it is in effect,
    and `ahead` has what would be due then. Of a directive of which that is the first, `version` and `standing` are
    those of that day.
    """

    organisation: str
    directive: str
    version: str
    standing: str
    as_of: date
    tiers: tuple[TierLine, ...] = ()
    days: tuple[date, ...] = ()
    open: tuple[int, ...] = ()
    late: tuple[int, ...] = ()
    urgent: tuple[ReportRow, ...] = ()
    forensic: tuple[ReportRow, ...] = ()
    out_of_scope: int = 0
    redating: bool = False
    revoked: date | None = None
    counts: bool = False
    begins: date | None = None
    ahead: Ahead | None = None


def handlers(provider: Provider | None = None) -> list[HTTPRouteHandler]:
    """The routes of this file; rows come from `provider`, by default the kept fleet."""

    @get(
        "/cockpit/{directive:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Due and overdue by tier, and the days behind",
        responses=gives(Cockpit, *READ, 413),
    )
    def cockpit(
        request: Request[Any, Any, Any], directive: FromPath[str], organisation: SlugParameter = ""
    ) -> Response[bytes]:
        """Of one of one's own organisations, today. 413 for a fleet that a report is to be asked for instead."""
        with reading(request) as (db, me, note):
            org = acting_in(db, me, named_org(request, organisation), "read")
            day = now(db).date()
            found = about(db, org, named(directive), day)
            shown = _figures(db, provider, org, found, day)
            ahead = ahead_of(db, provider, org, found, AT_MOST)
            todos = todos_then(db, org, found, addresses.addressed_to(db, org.org, day))
            redating = is_redating(db, org.org)
            question = urlencode({"organisation": org.slug, "directive": found.id})
            note.counted(
                "cockpit", question, [between(db, org.org)] * (shown is not None or ahead is not None)
            )
        said = Cockpit(
            organisation=org.slug,
            directive=found.id,
            version=found.version,
            standing=standing_of(org, found.id, todos),
            as_of=day,
            redating=redating,
            revoked=found.ended,
            counts=found.counts,
            begins=found.begins,
            ahead=ahead,
        )
        if shown is not None:
            told = msgspec.structs.asdict(shown)
            del told["patched"]  # for the page, which knows of workbooks
            said = msgspec.structs.replace(said, **told)
        return etag.response(request, msgspec.json.encode(said), me)

    return [cockpit]


def _figures(
    db: psycopg.Connection[Any], provider: Provider | None, org: Org, found: About, day: date
) -> Figures | None:
    """The figures; None where no table stands, or no fleet is kept. Raises TooLargeError."""
    if found.table is None or found.ended is not None:
        return None
    try:
        source = provider or default_provider()
    except ConfigError:  # this installation keeps no fleet
        return None
    rows = source.rows(db, org.org, found.table, day, since=later(day, 1 - DAYS))
    shown = figures(rows, found.table, day, AT_MOST)
    if shown is None:
        raise TooLargeError(
            f"more than {AT_MOST:,} items", where=found.id, mend="ask for a report, which has them all"
        )
    return shown
