"""Findings as a CycloneDX 1.6 VEX document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clearway.records.finding import Finding
from clearway.records.inventory import Component, Inventory

from .report_parts import TOOL, VERSION, action, encode, is_cpe, moment, severity, source_of, urn, why

_STATES = {"affected": "exploitable", "not_affected": "not_affected", "unknown": "in_triage"}


def write(findings: Sequence[Finding], inventory: Inventory, as_of: datetime) -> bytes:
    """One CycloneDX document as one line of JSON: the components, and a vulnerability for each finding.

    The `analysis.state` of an affected component is "exploitable" (CycloneDX has no word for "a source says
    so"; `detail` holds the reasons), of an undecided one "in_triage". Due date, tier and KEV
    date are properties in the namespace "clearway:".
    """
    references: dict[Component, str] = {}
    components: list[dict[str, Any]] = []
    vulnerabilities: list[dict[str, Any]] = []
    for finding in findings:
        reference = references.get(finding.component)
        if reference is None:
            reference = references[finding.component] = f"component-{len(references) + 1}"
            components.append(_component(finding.component, reference))
        vulnerabilities.append(_vulnerability(finding, reference, len(vulnerabilities) + 1))
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": moment(as_of),
            "tools": {"components": [{"type": "application", "name": TOOL, "version": VERSION}]},
            "component": {
                "type": "application",
                "name": inventory.name or "inventory",
                "bom-ref": "inventory",
            },
        },
        "components": components,
        "vulnerabilities": vulnerabilities,
    }
    if inventory.serial:
        document["metadata"]["properties"] = [
            {"name": "clearway:inventory-serial", "value": inventory.serial}
        ]
    document["serialNumber"] = urn(encode(document))
    return encode(document)


def _component(component: Component, reference: str) -> dict[str, Any]:
    kind = "application" if component.ecosystem == "vendor" else "library"
    entry: dict[str, Any] = {"type": kind, "bom-ref": reference, "name": component.name or "(unnamed)"}
    if component.version:
        entry["version"] = component.version
    if component.vendor:
        entry["publisher"] = component.vendor
    if component.purl:
        entry["purl"] = component.purl
    cpe = next((cpe for cpe in component.cpes if is_cpe(cpe)), "")
    if cpe:
        entry["cpe"] = cpe
    if component.host:
        entry["properties"] = [{"name": "clearway:host", "value": component.host}]
    return entry


def _vulnerability(finding: Finding, reference: str, number: int) -> dict[str, Any]:
    name, address = source_of(finding.flaw)
    entry: dict[str, Any] = {
        "bom-ref": f"vulnerability-{number}",
        "id": finding.flaw,
        "source": {"name": name, "url": address} if address else {"name": name},
        "analysis": {"state": _STATES[finding.verdict], "detail": why(finding)},
        "affects": [_affects(finding, reference)],
    }
    others = [x for x in dict.fromkeys((*finding.aliases, *finding.ids)) if x != finding.flaw]
    if others:
        entry["references"] = [{"id": other, "source": _source(other)} for other in others]
    ratings = _ratings(finding)
    if ratings:
        entry["ratings"] = ratings
    if finding.verdict == "affected":
        entry["recommendation"] = action(finding)
        if finding.fixed:
            entry["analysis"]["response"] = ["update"]
    properties = _properties(finding)
    if properties:
        entry["properties"] = properties
    return entry


def _source(flaw: str) -> dict[str, str]:
    name, address = source_of(flaw)
    return {"name": name, "url": address} if address else {"name": name}


def _affects(finding: Finding, reference: str) -> dict[str, Any]:
    version = finding.component.version
    if not version:
        return {"ref": reference}
    status = {"affected": "affected", "not_affected": "unaffected"}.get(finding.verdict, "unknown")
    return {"ref": reference, "versions": [{"version": version, "status": status}]}


def _ratings(finding: Finding) -> list[dict[str, Any]]:
    ratings: list[dict[str, Any]] = []
    if finding.score is not None:
        ratings.append({"score": finding.score, "severity": severity(finding.score), "method": "other"})
    if finding.epss is not None:
        ratings.append({"source": {"name": "EPSS, FIRST.org"}, "score": finding.epss, "method": "other"})
    return ratings


def _properties(finding: Finding) -> list[dict[str, str]]:
    pairs = {
        "clearway:basis": finding.basis,
        "clearway:directive": finding.directive,
        "clearway:due": finding.due.isoformat() if finding.due else "",
        "clearway:tier": finding.tier,
        "clearway:kev-date-added": finding.kev.date_added.isoformat() if finding.kev else "",
    }
    return [{"name": name, "value": value} for name, value in pairs.items() if value]
