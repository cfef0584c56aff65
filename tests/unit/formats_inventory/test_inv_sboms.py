"""CycloneDX and SPDX documents as inventories."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from inventories import facts, fixture, triples

from clearway.formats.inventory import kind_of, read_inventory
from clearway.records.errors import InputError
from clearway.records.inventory import Inventory
from clearway.records.vex import VexProduct, VexStatement


def cyclonedx(*components: Any, **top: Any) -> Inventory:
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components), **top}
    return read_inventory(json.dumps(document).encode(), "bom.json")


def spdx(*packages: Any, **top: Any) -> Inventory:
    document = {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": list(packages), **top}
    return read_inventory(json.dumps(document).encode(), "sbom.json")


def test_a_cyclonedx_document_says_what_it_is() -> None:
    inventory = fixture("trivy.cdx.json")
    assert inventory.format == "cyclonedx-json-1.5"
    assert inventory.created == "2026-01-02T03:04:05Z"
    assert inventory.serial == "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
    assert inventory.exposure == "public"
    assert inventory.distro == "alma-8.7"


def test_nested_components_follow_their_parent_and_ancestors_are_none() -> None:
    assert triples(fixture("trivy.cdx.json")) == [
        ("AlmaLinux:8", "dbus", "1:1.12.8-23.el8"),
        ("", "com.example/outer", "1"),
        ("npm", "lodash", "4.17.20"),
        ("npm", "innermost", "1.0.0"),
        ("GitHub Actions", "docker/login-action", "v2"),
        ("", "zlib", "v1.2.11"),
        ("", "broken", "1"),
    ]


def test_the_place_of_a_nested_component_is_its_path() -> None:
    places = [component.place for component in fixture("trivy.cdx.json").components]
    assert places[2:4] == ["components[3].components[0]", "components[3].components[0].components[0]"]


def test_the_operating_system_named_after_the_packages_still_applies() -> None:
    dbus = fixture("trivy.cdx.json").components[0]
    assert facts(dbus) == {
        "ecosystem": "AlmaLinux:8",
        "name": "dbus",
        "version": "1:1.12.8-23.el8",
        "source_name": "dbus",
        "source_version": "1:1.12.8-23.el8",
        "arch": "x86_64",
    }


def test_one_bad_purl_costs_one_component_and_says_why() -> None:
    broken = fixture("trivy.cdx.json").components[-1]
    assert (broken.name, broken.purl, broken.problem) == ("broken", "pkg:maven/", "purl is missing its name")


def test_only_vulnerabilities_with_an_analysis_are_statements() -> None:
    first, second = fixture("trivy.cdx.json").vex
    assert first == VexStatement(
        flaws=("CVE-2021-23337",),
        products=(VexProduct(identifiers=("pkg:npm/lodash@4.17.20", "inner")),),
        status="not_affected",
        justification="code_not_reachable",
        impact="template() is not called",
    )
    assert isinstance(second, VexStatement)
    assert second.flaws == ("CVE-2020-8203", "GHSA-p6mc-m468-83gw")
    assert second.products[0].identifiers[0] == "pkg:npm/lodash@4.17.20"
    assert (second.status, second.action) == ("affected", "update")


def test_xml_means_what_json_means() -> None:
    inventory = fixture("nested.cdx.xml")
    assert (inventory.format, inventory.exposure, inventory.distro) == (
        "cyclonedx-xml-1.5",
        "internal",
        "debian-12",
    )
    assert triples(inventory) == [
        ("npm", "gateway", "2"),
        ("", "com.example/outer", "1"),
        ("npm", "lodash", "4.17.20"),
        ("Debian:12", "libssl3", "3.0.11-1"),
    ]
    assert inventory.components[3].cpes == ("cpe:2.3:a:openssl:openssl:3.0.11:*:*:*:*:*:*:*",)
    assert inventory.components[3].source_name == "openssl"
    (statement,) = inventory.vex
    assert isinstance(statement, VexStatement)
    assert (statement.status, statement.action) == ("not_affected", "will_not_fix")
    assert statement.products[0].identifiers[0] == "pkg:npm/lodash@4.17.20"


def test_the_root_is_a_component_when_it_can_be_judged() -> None:
    def root(**component: str) -> list[str]:
        return [
            c.name for c in cyclonedx(metadata={"component": {"type": "application", **component}}).components
        ]

    assert root(name="a", version="1", purl="pkg:npm/a@1") == ["a"]
    assert root(name="a", version="1") == []
    assert root(name="a", purl="pkg:npm/a") == []
    assert root(name="a", purl="pkg:oci/a@sha256:0", version="1") == []


def test_the_version_stands_in_where_the_purl_has_none() -> None:
    inventory = cyclonedx({"type": "library", "name": "a", "version": "1.0", "purl": "pkg:npm/a"})
    assert triples(inventory) == [("npm", "a", "1.0")]


@pytest.mark.parametrize(
    ("purl", "stated", "version"),
    [
        ("pkg:rpm/alma/dbus@1.12.8-23.el8", "1:1.12.8-23.el8", "1:1.12.8-23.el8"),
        ("pkg:rpm/alma/dbus@1.12.8-23.el8?epoch=1", "1:1.12.8-23.el8", "1:1.12.8-23.el8"),
        ("pkg:rpm/alma/dbus@1:1.12.8-23.el8?epoch=1", "1.12.8-23.el8", "1:1.12.8-23.el8"),
        ("pkg:rpm/alma/dbus@1.12.8-23.el8", "2:9.9", "1.12.8-23.el8"),
        ("pkg:rpm/alma/dbus?epoch=1", "1.12.8-23.el8", "1:1.12.8-23.el8"),
    ],
)
def test_an_epoch_known_to_purl_or_document_is_in_the_version_once(
    purl: str, stated: str, version: str
) -> None:
    (component,) = cyclonedx({"type": "library", "name": "dbus", "version": stated, "purl": purl}).components
    assert component.version == version


def test_a_component_with_a_cpe_alone_keeps_it() -> None:
    cpe = "cpe:2.3:a:nginx:nginx:1.20:*:*:*:*:*:*:*"
    (component,) = cyclonedx(
        {"type": "application", "name": "nginx", "version": "1.20", "cpe": cpe}
    ).components
    assert (component.ecosystem, component.cpes) == ("", (cpe,))


def test_components_of_the_wrong_type_are_named_and_the_rest_lands() -> None:
    inventory = cyclonedx(
        "text", None, {"type": "library", "name": 7, "version": 1.5, "purl": 3}, {"name": "ok"}
    )
    assert inventory.problems == (
        "components[0] is not an object",
        "components[1] is not an object",
        "components[2].purl is not a string",
    )
    assert triples(inventory) == [("", "7", "1.5"), ("", "ok", "")]


@pytest.mark.parametrize("components", [None, []])
def test_no_components_are_an_empty_inventory(components: Any) -> None:
    assert cyclonedx(components=components).components == ()


@pytest.mark.parametrize("components", [3, "x", {"a": 1}, True])
def test_components_that_are_no_list_are_refused(components: Any) -> None:
    with pytest.raises(InputError, match="`components` is not a list"):
        cyclonedx(components=components)


def test_an_exposure_that_is_no_word_of_ours_is_a_problem() -> None:
    inventory = cyclonedx(metadata={"properties": [{"name": "clearway:exposure", "value": "perhaps"}]})
    assert inventory.exposure == ""
    assert len(inventory.problems) == 1


def test_a_vulnerability_of_an_unknown_state_is_a_problem_and_no_statement() -> None:
    inventory = cyclonedx(vulnerabilities=[{"id": "CVE-1", "analysis": {"state": "maybe"}}, 3])
    assert inventory.vex == ()
    assert inventory.problems == (
        "vulnerabilities[0] has the unknown state 'maybe'",
        "vulnerabilities[1] is not an object",
    )


def package(name: str, purl: str = "", **more: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"SPDXID": f"SPDXRef-{name}", "name": name, **more}
    if purl:
        entry["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
        ]
    return entry


def test_spdx_packages_take_distribution_and_source_from_the_document() -> None:
    inventory = spdx(
        package("libc6", "pkg:deb/debian/libc6@2.31-13", sourceInfo="built package from: glibc 2.31-13"),
        package("debian", versionInfo="11.6", primaryPackagePurpose="OPERATING-SYSTEM"),
    )
    assert inventory.distro == "debian-11.6"
    (libc6,) = inventory.components
    assert facts(libc6) == {
        "ecosystem": "Debian:11",
        "name": "libc6",
        "version": "2.31-13",
        "source_name": "glibc",
        "source_version": "2.31-13",
    }


def test_spdx_no_assertion_is_no_version() -> None:
    assert triples(spdx(package("a", versionInfo="NOASSERTION"), package("b", versionInfo="NONE"))) == [
        ("", "a", ""),
        ("", "b", ""),
    ]


def test_the_subject_of_an_spdx_document_is_a_component_only_when_it_has_a_purl_or_is_all_there_is() -> None:
    described = {"documentDescribes": ["SPDXRef-root"]}
    lodash = package("lodash", "pkg:npm/lodash@4.17.20")
    assert triples(spdx(package("root"), lodash, **described)) == [("npm", "lodash", "4.17.20")]
    assert len(spdx(package("root", "pkg:npm/root@1"), lodash, **described).components) == 2
    assert len(spdx(package("root", "pkg:oci/root@sha256:00"), lodash, **described).components) == 1
    assert triples(spdx(package("root", versionInfo="1"), **described)) == [("", "root", "1")]


@pytest.mark.parametrize("word", ["DESCRIBES", "DESCRIBE"])
def test_the_subject_may_be_named_by_a_relationship(word: str) -> None:
    relationship = {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": word,
        "relatedSpdxElement": "SPDXRef-root",
    }
    inventory = spdx(package("root"), package("a", "pkg:npm/a@1"), relationships=[relationship])
    assert triples(inventory) == [("npm", "a", "1")]


def test_a_package_with_two_purls_is_two_components_and_repeats_count_once() -> None:
    entry = package("a", "pkg:npm/a@1")
    for purl in ("pkg:npm/a@1", "pkg:npm/a@2"):
        entry["externalRefs"].append({"referenceType": "purl", "referenceLocator": purl})
    assert triples(spdx(entry)) == [("npm", "a", "1"), ("npm", "a", "2")]


def test_tag_value_reads_packages_and_no_text_block_or_file() -> None:
    inventory = fixture("purls.spdx")
    assert (inventory.format, inventory.distro, inventory.created) == (
        "spdx-tag-2.3",
        "alpine-3.18.2",
        "2026-01-02T03:04:05Z",
    )
    assert triples(inventory) == [("npm", "lodash", "4.17.20"), ("Alpine:v3.18", "musl", "1.2.4-r0")]
    assert inventory.components[0].cpes == ("cpe:2.3:a:lodash:lodash:4.17.20:*:*:*:*:node.js:*:*",)
    assert inventory.components[0].place == "line 20"


def test_tag_value_with_bare_carriage_returns_is_read() -> None:
    text = b"SPDXVersion: SPDX-2.2\rPackageName: a\rExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\r"
    assert triples(read_inventory(text, "a.spdx")) == [("npm", "a", "1")]


def test_a_tag_value_subject_named_at_the_end_is_still_the_subject() -> None:
    text = b"SPDXVersion: SPDX-2.3\nPackageName: root\nSPDXID: SPDXRef-r\nPackageName: a\nSPDXID: SPDXRef-a\n"
    for end in (b"\n", b""):
        relationship = b"Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-r" + end
        assert triples(read_inventory(text + relationship, "a.spdx")) == [("", "a", "")]


def test_tag_value_of_invalid_utf8_names_the_line() -> None:
    with pytest.raises(InputError, match="line 2: invalid UTF-8"):
        read_inventory(b"SPDXVersion: SPDX-2.2\nPackageName: \xff\n", "a.spdx")


def test_spdx_3_terms_mean_the_same_short_prefixed_and_as_iris() -> None:
    inventory = fixture("spdx3.json")
    assert (inventory.format, inventory.distro, inventory.serial, inventory.created) == (
        "spdx3-json-3.0.1",
        "alpine-3.18.2",
        "https://example.org/doc",
        "2026-01-02T03:04:05Z",
    )
    assert triples(inventory) == [
        ("npm", "lodash", "4.17.20"),
        ("Alpine:v3.18", "musl", "1.2.4-r0"),
        ("npm", "minimist", "1.2.0"),
    ]
    assert inventory.components[1].cpes == ("cpe:2.3:a:musl-libc:musl:1.2.4:*:*:*:*:*:*:*",)


def test_spdx_3_may_be_one_element() -> None:
    inventory = fixture("spdx3-single.json")
    assert triples(inventory) == [("npm", "lodash", "4.17.20")]
    assert inventory.format == "spdx3-json-3.0.1"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"a":1}',
        b"just words",
        b"<html></html>",
        b'{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}',
        b"[1]",
        b"a,b\n1,2\n",
        b'{"payload":"text","sbom":"text"}',
        b"\x00\x01\x02",
    ],
)
def test_what_is_no_inventory_is_refused_and_the_message_says_what_would_be(data: bytes) -> None:
    assert kind_of(data, "x") == ""
    with pytest.raises(InputError, match="not an inventory in a known format") as caught:
        read_inventory(data, "x")
    assert "CycloneDX" in caught.value.mend


@pytest.mark.parametrize("data", [b"", b"  \n"])
def test_an_empty_file_is_said_to_be_empty(data: bytes) -> None:
    with pytest.raises(InputError, match="is empty"):
        read_inventory(data, "x")


def test_a_byte_order_mark_is_skipped() -> None:
    inventory = read_inventory(b'\xef\xbb\xbf{"bomFormat":"CycloneDX","specVersion":"1.4"}', "x")
    assert inventory.format == "cyclonedx-json-1.4"


SBOM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "components": [{"type": "library", "purl": "pkg:npm/a@1"}],
}
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "image", "digest": {"sha256": "00"}}],
    "predicateType": "https://cyclonedx.org/bom",
    "predicate": SBOM,
}


def envelope(payload: bytes) -> dict[str, Any]:
    return {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": ""}],
    }


@pytest.mark.parametrize(
    "document",
    [
        STATEMENT,
        envelope(json.dumps(STATEMENT).encode()),
        {"sbom": {"spdxVersion": "SPDX-2.3", "packages": [package("a", "pkg:npm/a@1")]}},
        {"padding": "x" * 5000, "sbom": SBOM},
    ],
    ids=["statement", "envelope", "export", "late key"],
)
def test_an_sbom_carried_by_something_else_is_read(document: dict[str, Any]) -> None:
    assert triples(read_inventory(json.dumps(document).encode(), "x")) == [("npm", "a", "1")]


@pytest.mark.parametrize(
    "document",
    [
        {"predicateType": "https://slsa.dev/provenance/v1", "predicate": {"a": 1}},
        {"predicateType": "https://spdx.dev/Document", "predicate": 3},
        {"predicateType": "https://spdx.dev/Document"},
        {"payloadType": "application/vnd.in-toto+json", "payload": "not base64!"},
        {"payloadType": "application/vnd.in-toto+json", "payload": ""},
        {"sbom": []},
        envelope(
            json.dumps(envelope(json.dumps(envelope(json.dumps(envelope(b"{}")).encode())).encode())).encode()
        ),
    ],
)
def test_a_wrapper_of_something_else_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_inventory(json.dumps(document).encode(), "x")


def test_a_wrapper_that_repeats_a_key_is_refused() -> None:
    text = (
        b'{"predicateType":"https://cyclonedx.org/bom","predicate":{"bomFormat":"CycloneDX"},"predicate":{}}'
    )
    with pytest.raises(InputError, match="occurs twice"):
        read_inventory(text, "x")


def test_the_subject_has_its_purl_where_it_is_no_component() -> None:
    assert fixture("trivy.cdx.json").root_purl == "pkg:oci/gateway@sha256:00?arch=amd64"
    assert fixture("nested.cdx.xml").root_purl == "pkg:npm/gateway@2"
    described = {"documentDescribes": ["SPDXRef-root"]}
    assert spdx(package("root", "pkg:oci/root@sha256:00"), **described).root_purl == "pkg:oci/root@sha256:00"
