"""The list of exposures for programs: JSON page by page, or CSV, at `/api/v1/exposures` and beside the page."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http import csv_out, etag, whole
from clearway.http.cursor import sealer
from clearway.records.errors import BusyError
from clearway.store.labels import labels as labels_of

from . import called, flawview, listing, page_asked, tiers
from .page_common import pairs_of, table_or_none, today
from .page_quick import quick

if TYPE_CHECKING:
    import psycopg
    from litestar import Request, Response

    from clearway.http.cursor import Sealer
    from clearway.records.principal import Principal

    from .page_asked import Asked

API_LIMIT = 200
PATIENCE_MS = 8_000  # of each statement of a list


class ExposureItem(Struct, frozen=True, kw_only=True):
    """One flaw in one component of one asset. `organisation` is a slug, "" for one that the reader is not in.

    `revision` counts its changes: an act on many can be held to it.
    """

    id: int
    organisation: str
    asset: int
    asset_name: str
    environment: str
    exposure: str
    kind: str
    flaw: str
    component: str
    ecosystem: str
    name: str
    vendor: str
    version: str
    verdict: str
    status: str
    until: date | None
    detected: date
    due: date | None
    tier: str
    row: int | None
    directive: str
    rule_basis: str
    forensic_triage: bool
    basis: str
    fixed: tuple[str, ...]
    fixed_prerelease: bool
    records: tuple[str, ...]
    severity: float | None
    epss: float | None
    kev: date | None
    first_seen: datetime
    gone: datetime | None
    tlp: str
    revision: int


def item(line: listing.ExposureLine, me: Principal, tlp: str) -> ExposureItem:
    """A line as the API tells it."""
    return ExposureItem(
        id=line.exposure,
        organisation=next((m.slug for m in me.memberships if m.org == line.org), ""),
        asset=line.asset,
        asset_name=line.asset_name,
        environment=line.environment,
        exposure=line.asset_exposure,
        kind=line.kind,
        flaw=line.flaw,
        component=line.purl or f"{line.ecosystem}:{line.name}@{line.version}",
        ecosystem=line.ecosystem,
        name=line.name,
        vendor=line.vendor,
        version=line.version,
        verdict=line.verdict,
        status=line.status,
        until=line.until,
        detected=line.detected,
        due=line.due,
        tier=line.tier,
        row=line.row,
        directive=line.directive,
        rule_basis=line.rule_basis,
        forensic_triage=line.forensic,
        basis=line.basis,
        fixed=line.fixed,
        fixed_prerelease=line.fixed_prerelease,
        records=line.records,
        severity=line.severity,
        epss=line.epss,
        kev=line.kev,
        first_seen=line.first_seen,
        gone=line.gone,
        tlp=tlp,
        revision=line.version_tag,
    )


def items(
    db: psycopg.Connection[Any], me: Principal, lines: tuple[listing.ExposureLine, ...]
) -> tuple[ExposureItem, ...]:
    """Lines with their markings."""
    labels = labels_of(db, (line.aud for line in lines))
    return tuple(item(line, me, labels[line.aud]) for line in lines)


def page(
    db: psycopg.Connection[Any], me: Principal, asked: Asked, seal: Sealer
) -> tuple[tuple[listing.ExposureLine, ...], str]:
    """The lines asked for, and the cursor of the next page, "" on the last.

    Raises:
        CursorError: the cursor is not for this list or reader.
        BusyError: some filters together take longer than anybody would wait.
    """
    found = quick(db, partial(_page, db, me, asked, seal), PATIENCE_MS)
    if found is None:
        raise BusyError(
            "these filters together take too long in this order",
            mend="leave one of them out, or choose another order",
        )
    return found


def _page(
    db: psycopg.Connection[Any], me: Principal, asked: Asked, seal: Sealer
) -> tuple[tuple[listing.ExposureLine, ...], str]:
    after = asked.after(seal, me)
    lines: list[listing.ExposureLine] = []
    while True:
        least = min(asked.limit - len(lines), listing.MOST)
        found = listing.page(db, asked.wanted, asked.sort, after, least)
        lines += found.lines
        after = None if found.after is None else [*found.after]
        if after is None or len(lines) >= asked.limit or not found.lines:
            break
    return tuple(lines), "" if after is None else seal.seal(after, asked.bound(me))


def answer(request: Request[Any, Any, Any], *, of_page: bool) -> Response[Any]:
    """The list as JSON, or as CSV when the path ends so; whole, at a page's address."""
    csv = request.url.path.endswith(".csv")
    most = page_asked.CSV_LIMIT if csv else API_LIMIT
    pairs = pairs_of(request)
    wanted = whole.is_asked(request)
    if csv and not any(name == "limit" for name, _ in pairs):
        pairs.append(("limit", str(whole.STEP_ROWS if wanted else most)))
    day = today()  # of all steps of a file

    def read(
        pairs: list[tuple[str, str]], *, later: bool = False
    ) -> tuple[tuple[ExposureItem, ...], str, Principal, whole.Place | None]:
        with reading(request) as (db, me, note):
            leads = flawview.led(table_or_none(request))
            asked = page_asked.asked(
                pairs,
                me,
                day,
                most=most,
                of_page=of_page,
                leads=leads,
                called=called.led(db),
                tiers=partial(tiers.known, db),
            )
            lines, following = page(db, me, asked, sealer(request))
            shown = items(db, me, lines)
            taken = whole.place(me.person) if wanted and following and not later else None
            note.listed("exposures", urlencode(pairs), (line.aud for line in lines))
            if later:
                whole.check_still(db, me)
        return shown, following, me, taken

    def step(cursor: str) -> tuple[bytes, str]:
        shown, following, _, _ = read([*pairs, ("cursor", cursor)], later=True)
        return csv_out.of_records(ExposureItem, shown, header=False), following

    shown, following, me, taken = read(pairs)
    if taken is not None:
        return whole.answer(csv_out.of_records(ExposureItem, shown), following, step, "exposures", taken)
    headers = {}
    link = ""
    if following:
        kept = [p for p in pairs if p[0] != "cursor"]
        link = f"{request.url.path}?{urlencode([*kept, ('cursor', following)])}"
        headers["link"] = f'<{link}>; rel="next"'
    if csv:
        part = "-part" if following or any(name == "cursor" for name, _ in pairs) else ""
        headers["content-disposition"] = f'attachment; filename="exposures{part}.csv"'
        body = csv_out.of_records(ExposureItem, shown)
        return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)
    body = msgspec.json.encode({"items": shown, "next": link or None})
    return etag.response(request, body, me, headers=headers)
