"""A finding handed on to another desk or a vendor: its provenance byte for byte as it came, and our own hop behind it.

    {"schema": …, "title": …, "provenance": <the bytes as received>, "hops": [<as received>, …, <ours>], "files": […]}

Our hop carries the receipt that we signed, so that each desk on the way can be asked for its word. What a desk believes
of a finding is not in there: those who take it in judge it themselves, and what others claim is a hint.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from clearway.formats.reported_own import FORMAT, MAX_HOPS, SCHEMA
from clearway.records.errors import TooLargeError

if TYPE_CHECKING:
    from clearway.formats.reported_parts import Reported

    from ..kept import Finding

_ORIGINAL = "report-as-received"


def document(report: Reported, finding: Finding, receipt: str, *, desk: str) -> bytes:
    """The document that is handed on. `desk` is the name that our log goes by, `receipt` the envelope given out.

    The original goes along whole, as a file, unless it was in our own form.

    Raises:
        TooLargeError: it has come over as many desks as a finding may.
    """
    if len(report.hops) >= MAX_HOPS:
        raise TooLargeError(f"over {MAX_HOPS} desks already", where=finding.subject)
    head = msgspec.json.encode(_facts(report))
    hop = msgspec.json.encode(
        {
            "desk": desk,
            "handling": finding.handling,
            "organisation": finding.organisation,
            "received": finding.received,
            "sha256": finding.digest,
            "receipt": msgspec.json.decode(receipt) if receipt else None,
        }
    )
    hops = b",".join((*report.hops, hop))
    recipe = report.reproduction.recipe
    made = msgspec.json.encode(
        {n: t for n in ("release", "steps", "expected", "observed") if (t := getattr(report.reproduction, n))}
    )
    if recipe:
        made = made[:-1] + (b"," if len(made) > 2 else b"") + b'"recipe":' + recipe + b"}"
    parts = [head[:-1], b',"reproduction":' + made, b',"hops":[' + hops + b"]"]
    if report.provenance:
        parts.append(b',"provenance":' + report.provenance)
    return b"".join((*parts, b',"files":' + msgspec.json.encode(_files(report)) + b"}"))


def _facts(report: Reported) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "title": report.title,
        "description": report.description,
        "affected": {
            "purl": report.purl,
            "ecosystem": report.ecosystem,
            "name": report.package,
            "release": report.release,
        },
        "place": report.at,
        "cwe": report.cwe,
        "severity": report.severity,
        "trace": report.trace,
        "ruled_out": report.ruled_out,
        "ids": report.ids,
        "references": report.references,
    }


def _files(report: Reported) -> list[dict[str, str]]:
    found = [
        {
            "name": file.name or "file",
            "kind": file.kind,
            "media": file.media,
            "data": base64.b64encode(file.data).decode(),
            "sha256": sha256(file.data).hexdigest(),
        }
        for file in report.files
    ]
    if report.format != FORMAT:
        found.append(
            {
                "name": _ORIGINAL,
                "kind": "attachment",
                "media": "",
                "data": base64.b64encode(report.raw).decode(),
                "sha256": sha256(report.raw).hexdigest(),
            }
        )
    return found
