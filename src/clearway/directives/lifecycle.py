"""End-of-support edge devices (BOD 26-02): in which bucket a device is, and what is due of it by when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal, get_args

from msgspec import Struct

from clearway.records.errors import InputError

from .clock import add_months
from .duties import Bucket, Deadline, Duties
from .reports.as_csv import table
from .reports.row import AssetTags, tags_on

SCHEMA: Final = "urn:clearway:schema:directive-report-lifecycle:1"
DeviceState = Literal["overdue", "due", "decommissioned"]


class DeviceDuty(Struct, frozen=True, kw_only=True):
    """One thing due of one device."""

    deadline: str
    act: str
    due: date
    state: DeviceState


class Device(Struct, frozen=True, kw_only=True):
    """One edge device. `listed` None: nobody has looked it up on the issuer's list."""

    asset: AssetTags
    bucket: Bucket
    end_of_support: date | None
    listed: bool | None
    duties: tuple[DeviceDuty, ...]
    reasons: tuple[str, ...]


class DeadlineDay(Struct, frozen=True, kw_only=True):
    """A deadline with its day."""

    id: str
    months: int
    due: date
    what: str


class LifecycleReport(Struct, frozen=True, kw_only=True):
    """All edge devices of an organisation on one day. `counts` by bucket are of the devices listed."""

    schema: Literal["urn:clearway:schema:directive-report-lifecycle:1"] = SCHEMA
    report: Literal["lifecycle"] = "lifecycle"
    directive: str
    short: str
    version: str
    organisation: str
    organisation_name: str
    as_of: date
    deadlines: tuple[DeadlineDay, ...]
    counts: dict[str, int]
    devices: tuple[Device, ...]


def bucket_of(end_of_support: date | None, as_of: date) -> Bucket:
    """Where a device stands on `as_of`: support that ends that day has ended; twelve months include their last day."""
    if end_of_support is None:
        return "unknown"
    if end_of_support <= as_of:
        return "ended"
    return "within_12_months" if end_of_support <= add_months(as_of, 12) else "later"


def lifecycle_report(
    rule: Duties,
    assets: Iterable[AssetTags],
    *,
    as_of: date,
    organisation: str,
    organisation_name: str = "",
) -> LifecycleReport:
    """The report on the edge devices among `assets`, sorted by id; other assets are left out.

    Raises InputError for two devices of one id, and where `rule` has no lifecycle.
    """
    if not rule.lifecycle:
        raise InputError(
            "has no lifecycle deadlines", where=rule.directive, mend="name a lifecycle directive"
        )
    found: dict[str, Device] = {}
    for asset in assets:
        if not asset.edge_device:
            continue
        if asset.id in found:
            raise InputError(f"asset {asset.id!r} twice", where=asset.name, mend="hand each in once")
        found[asset.id] = device(rule, tags_on(asset, as_of), as_of)
    devices = tuple(found[id] for id in sorted(found))
    buckets = get_args(Bucket)
    return LifecycleReport(
        directive=rule.directive,
        short=rule.short,
        version=rule.version,
        organisation=organisation,
        organisation_name=organisation_name or organisation,
        as_of=as_of,
        deadlines=tuple(
            DeadlineDay(id=d.id, months=d.months, due=rule.deadline_day(d), what=d.what)
            for d in rule.lifecycle
        ),
        counts={b: sum(1 for d in devices if d.bucket == b) for b in buckets},
        devices=devices,
    )


def device(rule: Duties, asset: AssetTags, as_of: date) -> Device:
    """What is due of one device. One of which nobody knows whether it is listed gets the duties of a listed one."""
    bucket = bucket_of(asset.end_of_support, as_of)
    gone = asset.decommissioned is not None and asset.decommissioned <= as_of
    duties = tuple(
        _duty(rule, deadline, asset, as_of, gone)
        for deadline in rule.lifecycle
        if bucket in deadline.buckets and deadline.listed in (None, asset.eos_listed is not False)
    )
    return Device(
        asset=asset,
        bucket=bucket,
        end_of_support=asset.end_of_support,
        listed=asset.eos_listed,
        duties=duties,
        reasons=_reasons(asset, bucket),
    )


def _duty(rule: Duties, deadline: Deadline, asset: AssetTags, as_of: date, gone: bool) -> DeviceDuty:
    due = rule.deadline_day(deadline)
    if deadline.by_end_of_support and asset.end_of_support is not None:
        due = max(due, asset.end_of_support)
    # An inventory duty is met by the device being in this report.
    missed = due < as_of and deadline.act == "decommission"
    state: DeviceState = "decommissioned" if gone else "overdue" if missed else "due"
    return DeviceDuty(deadline=deadline.id, act=deadline.act, due=due, state=state)


def _reasons(asset: AssetTags, bucket: Bucket) -> tuple[str, ...]:
    said = {
        "unknown": "the end of its support is not known: ask the vendor",
        "ended": f"support ended {asset.end_of_support}",
        "within_12_months": f"support ends {asset.end_of_support}, within twelve months",
        "later": f"support ends {asset.end_of_support}",
    }[bucket]
    listed = {
        None: "nobody has looked it up on the list: taken as listed",
        True: "on the list of end-of-support devices",
        False: "not on the list of end-of-support devices",
    }[asset.eos_listed]
    gone = (f"decommissioned {asset.decommissioned}",) if asset.decommissioned is not None else ()
    return (said, listed, *gone)


def lifecycle_csv(report: LifecycleReport) -> bytes:
    """The report as CSV, one line a device and duty."""
    columns = (
        "directive", "as_of", "organisation", "sub_organisation", "asset", "asset_name", "asset_type",
        "bucket", "end_of_support", "listed", "deadline", "act", "due", "state", "reasons",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for found in report.devices:
        tags = found.asset
        head: tuple[object, ...] = (report.short, report.as_of, tags.organisation, tags.sub_organisation)
        head = (*head, tags.id, tags.name, tags.asset_type, found.bucket, found.end_of_support, found.listed)
        rows += [
            (*head, duty.deadline, duty.act, duty.due, duty.state, found.reasons) for duty in found.duties
        ] or [(*head, None, None, None, None, found.reasons)]
    return table(columns, rows)
