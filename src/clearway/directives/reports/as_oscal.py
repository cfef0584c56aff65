"""A remediation report as OSCAL assessment results.

An asset is an inventory item, an item of the report an observation and a risk with its deadline, and all of them
together one finding on SI-2 (flaw remediation, NIST SP 800-53 revision 5): satisfied when nothing is overdue and
nothing was remediated late.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from clearway.records.errors import ConfigError, InputError
from clearway.records.text import plain

from ..oscal import (
    LONGEST,
    OSCAL_VERSION,
    Finding,
    FindingTarget,
    InventoryItem,
    LocalDefinitions,
    Observation,
    ObservationId,
    Property,
    Result,
    Risk,
    RiskId,
    Subject,
    TargetStatus,
    document,
    line,
    name_uuid,
    props,
    reviewed,
)
from .counts import total
from .remediation import Item, RemediationReport
from .row import AssetTags

CONTROL = "si-2"
STATEMENT = "si-2_smt.c"  # "install security-relevant software and firmware updates within [the time]"
_OPEN = ("overdue", "due", "no_date")


def remediation_oscal(report: RemediationReport) -> bytes:
    """The report as the bytes of an OSCAL 1.2.1 JSON document; the same report gives the same bytes."""
    under = report.directive
    key = (under.id, under.version, report.report, report.organisation, report.as_of.isoformat())
    inside = name_uuid("report", *key)
    items = {asset.id: name_uuid("asset", inside, asset.id) for asset in report.assets}
    collected = _start(report.as_of)
    observations, risks = [], []
    for item in report.items:
        seen = name_uuid("observation", inside, item.asset, item.flaw, item.component)
        observations.append(_observation(item, seen, items[item.asset], collected))
        if item.state in _OPEN or item.state.startswith("remediated"):
            risks.append(_risk(item, name_uuid("risk", inside, item.asset, item.flaw, item.component), seen))
    result = Result(
        uuid=name_uuid("result", inside),
        title=f"{under.short}: {report.report.replace('_', '-')} report",
        description=f"Flaws of the organisation's assets as of {report.as_of} under {under.issuer} {under.short}.",
        start=_start(report.period.first),
        end=_end(report.period.last),
        props=props({"policy": under.policy, "retier": under.retier, "directive-version": under.version}),
        local_definitions=LocalDefinitions(
            inventory_items=tuple(_inventory_item(asset, items[asset.id]) for asset in report.assets)
        )
        if report.assets
        else None,
        reviewed_controls=reviewed(CONTROL),
        observations=tuple(observations),
        risks=tuple(risks),
        findings=(_finding(report, inside, observations, risks),),
    )
    return document(
        inside,
        result,
        title=f"{line(report.organisation_name)}: {under.short} as of {report.as_of}",
        at=collected,
        version=report.as_of.isoformat(),
        organisation=report.organisation,
        name=report.organisation_name,
        plan=f"urn:clearway:directive:{under.id}:{under.version}",
    )


def validate(data: bytes) -> None:
    """Holds an OSCAL document to the model of `compliance-trestle` (extra `clearway[oscal]`).

    Raises ConfigError where the extra is not installed, InputError for a document that does not fit.
    """
    try:
        from trestle.oscal.assessment_results import Model  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ConfigError("compliance-trestle is not installed", mend="install clearway[oscal]") from error
    try:
        Model.model_validate_json(data)
    except (ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        raise InputError(f"not OSCAL {OSCAL_VERSION}: {plain(str(error))}", where="oscal") from error


def _finding(report: RemediationReport, inside: str, seen: list[Observation], risks: list[Risk]) -> Finding:
    sums = total(report.counts)
    missed = sums["overdue"] + sums["remediated_late"]
    return Finding(
        uuid=name_uuid("finding", inside),
        title=f"Flaw remediation within the times of {report.directive.short}",
        description=f"{sums['overdue']} overdue, {sums['remediated_late']} remediated late, {sums['due']} due, "
        f"{sums['remediated']} remediated in time, {sums['no_date']} without a date.",
        target=FindingTarget(
            type="statement-id",
            target_id=STATEMENT,
            status=TargetStatus(
                state="not-satisfied" if missed else "satisfied", reason="fail" if missed else "pass"
            ),
        ),
        props=props({state.replace("_", "-"): str(n) for state, n in sums.items()}),
        related_observations=tuple(ObservationId(observation_uuid=each.uuid) for each in seen),
        related_risks=tuple(RiskId(risk_uuid=each.uuid) for each in risks),
    )


def _inventory_item(asset: AssetTags, uuid: str) -> InventoryItem:
    own = {
        "organisation": asset.organisation,
        "sub-organisation": asset.sub_organisation,
        "environment": asset.environment,
        "exposure": asset.exposure,
        "owner": asset.owner,
    }
    said = [Property(name="asset-id", value=line(asset.id))]
    if line(asset.asset_type):
        said.append(Property(name="asset-type", value=line(asset.asset_type)))
    for address in asset.addresses:
        kind = "ipv6-address" if ":" in address else "ipv4-address"
        said.append(Property(name=kind, value=line(address)))
    said += [Property(name="fqdn", value=line(name)) for name in asset.names]
    return InventoryItem(
        uuid=uuid,
        description=line(asset.name),
        props=tuple(prop for prop in (*said, *props(own)) if prop.value != "-"),
    )


def _observation(item: Item, uuid: str, subject: str, collected: datetime) -> Observation:
    facts = {
        "state": item.state.replace("_", "-"),
        "tier": item.tier,
        "row": "" if item.table_row is None else str(item.table_row),
        "basis": item.basis,
        "status": item.status,
        "detected": _iso(item.detected),
        "kev-added": _iso(item.kev_added),
        "remediated": _iso(item.remediated_at),
        "forensic-triage": "yes" if item.forensic_triage else "no",
    }
    return Observation(
        uuid=uuid,
        title=line(f"{item.flaw} in {item.component}"),
        description=plain("; ".join(item.reasons), LONGEST) or "no reasons are given",
        methods=("TEST",),
        types=("finding",),
        collected=collected,
        subjects=(Subject(subject_uuid=subject, type="inventory-item"),),
        props=props(facts),
    )


def _risk(item: Item, uuid: str, seen: str) -> Risk:
    gone = item.state.startswith("remediated")
    return Risk(
        uuid=uuid,
        title=line(f"{item.flaw} in {item.component}"),
        description=line(f"{item.flaw} on asset {item.asset}"),
        statement=f"Tier {item.tier}"
        + (f", due {item.due}" if item.due is not None else ", without a due date"),
        status="closed" if gone else "open",
        deadline=_end(item.due) if item.due is not None else None,
        props=props({"status": item.status, "accepted-until": _iso(item.accepted_until)}),
        related_observations=(ObservationId(observation_uuid=seen),),
    )


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _end(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)
