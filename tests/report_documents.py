"""Reports of one flaw in every form that is read, for tests of what comes in."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

CANARY = "canary-7d1f-heap-overflow-in-the-parser"
PROOF = b'{"a":1' + b"A" * 64


def own(**changed: Any) -> dict[str, Any]:
    """A report in our own form that lacks nothing."""
    return {
        "schema": "urn:clearway:schema:finding:1",
        "title": "Heap buffer overflow in parse_string",
        "description": f"A string without its end is read beyond the buffer. {CANARY}",
        "affected": {"purl": "pkg:pypi/example@1.7.15"},
        "place": {"file": "src/parse.c", "line": 117, "function": "parse_string"},
        "cwe": "CWE-125",
        "severity": "high",
        "trace": [
            {
                "role": "source",
                "file": "src/parse.c",
                "line": 12,
                "function": "parse",
                "what": "text of the caller",
            },
            {
                "role": "sink",
                "file": "src/parse.c",
                "line": 117,
                "function": "parse_string",
                "what": "read past the end",
            },
        ],
        "reproduction": {
            "release": "1.7.15",
            "steps": "1. feed poc.json to parse()",
            "expected": "an error",
            "observed": "AddressSanitizer: heap-buffer-overflow",
            "recipe": {"title": "poc"},
        },
        "ruled_out": [
            {"shape": shape, "why": "looked at, and it is not so: see the trace and the proof"}
            for shape in (
                "test-code",
                "trusted-input",
                "harness-only",
                "not-in-release",
                "documented",
                "debug-build",
                "resource-bound",
            )
        ],
        "provenance": {"finders": [{"name": "A. Finder"}], "chain": [], "embargo": {"until": None}},
        "files": [
            {
                "name": "poc.json",
                "kind": "input",
                "data": base64.b64encode(PROOF).decode(),
                "sha256": sha256(PROOF).hexdigest(),
            }
        ],
        **changed,
    }


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def sarif(results: int = 1, **changed: Any) -> dict[str, Any]:
    """A SARIF log with that many results, each at another line."""
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Finder",
                        "version": "2.0",
                        "rules": [
                            {
                                "id": "c/oob-read",
                                "shortDescription": {"text": "Out-of-bounds read"},
                                "helpUri": "https://rules.example/oob",
                                "properties": {"tags": ["external/cwe/cwe-125"], "security-severity": "7.5"},
                            }
                        ],
                    }
                },
                "invocations": [{"executionSuccessful": True, "endTimeUtc": "2026-11-20T10:00:00Z"}],
                "artifacts": [
                    {
                        "location": {"uri": "poc.json"},
                        "contents": {"binary": base64.b64encode(PROOF).decode()},
                        "mimeType": "application/json",
                    }
                ],
                "properties": {"clearway": {"purl": "pkg:pypi/example@1.7.15"}},
                "results": [
                    {
                        "ruleId": "c/oob-read",
                        "ruleIndex": 0,
                        "message": {"text": f"read past the end {CANARY}"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "src/parse.c"},
                                    "region": {"startLine": 100 + n},
                                },
                                "logicalLocations": [{"fullyQualifiedName": "parse_string"}],
                            }
                        ],
                        "attachments": [{"description": {"text": "pov"}, "artifactLocation": {"index": 0}}],
                        "codeFlows": [
                            {
                                "threadFlows": [
                                    {
                                        "locations": [
                                            {"location": _at(12, "parse")},
                                            {"location": _at(100 + n, "parse_string")},
                                        ]
                                    }
                                ]
                            }
                        ],
                    }
                    for n in range(results)
                ],
                **changed,
            }
        ],
    }


def _at(line: int, function: str) -> dict[str, Any]:
    return {
        "physicalLocation": {"artifactLocation": {"uri": "src/parse.c"}, "region": {"startLine": line}},
        "logicalLocations": [{"name": function}],
    }


def csaf() -> dict[str, Any]:
    """A vulnerability report as CSAF 2.1 has it."""
    return {
        "document": {
            "category": "csaf_vulnerability_report",
            "csaf_version": "2.1",
            "distribution": {"tlp": {"label": "AMBER"}},
            "publisher": {"category": "discoverer", "name": "Lab", "namespace": "https://lab.example"},
            "acknowledgments": [{"names": ["A. Finder"], "organization": "Lab"}],
            "title": "Report: out-of-bounds read",
            "tracking": {"id": "LAB-2026-1", "status": "draft", "version": "1"},
        },
        "product_tree": {
            "full_product_names": [
                {
                    "product_id": "P1",
                    "name": "example 1.7.15",
                    "product_identification_helper": {"purl": "pkg:pypi/example@1.7.15"},
                }
            ]
        },
        "vulnerabilities": [
            {
                "title": "Heap buffer overflow in parse_string",
                "cwes": [{"id": "CWE-125", "name": "Out-of-bounds Read", "version": "4.15"}],
                "ids": [{"system_name": "Lab", "text": "LAB-2026-1"}],
                "notes": [
                    {
                        "category": "description",
                        "title": "Vulnerability description",
                        "text": f"Read past the end. {CANARY}",
                    },
                    {"category": "other", "title": "Steps to reproduce", "text": "feed poc.json to parse()"},
                ],
                "product_status": {"known_affected": ["P1"]},
                "metrics": [{"products": ["P1"], "content": {"cvss_v3": {"baseSeverity": "HIGH"}}}],
            }
        ],
    }


def vince() -> dict[str, Any]:
    """The form of CERT/CC, with an attachment."""
    return {
        "vrf_id": "24-11-ABCDE",
        "contact_name": "A. Finder",
        "contact_org": "Lab",
        "vendor_name": "Example Foundation",
        "product_name": "example",
        "product_version": "1.7.15",
        "vul_description": f"CWE-125: a string without its end is read beyond the buffer. {CANARY}",
        "vul_exploit": "feed poc.json to parse()",
        "vul_impact": "memory is disclosed",
        "vul_discovery": "fuzzing",
        "vul_public": False,
        "tracking": "LAB-1, CVE-2026-99999",
        "public_references": "https://a.example https://b.example",
        "attachments": [{"filename": "poc.json", "content": base64.b64encode(PROOF).decode()}],
    }


def mail(subject: str = "Heap overflow in example", **headers: str) -> bytes:
    """A mail with a body of fields and sections, a proof and a patch."""
    from email.message import EmailMessage

    made = EmailMessage()
    made["Subject"], made["From"], made["Message-ID"] = subject, "finder@lab.example", "<1@lab.example>"
    for name, value in headers.items():
        made[name] = value
    made.set_content(
        "Dear all,\n\nProduct: example\nVersion: 1.7.15\nPackage URL: pkg:pypi/example@1.7.15\nFile: src/parse.c\n"
        f"CWE: CWE-125\nSeverity: high\n\nA string without its end is read beyond the buffer. {CANARY}\n\n"
        "Steps to reproduce:\n1. feed poc.json to parse()\n\nObserved: a crash\n"
    )
    made.add_attachment(PROOF, maintype="application", subtype="octet-stream", filename="../../poc.json")
    made.add_attachment("--- a\n+++ b\n", filename="fix.patch")
    return made.as_bytes()
