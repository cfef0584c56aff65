"""A report as JSON (schema: `schemas/match.schema.json`). Keys are only ever added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from .fixes import offered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearway.records.finding import Finding, Statement, Unjudged
    from clearway.records.inventory import Component

    from .report import Report

_ENCODE = msgspec.json.Encoder().encode


def report_bytes(report: Report) -> bytes:
    """The report as one JSON object."""
    return _ENCODE(report_object(report))


def lines(report: Report) -> Iterator[bytes]:
    """The report as JSON lines: one `inventory`, then each `finding`, then each `unknown`."""
    document = report_object(report)
    findings, unknown = document.pop("findings"), document.pop("unknown")
    yield _ENCODE({"kind": "inventory", **document})
    for finding in findings:
        yield _ENCODE({"kind": "finding", "inventory": report.name, **finding})
    for entry in unknown:
        line = {
            "kind": "unknown",
            "inventory": report.name,
            "component": entry.component,
            "reason": entry.reason,
        }
        yield _ENCODE(line)


def report_object(report: Report) -> dict[str, Any]:
    """The report as plain values, dates as ISO text."""
    return {
        "inventory": {
            "name": report.name,
            "format": report.format,
            "components": report.components,
            "affected": report.affected,
            "not_affected": report.not_affected,
            "unknown": report.unknown,
        },
        "directive": report.directive,
        "standing": report.standing,
        "policy": report.policy,
        "exposure": report.exposure,
        "exposure_stated_by": report.exposure_stated_by,
        "detected": report.detected.isoformat(),
        "detected_by": report.detected_by,
        "as_of": report.as_of.isoformat(),
        "findings": [_finding(f) for f in report.findings],
        "unknown": [_unjudged(u) for u in report.unjudged],
        "coverage": [
            {
                "ecosystem": line.ecosystem,
                "components": line.components,
                "covered": line.covered,
                "sources": line.sources,
                "reason": line.reason,
            }
            for line in report.coverage
        ],
        "sources": [
            {
                "source": note.source,
                "title": note.title,
                "records": note.records,
                "newest": note.newest,
                "received": note.received,
                "undated": note.undated,
                "licence": note.licence,
            }
            for note in report.sources
        ],
        "data": {"built": report.data_built, "content": report.data_content},
        "problems": report.problems,
    }


class ComponentView(Struct, frozen=True, omit_defaults=True):
    """A component as it is printed: the first four keys always, the others where they say something."""

    purl: str
    ecosystem: str
    name: str
    version: str
    vendor: str = ""
    host: str = ""
    place: str = ""


class _UnknownView(Struct, frozen=True):
    component: ComponentView
    reason: str


def _component(c: Component) -> ComponentView:
    return ComponentView(c.purl, c.ecosystem, c.name, c.version, c.vendor, c.host, c.place)


def _finding(f: Finding) -> dict[str, Any]:
    offer = offered(f.component.ecosystem, f.fixed)
    return {
        "component": _component(f.component),
        "flaw": f.flaw,
        "aliases": f.aliases,
        "ids": f.ids,
        "verdict": f.verdict,
        "basis": f.basis,
        "fixed": offer.versions,
        "fixed_prerelease": offer.prerelease,
        "due": None if f.due is None else f.due.isoformat(),
        "tier": f.tier,
        "due_basis": f.due_basis,
        "due_reasons": f.due_reasons,
        "reasons": f.reasons,
        "sources": f.sources,
        "statements": [_statement(s) for s in f.statements],
        "kev": None if f.kev is None else f.kev.date_added.isoformat(),
        "ssvc": None
        if f.ssvc is None
        else {
            "exploitation": f.ssvc.exploitation,
            "automatable": f.ssvc.automatable,
            "technical_impact": f.ssvc.technical_impact,
        },
        "epss": f.epss,
        "cvss": f.score,
    }


def _statement(s: Statement) -> dict[str, Any]:
    return {
        "record": s.record,
        "source": s.source,
        "verdict": s.verdict,
        "basis": s.basis,
        "reason": s.reason,
        "fixed": s.fixed,
        "conditions": s.conditions,
    }


def _unjudged(u: Unjudged) -> _UnknownView:
    return _UnknownView(_component(u.component), u.reason)
