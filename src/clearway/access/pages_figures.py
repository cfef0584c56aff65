"""*Figures*: how much stands open across all fleets, for everybody; what would tell of single ones is hidden."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from msgspec import Struct

from clearway.http import csv_out, etag
from clearway.http.acting import acting
from clearway.http.guard import PUBLIC
from clearway.http.pages import page, plot

from . import figures
from .figures import Figure, State
from .pages_parts import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.handlers import HTTPRouteHandler

_R = Request[Any, Any, Any]
STATES: dict[State, str] = {
    "overdue": "overdue",
    "due": "due later",
    "undated": "without a date",
    "handled": "mitigated, fixed, accepted or not affected",
}
KINDS = ((True, "attackers use"), (False, "nobody is known to use"))


class Line(Struct, frozen=True, kw_only=True):
    """One state on the newest day: exposures to flaws in KEV, and to others; None is hidden."""

    label: str
    listed: int | None
    other: int | None


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/figures", opt=PUBLIC, **PAGE)
    def shown(request: _R) -> Response[bytes]:
        """The newest day as a table, and the days behind as a plot."""
        with acting(request) as (db, _):
            found = figures.listed(db)
        return page(
            request,
            "access/figures.html",
            day=found[0].day if found else None,
            lines=newest(found),
            drawn=drawn(found),
        )

    @get(["/figures.json", "/figures.csv"], opt=PUBLIC, **PAGE)
    def told(request: _R) -> Response[bytes]:
        """All that is shown, as a file."""
        with acting(request) as (db, me):
            found = figures.listed(db)
        if request.url.path.endswith(".csv"):
            names = Figure.__struct_fields__
            body = csv_out.table(names, ([getattr(one, name) for name in names] for one in found))
            headers = {"content-disposition": 'attachment; filename="figures.csv"'}
            return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)
        return etag.response(request, msgspec.json.encode({"items": found, "next": None}), me)

    return [shown, told]


def newest(found: Sequence[Figure]) -> tuple[Line, ...]:
    """The figures of the newest day, a line a state; none where nothing was counted. Pure."""
    if not found:
        return ()
    day = found[0].day
    of = {(one.kev, one.state): one.n for one in found if one.day == day}
    return tuple(
        Line(label=label, listed=of.get((True, state)), other=of.get((False, state)))
        for state, label in STATES.items()
    )


def drawn(found: Sequence[Figure]) -> plot.Drawn | None:
    """What is overdue, over the days on which that is shown; None for fewer than two such days. Pure."""
    by_day: dict[date, dict[bool, int]] = {}
    for one in found:
        if one.state == "overdue" and one.n is not None:
            by_day.setdefault(one.day, {})[one.kev] = one.n
    for wanted in ((True, False), (True,), (False,)):
        days = sorted(day for day, of in by_day.items() if all(kev in of for kev in wanted))
        if len(days) > 1:
            series = {
                f"flaws that {words}": [by_day[d][kev] for d in days] for kev, words in KINDS if kev in wanted
            }
            return plot.lines("Overdue across all fleets, in tens", days, series, steps=True)
    return None
