"""Reports as CSV (RFC 4180, UTF-8, CRLF), safe to open in a spreadsheet.

A cell that a spreadsheet would run as a formula gets an apostrophe before it: asset names, components and reasons
come from outside.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date

from clearway.records.text import plain

from .remediation import Item, RemediationReport
from .row import AssetTags

# What starts a formula, in the widths that spreadsheets read as the same, and what they skip before looking.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20|%")
_ASSET = (
    "organisation", "sub_organisation", "asset", "asset_name", "asset_type", "environment", "exposure",
    "addresses", "names", "owner",
)  # fmt: skip
_ITEM = (
    "flaw", "component", "tier", "state", "due", "days_left", "start", "detected", "kev_added", "forensic_triage",
    "row", "basis", "status", "status_since", "status_reason", "accepted_until", "remediated_at", "reasons",
)  # fmt: skip
COLUMNS = ("directive", "directive_version", "policy", "retier", "report", "as_of", *_ASSET, *_ITEM)
_CELL = 32_000  # a spreadsheet cuts a cell at 32,767 characters


def cell(value: object) -> str:
    """One value as text that no spreadsheet runs: dates in ISO, None empty, sequences joined by "; "."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, date)):  # a negative number is a number
        return str(value)
    text = "; ".join(str(v) for v in value) if isinstance(value, (tuple, list)) else str(value)
    guarded = text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA
    text = plain(text, _CELL)
    return "'" + text if guarded else text


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV document: a line of headings, then the rows, each value through `cell`."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def remediation_csv(report: RemediationReport) -> bytes:
    """A remediation report, one line an item with its asset's tags; an asset without items has a line too."""
    under = report.directive
    head = (under.short, under.version, under.policy, under.retier, report.report, report.as_of)
    assets = {asset.id: _tags(asset) for asset in report.assets}
    named = {item.asset for item in report.items}
    blank = (None,) * len(_ITEM)
    rows: list[tuple[object, ...]] = [(*head, *assets[i.asset], *_values(i)) for i in report.items]
    rows += [(*head, *tags, *blank) for id, tags in assets.items() if id not in named]
    return table(COLUMNS, rows)


def _tags(asset: AssetTags) -> tuple[object, ...]:
    renamed = {"asset": "id", "asset_name": "name"}
    return tuple(getattr(asset, renamed.get(column, column)) for column in _ASSET)


def _values(item: Item) -> tuple[object, ...]:
    return tuple(getattr(item, "table_row" if column == "row" else column) for column in _ITEM)
