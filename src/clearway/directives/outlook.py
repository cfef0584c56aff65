"""What a lifecycle directive asks next of edge devices: which are past their support or near its end, and by when.

Pure, made of the devices of its report (`lifecycle`). That a device is to be inventoried is met by its being here, so
what counts is by when it is to be gone or replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from .lifecycle import bucket_of, device
from .reports.row import AssetTags, tags_on

if TYPE_CHECKING:
    from .duties import Bucket, Duties

_ORDER: tuple[Bucket, ...] = ("ended", "within_12_months", "unknown", "later")


class DeviceLine(Struct, frozen=True, kw_only=True):
    """One device that is still there: how its support stands, and what is due next of it. `asset` is its id.

    `listed` None: nobody has looked it up on the issuer's list, and it is taken as listed. `due` None: nothing is.
    """

    asset: str
    name: str
    bucket: str
    end_of_support: date | None
    listed: bool | None
    due: date | None
    what: str
    overdue: bool


class Outlook(Struct, frozen=True, kw_only=True):
    """The devices of an organisation on a day. `devices`: what is overdue or due first comes first.

    `ended`, `near` (within twelve months) and `unknown` count by the end of support, `total` all that are there.
    """

    directive: str
    short: str
    issuer: str
    as_of: date
    total: int
    ended: int
    near: int
    unknown: int
    overdue: int
    next_due: date | None  # of those past their support
    devices: tuple[DeviceLine, ...]

    @property
    def pressing(self) -> tuple[DeviceLine, ...]:
        """Those past their support, near its end, or of which nobody knows."""
        return tuple(d for d in self.devices if d.bucket != "later")


def outlook(rule: Duties, assets: Iterable[AssetTags], as_of: date) -> Outlook:
    """The outlook of the edge devices among `assets` that are not decommissioned on `as_of`."""
    lines = sorted(
        (
            _line(rule, tags_on(a, as_of), as_of)
            for a in assets
            if a.edge_device and (a.decommissioned is None or a.decommissioned > as_of)
        ),
        key=lambda d: (
            _ORDER.index(d.bucket),
            d.due or date.max,
            d.end_of_support or date.max,
            d.name,
            d.asset,
        ),
    )
    by = {bucket: [d for d in lines if d.bucket == bucket] for bucket in _ORDER}
    return Outlook(
        directive=rule.directive,
        short=rule.short,
        issuer=rule.issuer,
        as_of=as_of,
        total=len(lines),
        ended=len(by["ended"]),
        near=len(by["within_12_months"]),
        unknown=len(by["unknown"]),
        overdue=sum(d.overdue for d in lines),
        next_due=min((d.due for d in by["ended"] if d.due is not None), default=None),
        devices=tuple(lines),
    )


def support_words(end_of_support: date, as_of: date) -> str:
    """How its support stands in a few words, such as "support ended 30 Sep 2026"."""
    verb = "ended" if bucket_of(end_of_support, as_of) == "ended" else "ends"
    return f"support {verb} {end_of_support.day} {end_of_support:%b %Y}"


def _line(rule: Duties, asset: AssetTags, as_of: date) -> DeviceLine:
    found = device(rule, asset, as_of)
    what = {d.id: d.what for d in rule.lifecycle}
    first = min((d for d in found.duties if d.act != "inventory"), key=lambda d: d.due, default=None)
    return DeviceLine(
        asset=asset.id,
        name=asset.name,
        bucket=found.bucket,
        end_of_support=asset.end_of_support,
        listed=asset.eos_listed,
        due=None if first is None else first.due,
        what="" if first is None else what[first.deadline],
        overdue=first is not None and first.state == "overdue",
    )
