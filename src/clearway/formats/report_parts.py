"""What the report writers share: who writes, how a component, a flaw and a time are named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from clearway import __version__
from clearway.records.errors import InputError
from clearway.records.finding import Finding
from clearway.records.inventory import Component

TOOL = "Clearway"
VERSION = __version__
_encode = msgspec.json.Encoder(order="deterministic").encode


def encode(document: dict[str, Any]) -> bytes:
    """`document` as one line of JSON, its keys sorted: the same input gives the same bytes."""
    return _encode(document)


def moment(at: datetime) -> str:
    """`at` as RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def urn(content: bytes) -> str:
    """A UUID URN made of `content` alone, so that a document's identity follows from what it says."""
    from hashlib import sha256
    from uuid import UUID

    return UUID(bytes=sha256(content).digest()[:16], version=5).urn


def label(component: Component) -> str:
    """A component as a person reads it: "lodash 4.17.20", "Cisco IOS XE 17.3.1"."""
    name = f"{component.vendor} {component.name}" if component.vendor else component.name
    return f"{name} {component.version}" if component.version else name or "(unnamed component)"


def iri(component: Component) -> str:
    """An identifier for `component` that is an IRI: its purl, or a URN of vendor, name and version."""
    from .purl_text import parse, quote, to_text

    if component.purl:
        try:
            return to_text(parse(component.purl))
        except InputError:
            pass  # the purl is what is wrong with the component
    parts = (component.ecosystem or "component", component.vendor, component.name, component.version)
    return "urn:clearway:" + ":".join(quote(part).replace(":", "%3A") for part in parts if part)


def is_cpe(text: str) -> bool:
    """Whether `text` has the outer form of a CPE 2.2 URI or 2.3 formatted string (NISTIR 7695 §6)."""
    if any(char.isspace() for char in text):
        return False
    if text.startswith("cpe:2.3:"):
        return text.replace("\\:", "").count(":") == 12 and text[8:9] in "aho*-"
    return text.startswith(("cpe:/a", "cpe:/h", "cpe:/o"))


def source_of(flaw: str) -> tuple[str, str]:
    """(name, address) of the public page of a flaw's id; the address is "" for an id of no known form."""
    from .purl_text import quote

    if flaw.startswith("CVE-"):
        return "NVD", f"https://nvd.nist.gov/vuln/detail/{quote(flaw)}"
    if flaw.startswith("GHSA-"):
        return "GitHub", f"https://github.com/advisories/{quote(flaw)}"
    if "-" in flaw:
        return "OSV", f"https://osv.dev/vulnerability/{quote(flaw).replace(':', '%3A')}"
    return flaw, ""


def severity(score: float | None) -> str:
    """CVSS's qualitative rating of a score (CVSS 3.1 §5): "none" to "critical"; "" without a score."""
    if score is None:
        return ""
    if score <= 0:
        return "none"
    return "low" if score < 4 else "medium" if score < 7 else "high" if score < 9 else "critical"


def action(finding: Finding) -> str:
    """What to do about an affected component: the fixed versions, the due date, or that no fix is known."""
    fix = f"update to {' or '.join(finding.fixed)}" if finding.fixed else "no fixed version is known"
    if finding.due:
        return f"{fix}; due {finding.due.isoformat()} under {finding.directive or 'the directive'}"
    return fix


def why(finding: Finding) -> str:
    """The finding's reasons as one text; its basis where it gives none."""
    stated = finding.reasons or tuple(s.reason for s in finding.statements if s.reason)
    return "; ".join(stated) or finding.basis
