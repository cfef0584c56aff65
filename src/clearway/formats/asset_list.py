"""Lists of assets as CSV: who owns them, where they run, who can reach them, whether they are at the edge, and until
when they are supported."""

from __future__ import annotations

from clearway.records.errors import InputError
from clearway.records.fleet_input import FleetInput, Witness

from . import _when
from ._assets import Assets, edge_of, exposure_of
from ._fields import one_line
from ._tables import Row, find_header, head_of, read_table
from .scanner_csv import HEADINGS as _SCANNER
from .scanner_csv import Apart, asset_name, asset_of, describe, refuse_long, told_apart

_ASSET_COLUMNS = (
    "asset", "hostname", "fqdn", "ip", "ip6", "mac", "serial", "cloud_id", "tool_id", "digest", "os", "environment",
    "owner", "exposure",
)  # fmt: skip
HEADINGS: dict[str, tuple[str, ...]] = {
    **{column: _SCANNER[column] for column in _ASSET_COLUMNS},
    "asset": (*_SCANNER["asset"], "name"),
    "type": (*_SCANNER["type"], "type", "kind", "category"),
    "end_of_support": ("end of support", "end of support date", "end of life", "eol", "eos", "eol date", "eos date",
                       "support ends", "supported until", "end of life date"),
    "edge": ("edge", "edge device", "is edge device", "network edge"),
    "exposure_since": ("exposed since", "exposure since", "public since", "internet facing since"),
    "exposure_by": ("exposure by", "exposure stated by", "exposure source"),
    "seen": ("seen", "last seen", "as of", "updated"),
}  # fmt: skip
_COLUMNS = {title: column for column, titles in HEADINGS.items() for title in titles}
_NAMING = frozenset(("asset", "hostname", "fqdn", "ip", "ip6", "cloud_id", "digest", "serial"))
_TELLING = frozenset(("owner", "environment", "type", "exposure", "end_of_support", "edge"))
_DATES = ("end_of_support", "exposure_since", "seen")


def is_asset_list(data: bytes) -> bool:
    """Whether a row near the top names assets, and who owns them, where they run, or until when they last."""
    head = head_of(data)
    return bool(head) and find_header(head, _is_header) is not None


def _is_header(titles: list[str]) -> bool:
    columns = {_COLUMNS.get(title, "") for title in titles}
    if any("cve" in title.split() for title in titles):
        return (
            False  # an export of detections whose headings are not known must not pass for a list of assets
        )
    return bool(columns & _NAMING) and bool(columns & _TELLING)


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each row; rows of one name are one asset. A row with a bad date or exposure is set aside.

    Raises:
        InputError: no header, or not text; TooLargeError: over a bound of `_tables`.
    """
    table = read_table(data, place, lambda title: _COLUMNS.get(title, ""), _is_header)
    rows = list(table.rows)
    order = _when.order_of(row.get(column) for row in rows for column in _DATES)
    found = Assets("asset-list", Witness(), kind="")
    by = f"the column `exposure` of {one_line(place, 200)}"
    apart = told_apart(rows)
    for row in rows:
        try:
            _row(row, order, by, apart, found)
        except InputError as e:
            found.refuse(f"line {row.line}", e)
    for at, reason in table.refused:
        found.refuse(at, reason)
    return found.finish()


def _row(row: Row, order: _when.Order, by: str, apart: Apart, found: Assets) -> None:
    ends = _when.day(row.get("end_of_support"), "end_of_support", order)
    since = _when.day(row.get("exposure_since"), "exposure_since", order)
    seen = _when.moment(row.get("seen"), "seen", order)
    exposure = exposure_of(row.get("exposure"))
    edge = edge_of(row.get("edge"))
    name = asset_name(row)
    if not name:
        raise InputError("names no asset", mend="fill in a name, an address or an id of the asset")
    refuse_long(name)
    asset = asset_of(row, name, apart, found)
    describe(asset, row, exposure, one_line(row.get("exposure_by")) or by)
    asset.state("end_of_support", ends)
    asset.state("edge", edge)
    asset.state("exposure_since", since)
    if seen:
        asset.seen.add(seen)
