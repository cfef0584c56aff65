"""What is reported: an asset with its tags, and one flaw on it as of the report's day.

The tags are those that BOD 26-04 asks for in phase III: organisation and sub-organisation, environment, exposure,
asset type and every address, private ones (RFC 1918, RFC 4193) included.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct, structs

from ..decision import OUT_OF_SCOPE

Environment = Literal["production", "development", "unknown"]
Exposure = Literal["public", "internal", "unknown"]
# What the organisation says of one flaw on one asset. Only `fixed` and `not_affected` end the duty.
Status = Literal["open", "mitigated", "accepted", "fixed", "not_affected"]
State = Literal[
    "overdue",
    "due",
    "no_date",
    "remediated_late",
    "remediated",
    "not_affected",
    "out_of_scope",
]


class AssetTags(Struct, frozen=True, kw_only=True):
    """One asset. `id` is unique in its organisation and stays; `addresses` and `names` (DNS) as the asset carries them.

    `end_of_support` and `eos_listed` (on the issuer's list of end-of-support devices) matter for edge devices
    only; None: not known.
    """

    id: str
    name: str
    organisation: str
    sub_organisation: str = ""
    environment: Environment = "unknown"
    exposure: Exposure = "unknown"
    asset_type: str = ""
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    owner: str = ""
    edge_device: bool = False
    end_of_support: date | None = None
    eos_listed: bool | None = None
    decommissioned: date | None = None


class ReportRow(Struct, frozen=True, kw_only=True):
    """One flaw in one component of one asset, as it stood at the end of the report's day.

    `due`, `tier`, `basis`, `start` and `reasons` as in `directives.Tier`; `status_since` is the day of the status,
    `known_since` the day from which the organisation knew of it, where that is told (`detected` else),
    `remediated_at` the day the flaw was gone (by patch, decommissioning or another measure that removes it).
    """

    asset: AssetTags
    component: str
    flaw: str
    tier: str
    due: date | None = None
    start: date | None = None
    detected: date | None = None
    known_since: date | None = None
    kev_added: date | None = None
    forensic_triage: bool = False
    row: int | None = None
    basis: str = ""
    status: Status = "open"
    status_since: date | None = None
    status_reason: str = ""
    accepted_until: date | None = None
    remediated_at: date | None = None
    reasons: tuple[str, ...] = ()


def before_listed(row: ReportRow) -> bool:
    """Whether it was due before the organisation knew of it: nobody could have kept that date."""
    known = row.known_since or row.detected
    return row.due is not None and known is not None and row.due < known


def state_of(row: ReportRow, as_of: date) -> State:
    """Where one row stands at the end of `as_of`; an item due that day is not overdue yet.

    Accepting a risk and mitigating it leave the item open: BOD 26-04 knows no waiver, and a mitigation does not
    remove the flaw. A day of remediation after `as_of` is not known on `as_of`.
    """
    if row.tier == OUT_OF_SCOPE:
        return "out_of_scope"
    if row.status == "not_affected":
        return "not_affected"
    gone = row.remediated_at if row.status == "fixed" else None
    if gone is not None and gone <= as_of:
        return "remediated_late" if row.due is not None and gone > row.due else "remediated"
    if row.due is None:
        return "no_date"
    return "overdue" if row.due < as_of else "due"


def tags_on(asset: AssetTags, as_of: date) -> AssetTags:
    """The tags as they are known on `as_of`: an asset that goes later has not gone."""
    if asset.decommissioned is not None and asset.decommissioned > as_of:
        return structs.replace(asset, decommissioned=None)
    return asset
