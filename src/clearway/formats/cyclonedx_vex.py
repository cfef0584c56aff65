"""CycloneDX documents that carry vulnerability analyses (1.4 on, JSON) to `VexDocument`.

The words of `analysis.justification` are kept as CycloneDX spells them. A BOM-Link to another document
(`urn:cdx:SERIAL/VERSION#REF`) stays as written, with its `REF` beside it where that is a package URL.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote

from clearway.records.errors import InputError, TooLargeError
from clearway.records.vex import VexDocument, VexProduct, VexStatement, VexStatus

from ._fields import an_object, moment, objects, one_line, strings, text

_STATES: dict[str, VexStatus] = {
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
}
_MAX_DEPTH = 100


def document(record: dict[str, Any], data: bytes) -> tuple[VexDocument, tuple[str, ...]]:
    """The document's analyses, and a note for each vulnerability left out. Those without analysis say nothing.

    Raises:
        InputError: a field of the wrong type outside the vulnerabilities.
    """
    metadata = an_object(record.get("metadata"), "metadata")
    known: dict[str, tuple[str, ...]] = {}
    _index([an_object(metadata.get("component"), "metadata.component")], known, 0)
    _index(objects(record, "components"), known, 0)
    _index(objects(record, "services"), known, 0)
    statements: list[VexStatement] = []
    notes: list[str] = []
    for at, item in enumerate(objects(record, "vulnerabilities")):
        try:
            statements.extend(_statements(item, known))
        except InputError as e:
            notes.append(f"vulnerabilities[{at}] left out: {e.what}")
    serial = one_line(text(record, "serialNumber"), 200)
    version = record.get("version")
    author = _author(metadata)
    return (
        VexDocument(
            id=serial or f"sha256:{hashlib.sha256(data).hexdigest()}",
            source=f"cyclonedx:{author.replace(' ', '-').lower() or 'unnamed'}",
            format="cyclonedx-vex",
            author=author,
            version=str(version) if isinstance(version, int | str) and not isinstance(version, bool) else "",
            timestamp=moment(metadata, "timestamp"),
            statements=tuple(statements),
        ),
        tuple(notes),
    )


def _author(metadata: dict[str, Any]) -> str:
    for key in ("supplier", "manufacturer", "manufacture"):
        if name := text(an_object(metadata.get(key), f"metadata.{key}"), "name"):
            return one_line(name, 80)
    return next((one_line(text(a, "name"), 80) for a in objects(metadata, "authors") if a.get("name")), "")


def _index(components: list[dict[str, Any]], known: dict[str, tuple[str, ...]], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise TooLargeError(f"components nested deeper than {_MAX_DEPTH} levels")
    for item in components:
        ref = text(item, "bom-ref")
        identifiers = [text(item, "purl"), text(item, "cpe")]
        if not any(identifiers):
            name = "/".join(part for part in (text(item, "group"), text(item, "name")) if part)
            version = text(item, "version")
            identifiers = [f"{name}@{version}" if version else name]
        if ref:
            known[ref] = tuple(i for i in identifiers if i)
        if "components" in item:
            _index(objects(item, "components"), known, depth + 1)


def _statements(item: dict[str, Any], known: dict[str, tuple[str, ...]]) -> list[VexStatement]:
    if item.get("analysis") is None:
        return []
    analysis = an_object(item["analysis"], "analysis")
    state = text(analysis, "state")
    if state not in _STATES:
        raise InputError(f"the state is {one_line(state, 30)!r}", mend=f"use one of {', '.join(_STATES)}")
    flaws = (text(item, "id"), *(text(r, "id") for r in objects(item, "references")))
    flaws = tuple(dict.fromkeys(flaw for flaw in flaws if flaw))
    if not flaws:
        raise InputError("it has no id", mend="give `vulnerabilities[].id`")
    by_status: dict[VexStatus, list[VexProduct]] = {}
    for affect in objects(item, "affects"):
        for status, product in _products(affect, _STATES[state], known):
            by_status.setdefault(status, []).append(product)
    if not by_status:
        by_status[_STATES[state]] = []  # names nothing, suppresses nothing
    return [
        VexStatement(
            flaws=flaws,
            products=tuple(products),
            status=status,
            justification=text(analysis, "justification") if status == "not_affected" else "",
            impact=one_line(text(analysis, "detail"), 1000),
            action=", ".join(strings(analysis, "response")),
            timestamp=moment(analysis, "lastUpdated")
            or moment(analysis, "firstIssued")
            or moment(item, "updated"),
        )
        for status, products in by_status.items()
    ]


def _products(
    affect: dict[str, Any], status: VexStatus, known: dict[str, tuple[str, ...]]
) -> list[tuple[VexStatus, VexProduct]]:
    """One product a version entry; `versions[].status` decides where it is given (CycloneDX `affects.versions`)."""
    identifiers = _resolve(text(affect, "ref"), known)
    versions = objects(affect, "versions")
    if not versions:
        return [(status, VexProduct(identifiers=identifiers))]
    found: list[tuple[VexStatus, VexProduct]] = []
    for version in versions:
        stated = text(version, "status") or "affected"
        own: VexStatus = status
        if stated == "unaffected":
            own = "not_affected"
        elif stated == "unknown":
            own = "under_investigation"
        written, exact = text(version, "range"), text(version, "version")
        if not written and exact:
            written = f"vers:generic/{exact}"
        found.append((own, VexProduct(identifiers=identifiers, version_range=written)))
    return found


def _resolve(ref: str, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if not ref:
        return ()
    if ref in known:
        return known[ref] or (ref,)
    if ref.startswith("urn:cdx:"):
        fragment = unquote(ref.partition("#")[2])
        return (ref, fragment) if fragment.startswith("pkg:") else (ref,)
    return (ref,)
