"""Reports as CSV (RFC 4180, UTF-8, CRLF), safe to open in a spreadsheet: asset names and reasons come from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearway.http import csv_out
from clearway.records.text import plain

from .remediation import Item, RemediationReport
from .row import AssetTags

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
    """One value as `http.csv_out` writes it, text on one line and without characters that can't be shown."""
    return csv_out.cell(_text(value))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV document: a line of headings, then the rows, each value through `cell`."""
    return csv_out.table(columns, ([_text(value) for value in row] for row in rows))


def _text(value: object) -> object:
    if isinstance(value, (tuple, list)):
        return plain(" | ".join(str(one) for one in value), _CELL)
    return plain(value, _CELL) if isinstance(value, str) else value


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
