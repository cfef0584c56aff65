"""Findings as an OpenVEX 0.2.0 document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clearway.records.finding import Finding
from clearway.records.inventory import Component, Inventory

from .report_parts import TOOL, VERSION, action, encode, iri, is_cpe, moment, urn, why

_CONTEXT = "https://openvex.dev/ns/v0.2.0"
_STATUS = {"affected": "affected", "not_affected": "not_affected", "unknown": "under_investigation"}


def write(findings: Sequence[Finding], inventory: Inventory, as_of: datetime) -> bytes:
    """One OpenVEX document as one line of JSON: a statement for each finding, repeats left out.

    "affected" says what to do (`action_statement`), "not_affected" why (`impact_statement`), and an
    unknown verdict is "under_investigation". Without findings `statements` is empty, which the format's schema does not
    allow: there is nothing to state.
    """
    statements: list[dict[str, Any]] = []
    seen: set[bytes] = set()
    for finding in findings:
        statement = _statement(finding)
        key = encode(statement)
        if key not in seen:
            seen.add(key)
            statements.append(statement)
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "author": TOOL,
        "role": "Document creator",
        "timestamp": moment(as_of),
        "version": 1,
        "tooling": f"{TOOL} {VERSION}, over {inventory.name}",
        "statements": statements,
    }
    document["@id"] = urn(encode(document))
    return encode(document)


def _statement(finding: Finding) -> dict[str, Any]:
    vulnerability: dict[str, Any] = {"name": finding.flaw}
    aliases = [x for x in dict.fromkeys((*finding.aliases, *finding.ids)) if x != finding.flaw]
    if aliases:
        vulnerability["aliases"] = aliases
    statement: dict[str, Any] = {
        "vulnerability": vulnerability,
        "products": [_product(finding.component)],
        "status": _STATUS[finding.verdict],
    }
    if finding.verdict == "affected":
        statement["action_statement"] = action(finding)
        statement["status_notes"] = why(finding)
    elif finding.verdict == "not_affected":
        statement["impact_statement"] = why(finding)
    else:
        statement["status_notes"] = why(finding)
    return statement


def _product(component: Component) -> dict[str, Any]:
    product: dict[str, Any] = {"@id": iri(component)}
    identifiers: dict[str, str] = {}
    if product["@id"].startswith("pkg:"):
        identifiers["purl"] = component.purl
    for cpe in filter(is_cpe, component.cpes):
        identifiers.setdefault("cpe23" if cpe.startswith("cpe:2.3:") else "cpe22", cpe)
    if identifiers:
        product["identifiers"] = identifiers
    return product
