"""The triage report as OSCAL assessment results.

The asset is an inventory item; the flags, the steps and the evidence are observations; and all of them together are one
finding on IR-4 (incident handling, NIST SP 800-53 revision 5): satisfied when it is concluded and nothing is flagged.
Whether the triage was adequate is the word of who reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .oscal import (
    Finding,
    FindingTarget,
    InventoryItem,
    LocalDefinitions,
    Observation,
    ObservationId,
    Result,
    Subject,
    TargetStatus,
    document,
    line,
    name_uuid,
    props,
    reviewed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .triage_report import TriageReport

CONTROL = "ir-4"
STATEMENT = (
    "ir-4_smt.a"  # "implement an incident handling capability [with] detection and analysis, containment, …"
)


def triage_oscal(report: TriageReport) -> bytes:
    """The report as the bytes of an OSCAL 1.2.1 JSON document; the same report gives the same bytes."""
    about = report.subject
    key = (
        about.directive,
        about.organisation,
        about.asset,
        about.flaw,
        about.component,
        report.as_of.isoformat(),
    )
    inside = name_uuid("triage", *key)
    asset = name_uuid("asset", inside)
    seen = tuple(_observations(report, inside, asset))
    clean = report.conclusion is not None and not report.flags
    facts = {
        "conclusion": report.conclusion or "open",
        "patched-first": "yes" if report.patched_first else "no",
    }
    result = Result(
        uuid=name_uuid("result", inside),
        title=line(f"Forensic triage of {about.flaw} on {about.asset_name}"),
        description=line(report.summary),
        start=min(about.kev_added, report.as_of),
        end=report.as_of,
        props=props({**facts, "component": about.component, "incident": report.incident}),
        local_definitions=LocalDefinitions(
            inventory_items=(
                InventoryItem(
                    uuid=asset,
                    description=line(about.asset_name),
                    props=props({"asset-id": about.asset, "organisation": about.organisation}),
                ),
            )
        ),
        reviewed_controls=reviewed(CONTROL),
        observations=seen,
        findings=(
            Finding(
                uuid=name_uuid("finding", inside),
                title="Forensic triage",
                description=line("; ".join(report.flags) or "no flag"),
                target=FindingTarget(
                    type="statement-id",
                    target_id=STATEMENT,
                    status=TargetStatus(
                        state="satisfied" if clean else "not-satisfied", reason="pass" if clean else "other"
                    ),
                ),
                props=props({**facts, "flags": str(len(report.flags))}),
                related_observations=tuple(ObservationId(observation_uuid=each.uuid) for each in seen),
            ),
        ),
    )
    return document(
        inside,
        result,
        title=line(f"{about.organisation}: forensic triage as of {report.as_of.isoformat()}"),
        at=report.as_of,
        version=report.as_of.isoformat(),
        organisation=about.organisation,
        name=about.organisation,
        plan=f"urn:clearway:directive:{about.directive}",
    )


def _observations(report: TriageReport, inside: str, asset: str) -> Iterator[Observation]:
    """One of each flag, step, patch and item of evidence, in the order of the report."""

    def one(kind: str, n: int, title: str, at: datetime, said: str = "", **facts: str) -> Observation:
        return Observation(
            uuid=name_uuid(kind, inside, str(n)),
            title=line(title),
            description=line(said or title),
            methods=("EXAMINE",),
            types=("finding",),
            collected=at,
            subjects=(Subject(subject_uuid=asset, type="inventory-item"),),
            props=props({"kind": kind, **{k.replace("_", "-"): v for k, v in facts.items()}}),
        )

    for n, flag in enumerate(report.flags):
        yield one("flag", n, flag, report.as_of)
    for n, step in enumerate(report.steps):
        yield one("step", n, step.name, step.ended or step.started or report.as_of, step.note,
                  state=step.state, target=step.target.isoformat(), late="yes" if step.late else "no")  # fmt: skip
    for n, told in enumerate(report.patches):
        yield one("patch", n, told.what, told.at, after_evidence="yes" if told.after_evidence else "no")
    for n, seen in enumerate((*report.seen, *report.taken_back), len(report.patches)):
        yield one("patch", n, f"{seen.where}: {seen.what}", seen.at)
    for n, item in enumerate(report.evidence):
        yield one("evidence", n, f"{item.id}: {item.what}", item.taken, volatile="yes" if item.volatile else "no",
                  sha256=item.sha256, size_bytes=str(item.size_bytes), holder=item.custody[-1].holder,
                  intact="yes" if all(c.intact for c in item.custody) else "no")  # fmt: skip
