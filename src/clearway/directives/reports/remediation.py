"""The remediation reports: the seven-day report, the two-week report and the list of what is overdue.

CISA has said that agencies report, and has not published a schema that we could follow; this one is our own
and declared: `schemas/directive-report-remediation.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from clearway.records.errors import InputError, TooLargeError, UsageError

from ..decision import OUT_OF_SCOPE
from ..directive import Directive
from .counts import Counts, count
from .period import Kind, Period, period_of
from .row import AssetTags, ReportRow, State, before_listed, state_of, tags_on

SCHEMA: Final = "urn:clearway:schema:directive-report-remediation:1"
MOST_ROWS = 1_000_000  # a report is held in memory: about 8 kB a row in all its forms
_PAST = ("remediated", "remediated_late", "not_affected")


class Under(Struct, frozen=True, kw_only=True):
    """The directive reported under, in the very version that was applied, with the options that were chosen."""

    id: str
    short: str
    issuer: str
    version: str
    policy: str
    retier: str


class Options(Struct, frozen=True, kw_only=True):
    """Whose report it is, and what was chosen. "" for `policy` and `retier` is the directive's default."""

    organisation: str
    organisation_name: str = ""
    policy: str = ""
    retier: str = ""


class Item(Struct, frozen=True, kw_only=True, rename={"table_row": "row"}):
    """One row of the document: `asset` is the id of one of the document's assets."""

    asset: str
    component: str
    flaw: str
    tier: str
    state: State
    due: date | None
    days_left: int | None  # negative: so many days overdue; None: no date, or no longer open
    start: date | None
    detected: date | None
    kev_added: date | None
    forensic_triage: bool
    table_row: int | None
    basis: str
    status: str
    status_since: date | None
    status_reason: str
    accepted_until: date | None
    remediated_at: date | None
    reasons: tuple[str, ...]
    before_listed: bool = False  # due before the organisation knew of it


class RemediationReport(Struct, frozen=True, kw_only=True):
    """One report. `counts` by tier and state are of the `items` listed, so that a reader can recount them."""

    schema: Literal["urn:clearway:schema:directive-report-remediation:1"] = SCHEMA
    report: Kind
    directive: Under
    organisation: str
    organisation_name: str
    as_of: date
    period: Period
    counts: Counts
    assets: tuple[AssetTags, ...]
    items: tuple[Item, ...]
    notes: tuple[str, ...] = field(default=())


def remediation_report(
    kind: Kind,
    directive: Directive,
    rows: Iterable[ReportRow],
    *,
    as_of: date,
    options: Options,
    assets: Iterable[AssetTags] = (),
) -> RemediationReport:
    """The report of that kind on `rows`, sorted; `assets` are those without a row that belong in it too.

    A seven-day and a two-week report list everything open, and what was remediated or found not affected within
    their days; the overdue list has what is overdue alone, the longest overdue first. Of a directive that was revoked
    by `as_of` a report has no items, and a note that says so: what was due until then is in one of an earlier day.

    Raises:
        UsageError: a kind that is no remediation report, or an option the directive does not have.
        InputError: two assets of one id that differ, two rows of one asset, component and flaw, or a fact
            dated after `as_of`: a report of a day holds what was known that day.
        TooLargeError: more than 1,000,000 rows.
    """
    if kind not in ("seven_day", "two_week", "overdue"):
        raise UsageError(f"{kind} is no remediation report", mend="one of: seven_day, two_week, overdue")
    period = period_of(kind, as_of)
    tagged: dict[str, AssetTags] = {}
    for asset in assets if kind != "overdue" else ():
        _add(tagged, tags_on(asset, as_of))
    items: list[Item] = []
    seen: set[tuple[str, str, str]] = set()
    ended = directive.ended(as_of)
    for n, row in enumerate(rows if ended is None else ()):
        if n >= MOST_ROWS:
            raise TooLargeError(f"more than {MOST_ROWS:,} rows", mend="report by sub-organisation")
        key = (row.asset.id, row.flaw, row.component)
        if key in seen:
            raise InputError(
                f"{row.flaw} in {row.component} twice", where=row.asset.id, mend="hand each in once"
            )
        seen.add(key)
        _not_later(row, as_of)
        state = state_of(row, as_of)
        if _belongs(kind, row, state, period):
            _add(tagged, tags_on(row.asset, as_of))
            items.append(_item(row, state, as_of))
    items.sort(key=_by_due if kind == "overdue" else _by_asset)
    tiers = [outcome.code for outcome in reversed(directive.outcomes)]
    if directive.scope.needs_cve:
        tiers.append(OUT_OF_SCOPE)
    notice = directive.notice(as_of)
    if ended is not None:
        notice += ": nothing is due under it; a report of the day before has what was due until then"
    return RemediationReport(
        report=kind,
        directive=Under(
            id=directive.id,
            short=directive.short,
            issuer=directive.issuer,
            version=directive.version,
            policy=directive.policy(options.policy).id,
            retier=directive.retier(options.retier),
        ),
        organisation=options.organisation,
        organisation_name=options.organisation_name or options.organisation,
        as_of=as_of,
        period=period,
        counts=count(((item.tier, item.state) for item in items), tiers),
        assets=tuple(tagged[id] for id in sorted(tagged)),
        items=tuple(items),
        notes=(notice,) if notice else (),
    )


def as_json(report: Struct) -> bytes:
    """A report document as JSON: two spaces, the fields' own order, one newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def read_report(data: bytes, place: str = "report") -> RemediationReport:
    """A remediation report from its JSON. Raises InputError naming `place`."""
    try:
        return msgspec.json.decode(data, type=RemediationReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not a remediation report: {error}", where=place) from error


def _add(tagged: dict[str, AssetTags], asset: AssetTags) -> None:
    if tagged.setdefault(asset.id, asset) != asset:
        raise InputError(
            f"asset {asset.id!r} comes with two sets of tags", where=asset.name, mend="hand in one"
        )


def _not_later(row: ReportRow, as_of: date) -> None:
    for what in ("detected", "kev_added", "start", "status_since", "remediated_at"):
        day = getattr(row, what)
        if day is not None and day > as_of:
            where = f"{row.asset.id}, {row.flaw}"
            raise InputError(
                f"{what} {day} is after {as_of}", where=where, mend="hand in what held on that day"
            )


def _belongs(kind: Kind, row: ReportRow, state: State, period: Period) -> bool:
    if kind == "overdue":
        return state == "overdue"
    if state not in _PAST:
        return True
    ended = row.remediated_at if row.status == "fixed" else row.status_since
    return ended is not None and period.first <= ended <= period.last


def _item(row: ReportRow, state: State, as_of: date) -> Item:
    open_ = row.due is not None and state in ("due", "overdue")
    return Item(
        asset=row.asset.id,
        component=row.component,
        flaw=row.flaw,
        tier=row.tier,
        state=state,
        due=row.due,
        days_left=(row.due - as_of).days if open_ and row.due is not None else None,
        start=row.start,
        detected=row.detected,
        kev_added=row.kev_added,
        forensic_triage=row.forensic_triage,
        table_row=row.row,
        basis=row.basis,
        status=row.status,
        status_since=row.status_since,
        status_reason=row.status_reason,
        accepted_until=row.accepted_until,
        remediated_at=row.remediated_at,
        reasons=row.reasons,
        before_listed=before_listed(row),
    )


def _by_asset(item: Item) -> tuple[str, str, str]:
    return (item.asset, item.flaw, item.component)


def _by_due(item: Item) -> tuple[date, str, str, str]:
    return (item.due or date.max, item.asset, item.flaw, item.component)
