"""The `vulnerabilities` inside a CycloneDX document as VEX statements (CycloneDX 1.4 §vulnerabilities)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clearway.records.vex import VexProduct, VexStatement, VexStatus

_STATES: dict[str, VexStatus] = {
    "not_affected": "not_affected",
    "false_positive": "not_affected",
    "exploitable": "affected",
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "in_triage": "under_investigation",
}


def statements(
    vulnerabilities: Any, references: dict[str, str], problems: list[str]
) -> tuple[VexStatement, ...]:
    """One statement for each vulnerability that has an `analysis.state`; the others are not judged.

    `references` maps bom-ref to purl. An `affects` entry that refers to nothing in the document
    keeps its reference as the identifier (it may be a BOM-Link into another document).
    """
    found: list[VexStatement] = []
    if type(vulnerabilities) is not list:
        problems.append("vulnerabilities is not an array")
        return ()
    for i, item in enumerate(vulnerabilities):
        if type(item) is not dict:
            problems.append(f"vulnerabilities[{i}] is not an object")
            continue
        analysis = item.get("analysis")
        state = analysis.get("state") if type(analysis) is dict else None
        if type(analysis) is not dict or type(state) is not str:
            continue
        status = _STATES.get(state)
        flaws = _flaws(item)
        if status is None or not flaws:
            problems.append(
                f"vulnerabilities[{i}] has {'no id' if status else f'the unknown state {state[:40]!r}'}"
            )
            continue
        found.append(
            VexStatement(
                flaws=flaws,
                products=tuple(_products(item.get("affects"), references)),
                status=status,
                justification=_text(analysis.get("justification")),
                impact=_text(analysis.get("detail")),
                action=", ".join(x for x in _list(analysis.get("response")) if type(x) is str),
                timestamp=_time(
                    analysis.get("lastUpdated") or analysis.get("firstIssued") or item.get("updated")
                ),
            )
        )
    return tuple(found)


def _flaws(item: dict[str, Any]) -> tuple[str, ...]:
    ids = [_text(item.get("id"))]
    ids += [_text(x.get("id")) for x in _list(item.get("references")) if type(x) is dict]
    return tuple(dict.fromkeys(x for x in ids if x))


def _products(affects: Any, references: dict[str, str]) -> list[VexProduct]:
    products = []
    for entry in _list(affects):
        ref = _text(entry.get("ref")) if type(entry) is dict else ""
        if not ref:
            continue
        identifier = references.get(ref, "")
        if (
            not identifier and "#" in ref
        ):  # BOM-Link: urn:cdx:serial/version#bom-ref, where the ref is often a purl
            tail = ref.rpartition("#")[2]
            identifier = references.get(tail, "") or (_decoded(tail) if tail[:4] in ("pkg:", "pkg%") else "")
        named = [
            _text(v.get("range")) or _text(v.get("version"))
            for v in _list(entry.get("versions"))
            if type(v) is dict and v.get("status", "affected") == "affected"
        ]
        only = named[0] if len(named) == 1 else ""
        products.append(
            VexProduct(
                identifiers=(identifier,)
                if identifier and identifier == ref
                else tuple(x for x in (identifier, ref) if x),
                version_range=only if only.startswith("vers:") else "",
            )
        )
    return products


def _decoded(text: str) -> str:
    from clearway.records.errors import InputError

    from .purl_text import unquote

    if text.startswith("pkg:"):
        return text
    try:
        return unquote(text)
    except InputError:
        return ""


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _time(value: Any) -> datetime | None:
    if type(value) is not str:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
