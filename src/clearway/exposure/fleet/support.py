"""Edge devices by the end of their support, as the pages of a fleet show them (BOD 26-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.directives.duties import duties
from clearway.directives.lifecycle import bucket_of
from clearway.directives.outlook import Outlook, outlook, support_words
from clearway.directives.reports.row import AssetTags

if TYPE_CHECKING:
    from datetime import date

    import psycopg

    from .asset import Asset

RULE = "bod-26-02"
_MOST = 20_000  # devices that are looked through
# The words of the list's filter, by `directives.lifecycle.bucket_of`.
BUCKETS = {
    "ended": "Has ended",
    "within_12_months": "Ends within twelve months",
    "later": "Ends later",
    "unknown": "Not known",
}


def support_chip(end: date | None, day: date) -> tuple[str, str] | None:
    """A chip's words and colour for a support that has ended or ends within twelve months; None for any other."""
    bucket = bucket_of(end, day)
    if end is None or bucket not in ("ended", "within_12_months"):
        return None
    return support_words(end, day), "overdue" if bucket == "ended" else "soon"


def of_fleet(db: psycopg.Connection[Any], org: int | None, day: date) -> Outlook:
    """What is due of the edge devices that the caller sees, of one organisation or of all of the reader's."""
    rows = db.execute(
        """select a.asset, a.name, o.slug, a.end_of_support, a.eos_listed, a.decommissioned
        from clearway.asset a join clearway.organisation o on o.org = a.org
        where a.edge and (%(org)s::int is null or a.org = %(org)s)
            and (a.decommissioned is null or a.decommissioned > %(day)s) order by a.asset limit %(most)s""",
        {"org": org, "day": day, "most": _MOST},
    )
    return outlook(duties(RULE), (_tags(*row) for row in rows), day)


def of_asset(asset: Asset, day: date) -> Outlook:
    """The same of one asset; empty where it is no edge device."""
    d = asset.details
    if not d.edge:
        return outlook(duties(RULE), (), day)
    tags = _tags(asset.asset, asset.name, "", d.end_of_support, d.eos_listed, d.decommissioned)
    return outlook(duties(RULE), (tags,), day)


def _tags(
    asset: int, name: str, organisation: str, ends: date | None, listed: bool | None, gone: date | None
) -> AssetTags:
    return AssetTags(
        id=f"asset/{asset}",
        name=name,
        organisation=organisation,
        edge_device=True,
        end_of_support=ends,
        eos_listed=listed,
        decommissioned=gone,
    )
