"""Findings as SARIF 2.1.0, for code-scanning dashboards and editors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from clearway.records.finding import Finding
from clearway.records.inventory import Component, Inventory

from .purl_text import quote
from .report_parts import TOOL, VERSION, action, encode, label, moment, severity, source_of, why

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def write(findings: Sequence[Finding], inventory: Inventory, as_of: datetime) -> bytes:
    """One SARIF run as one line of JSON: a rule for each flaw, a result for each finding, in that order.

    An affected component is kind "fail": level "error" when the flaw is known to be exploited or its
    score is 7 or more, "note" below 4, else "warning". An undecided one is "open", one that is not
    affected "notApplicable" (SARIF §3.27.9). The location is the inventory file, with the line where
    it has lines.
    """
    rules: dict[str, int] = {}
    entries: list[dict[str, Any]] = []
    results = []
    for finding in findings:
        if finding.flaw not in rules:
            rules[finding.flaw] = len(rules)
            entries.append(_rule(finding))
        results.append(_result(finding, rules[finding.flaw], inventory))
    driver = {"name": TOOL, "version": VERSION, "semanticVersion": VERSION, "rules": entries}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": moment(as_of)}],
        "artifacts": [{"location": {"uri": _uri(inventory.name)}}],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"inventoryFormat": inventory.format, "components": len(inventory.components)},
    }
    return encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(finding: Finding) -> dict[str, Any]:
    _, address = source_of(finding.flaw)
    properties: dict[str, Any] = {"tags": ["security", "vulnerability"]}
    if finding.kev is not None:
        properties["tags"].append("known-exploited")
    if finding.score is not None:
        properties["security-severity"] = f"{finding.score:.1f}"  # GitHub's name for a CVSS score
    rule: dict[str, Any] = {
        "id": finding.flaw,
        "shortDescription": {"text": f"{finding.flaw} in a component"},
        "properties": properties,
    }
    if address:
        rule["helpUri"] = address
    return rule


def _result(finding: Finding, index: int, inventory: Inventory) -> dict[str, Any]:
    component = finding.component
    kind = {"affected": "fail", "unknown": "open"}.get(finding.verdict, "notApplicable")
    verb = {"affected": "is affected by", "unknown": "may be affected by"}.get(
        finding.verdict, "is not affected by"
    )
    text = f"{label(component)} {verb} {finding.flaw}: {why(finding)}."
    if kind == "fail":
        text += f" To do: {action(finding)}."
    properties: dict[str, Any] = {
        "verdict": finding.verdict,
        "basis": finding.basis,
        "ids": list(finding.ids),
        "aliases": list(finding.aliases),
        "fixed": list(finding.fixed),
        "sources": list(finding.sources),
    }
    if finding.due:
        properties["due"] = finding.due.isoformat()
    if finding.tier:
        properties["tier"] = finding.tier
    return {
        "ruleId": finding.flaw,
        "ruleIndex": index,
        "kind": kind,
        "level": _level(finding) if kind == "fail" else "none",
        "message": {"text": text},
        "locations": [_location(component, inventory)],
        "partialFingerprints": {"flawInComponent/v1": _fingerprint(finding)},
        "properties": properties,
    }


def _level(finding: Finding) -> str:
    rating = severity(finding.score)
    if finding.kev is not None or rating in ("high", "critical"):
        return "error"
    return "note" if rating in ("none", "low") else "warning"


def _location(component: Component, inventory: Inventory) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(inventory.name), "index": 0}}
    if component.place.startswith("line ") and component.place[5:].isdigit():
        physical["region"] = {"startLine": max(1, int(component.place[5:]))}
    return {
        "physicalLocation": physical,
        "logicalLocations": [
            {
                "name": component.name or "(unnamed)",
                "fullyQualifiedName": component.purl or label(component),
                "kind": "module",
            }
        ],
    }


def _uri(name: str) -> str:
    """`name` as a relative reference (RFC 3986 §4.2): a colon in it would read as a scheme."""
    return quote(name.replace("\\", "/"), "/").replace(":", "%3A").lstrip("/") or "inventory"


def _fingerprint(finding: Finding) -> str:
    """Stays the same while the same flaw is in the same version of the component on the same host."""
    component = finding.component
    parts = (
        finding.flaw,
        component.ecosystem,
        component.vendor,
        component.name,
        component.version,
        component.host,
    )
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
