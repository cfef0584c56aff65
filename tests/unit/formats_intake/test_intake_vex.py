"""OpenVEX of all versions and CycloneDX analyses: who says what about which product, and nothing wider."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.formats import intake
from clearway.records.errors import InputError
from clearway.records.vex import VexDocument, VexProduct

V = dict[str, Any]


def decode(kind: str, value: V) -> tuple[VexDocument, intake.Decoded]:
    (decoded,) = intake.decode(kind, json.dumps(value).encode(), "x.json")
    assert isinstance(decoded, intake.Decoded)
    assert isinstance(decoded.item, VexDocument)
    return decoded.item, decoded


def openvex(*statements: V, **more: Any) -> V:
    return {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://x.org/vex-1", "author": "A B",
            "timestamp": "2024-01-01T00:00:00Z", "version": 2, "statements": list(statements), **more}  # fmt: skip


S = {"status": "not_affected", "vulnerability": {"name": "CVE-2024-1"}}


def test_products_carry_all_identifiers_hashes_and_subcomponents() -> None:
    product = {
        "@id": "pkg:oci/a",
        "identifiers": {"purl": "pkg:oci/a@1", "cpe23": "cpe:2.3:a:x:a:1:*:*:*:*:*:*:*"},
        "hashes": {"sha-256": "abc"},
        "subcomponents": [{"@id": "pkg:apk/alpine/b"}],
    }
    document, decoded = decode(
        "openvex", openvex({**S, "products": [product], "justification": "component_not_present"})
    )
    (statement,) = document.statements
    assert statement.products == (
        VexProduct(
            identifiers=("pkg:oci/a", "pkg:oci/a@1", "cpe:2.3:a:x:a:1:*:*:*:*:*:*:*", "sha-256:abc"),
            subcomponents=("pkg:apk/alpine/b",),
        ),
    )
    assert statement.justification == "component_not_present"
    assert statement.timestamp == datetime(2024, 1, 1, tzinfo=UTC)  # inherited
    assert decoded.source == "openvex:a-b"
    assert decoded.version == "2024-01-01T00:00:00.000000Z/000002"


def test_documents_that_share_an_id_are_told_apart_by_their_product() -> None:
    one = decode("openvex", openvex({**S, "products": [{"@id": "pkg:oci/a"}]}))[1]
    two = decode("openvex", openvex({**S, "products": [{"@id": "pkg:oci/b"}]}))[1]
    assert (one.id, two.id) == ("https://x.org/vex-1#pkg:oci/a", "https://x.org/vex-1#pkg:oci/b")


def test_the_first_version_wrote_strings_and_put_subcomponents_beside_products() -> None:
    old = openvex(
        {"status": "affected", "vulnerability": "CVE-2024-1", "products": ["pkg:oci/a"], "subcomponents": ["pkg:apk/b"],
         "action_statement": "Update."},
        **{"@context": "https://openvex.dev/ns"},
    )  # fmt: skip
    (statement,) = decode("openvex", old)[0].statements
    assert statement.flaws == ("CVE-2024-1",)
    assert statement.products == (VexProduct(identifiers=("pkg:oci/a",), subcomponents=("pkg:apk/b",)),)
    assert statement.action == "Update."


def test_a_statement_without_products_names_nothing() -> None:
    assert decode("openvex", openvex(S))[0].statements[0].products == ()


def test_a_bad_statement_is_left_out_and_noted() -> None:
    document, decoded = decode("openvex", openvex({**S, "status": "fine"}, S, {"status": "fixed"}))
    assert len(document.statements) == 1
    assert decoded.notes == (
        "statements[0] left out: the status is 'fine'",
        "statements[2] left out: it names no vulnerability",
    )
    with pytest.raises(InputError, match="no statement can be read"):
        decode("openvex", openvex({**S, "status": "fine"}))


def cyclonedx(*vulnerabilities: V, **more: Any) -> V:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "urn:uuid:1", "version": 3,
            "vulnerabilities": list(vulnerabilities), **more}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("not_affected", "not_affected"), ("false_positive", "not_affected"), ("exploitable", "affected"),
        ("resolved", "fixed"), ("resolved_with_pedigree", "fixed"), ("in_triage", "under_investigation"),
    ],
)  # fmt: skip
def test_states_read_as_vex_statuses(state: str, status: str) -> None:
    document, _ = decode(
        "cyclonedx-vex", cyclonedx({"id": "CVE-1", "analysis": {"state": state}, "affects": [{"ref": "r"}]})
    )
    assert [s.status for s in document.statements] == [status]


def test_references_resolve_to_purls_also_of_nested_components_and_bom_links() -> None:
    analysis = {"state": "not_affected", "justification": "code_not_reachable"}
    refs = ["top", "inner", "urn:cdx:1/1#pkg:npm/z@1", "urn:cdx:1/1#other", "nameless"]
    document, decoded = decode(
        "cyclonedx-vex",
        cyclonedx(
            {
                "id": "CVE-1",
                "analysis": analysis,
                "affects": [{"ref": ref} for ref in refs],
                "references": [{"id": "GHSA-1"}],
            },
            components=[
                {
                    "bom-ref": "top",
                    "purl": "pkg:npm/a@1",
                    "components": [{"bom-ref": "inner", "purl": "pkg:npm/b@2"}],
                }
            ],
            metadata={
                "component": {"bom-ref": "nameless", "name": "app", "version": "3"},
                "supplier": {"name": "S"},
            },
        ),
    )
    (statement,) = document.statements
    assert statement.flaws == ("CVE-1", "GHSA-1")
    assert [p.identifiers for p in statement.products] == [
        ("pkg:npm/a@1",),
        ("pkg:npm/b@2",),
        ("urn:cdx:1/1#pkg:npm/z@1", "pkg:npm/z@1"),
        ("urn:cdx:1/1#other",),
        ("app@3",),
    ]
    assert statement.justification == "code_not_reachable"
    assert (decoded.source, decoded.id) == ("cyclonedx:S".lower(), "urn:uuid:1")


def test_versions_of_a_product_carry_their_own_status() -> None:
    versions = [
        {"version": "2.4", "status": "affected"},
        {"range": "vers:generic/>=2.9|<=4.1", "status": "unaffected"},
        {"version": "5", "status": "unknown"},
    ]
    document, _ = decode(
        "cyclonedx-vex",
        cyclonedx(
            {
                "id": "CVE-1",
                "analysis": {"state": "exploitable"},
                "affects": [{"ref": "r", "versions": versions}],
            }
        ),
    )
    assert {(s.status, s.products[0].version_range) for s in document.statements} == {
        ("affected", "vers:generic/2.4"),
        ("not_affected", "vers:generic/>=2.9|<=4.1"),
        ("under_investigation", "vers:generic/5"),
    }


def test_vulnerabilities_without_analysis_say_nothing_and_bad_ones_are_noted() -> None:
    document, decoded = decode(
        "cyclonedx-vex",
        cyclonedx(
            {"id": "CVE-1"},
            {"id": "CVE-2", "analysis": {"state": "meh"}},
            {"analysis": {"state": "resolved"}},
        ),
    )
    assert document.statements == ()
    assert [note.partition(" left out")[0] for note in decoded.notes] == [
        "vulnerabilities[1]",
        "vulnerabilities[2]",
    ]
