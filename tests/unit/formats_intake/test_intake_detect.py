"""What a blob is shows in its content; tests, examples, schemas, indexes and inventories are no advisories."""

from __future__ import annotations

import json

import pytest

from clearway.formats.detect import detect


def csaf(tracking_id: str = "1", **publisher: str) -> object:
    return {"document": {"csaf_version": "2.0", "tracking": {"id": tracking_id}, "publisher": publisher}}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"id": "GHSA-1", "modified": "x", "affected": []}, "osv"),
        ({"schema_version": "1.7.0", "id": "X-1", "modified": "x", "details": "d"}, "osv"),
        ({"id": "X-1", "modified": "x", "details": 'mentions "cveMetadata": {} and "document"'}, "osv"),
        ({"dataType": "CVE_RECORD", "cveMetadata": {"cveId": "CVE-2024-1"}}, "cve"),
        ({"document": {"csaf_version": "2.0", "category": "csaf_security_advisory", "tracking": {"id": "A"}}}, "csaf"),
        ({"document": {"csaf_version": "2.0", "category": "csaf_vex", "tracking": {"id": "A"}}}, "csaf-vex"),
        ({"$schema": "https://x", "document": {"csaf_version": "2.1", "tracking": {"id": "A"}}}, "csaf"),
        ({"catalogVersion": "1", "vulnerabilities": []}, "kev-json"),
        ({"@context": "https://openvex.dev/ns", "statements": []}, "openvex"),
        ({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://x/1", "statements": []}, "openvex"),
        ({"bomFormat": "CycloneDX", "vulnerabilities": [{"analysis": {"state": "resolved"}}]}, "cyclonedx-vex"),
        ({"cve": {"configurations": []}, "_annotation": {}}, "nvd-cpe"),
        ({"format": "NVD_CVE", "vulnerabilities": []}, "nvd-cpe"),
        ({"bomFormat": "CycloneDX", "components": []}, "inventory"),
        ({"bomFormat": "CycloneDX", "vulnerabilities": [{"id": "CVE-1"}]}, "inventory"),
        ({"spdxVersion": "SPDX-2.3"}, "inventory"),
        ({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []}, "inventory"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"id": {}}}, "not-a-record"),
        ({"feed": {"entry": []}}, "not-a-record"),
        ({"ID": "pkg:npm/x", "Sources": []}, "not-a-record"),
        ({"updated_at": "x", "packages": []}, "not-a-record"),
        ({"canonical_url": "x", "publisher": {}}, "not-a-record"),
        ({"cveMetadata": {"cveId": "CVE-0000-0001"}}, "test-document"),
        ({"cveMetadata": {"cveId": "CVE-1337-1234"}}, "test-document"),
        ({"cveMetadata": {"cveId": "CVE-1999-0001"}}, "cve"),
        ({"id": "TEST-2024-1", "modified": "x", "affected": []}, "test-document"),
        (csaf("OASIS_CSAF_TC-CSAF_2.0-2021-6-1-01-01"), "test-document"),
        (csaf(namespace="https://psirt.example.com"), "test-document"),
        (csaf(name="Example Company ProductCERT"), "test-document"),
        ({"@context": "https://openvex.dev/ns", "@id": "https://example.com/vex", "statements": []}, "test-document"),
        (csaf(namespace="https://example.community"), "csaf"),
        ({"id": "TESTDB2-1", "modified": "x", "affected": []}, "osv"),
        ({"type": "identity", "spec_version": "2.1", "id": "identity--1", "modified": "x"}, "unknown"),
        ({"hello": "world"}, "unknown"),
        ({"id": None, "affected": None}, "unknown"),
    ],
)  # fmt: skip
def test_json_is_told_by_its_top_level_keys(value: object, kind: str) -> None:
    for data in (json.dumps(value).encode(), b"\xef\xbb\xbf \n" + json.dumps(value, indent=2).encode()):
        assert detect(data, "x.json").kind == kind


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"#model_version:v1,score_date:2024-01-13T00:00:00+0000\ncve,epss,percentile\n", "x", "epss-csv"),
        (b"cve,epss,percentile\r\nCVE-2024-1,0.1,0.2\r\n", "x", "epss-csv"),
        (b"cveID,vendorProject,product,vulnerabilityName,dateAdded\n", "x", "kev-csv"),
        (b"-----BEGIN PGP SIGNATURE-----\n", "a.json.asc", "not-a-record"),
        (b"ab" * 64 + b"  a.json\n", "a.json.sha512", "not-a-record"),
        (b"white/2024/a.json,2024-01-01T00:00:00Z\n", "changes.csv", "not-a-record"),
        (b"Apache License", "x.tar!LICENSE", "not-a-record"),
        (b"# Hello", "README.md", "not-a-record"),
        (b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.4">', "x.xml", "inventory"),
        (b"SPDXVersion: SPDX-2.3\n", "x.spdx", "inventory"),
        (b"<x/>", "x.xml", "unknown"),
        (b"", "x.json", "unknown"),
        (b"   ", "x.json", "unknown"),
        (b'{"id": ', "x.json", "unknown"),
        (b'[{"id": 1}]', "x.json", "unknown"),
        (b"\x00\x01\x02", "x.bin", "unknown"),
        (b"{" + b'"a":{' * 100_000, "x.json", "unknown"),
        (b"[" * 100_000, "x.json", "unknown"),
        (b'{"id": "\xff"}', "x.json", "unknown"),
        (b'{"a": 1, "a": 2}', "x.json", "unknown"),
    ],
)
def test_other_content_is_told_by_its_first_bytes_then_by_name(data: bytes, name: str, kind: str) -> None:
    detection = detect(data, name)
    assert detection.kind == kind
    assert detection.is_record or detection.reason


def test_skipped_and_unknown_are_told_apart() -> None:
    assert detect(b'{"spdxVersion": "SPDX-2.3"}').is_skipped
    unknown = detect(b'{"x": 1}')
    assert not unknown.is_skipped
    assert not unknown.is_record
