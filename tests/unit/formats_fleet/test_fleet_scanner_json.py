"""Trivy, Grype, OSV-Scanner and Dependabot."""

from __future__ import annotations

from datetime import date

import pytest
from fleet_documents import assets, document, only, triples

from clearway.formats.observed import read_fleet, read_observed
from clearway.records.asset_identity import same_asset
from clearway.records.errors import InputError


def test_trivy_names_the_image_by_its_digests_and_not_by_its_layers() -> None:
    one = only("trivy-image.json")
    assert one.type == "container image"
    assert len(one.ids.image_digests) == 2
    assert (one.os, one.distro) == ("debian 11.7", "debian-11.7")
    assert one.seen is not None
    (detection,) = one.detections
    assert (detection.flaw, detection.aliases, detection.fixed) == (
        "CVE-2022-4304",
        ("DSA-5343-1",),
        ("1.1.1n-0+deb11u4",),
    )
    assert triples(one) == [("Debian:11", "libssl1.1", "1.1.1n-0+deb11u3")]


def test_trivys_word_that_a_fix_exists_is_not_that_the_asset_is_fixed() -> None:
    assert only("trivy-image.json").detections[0].state == "open"


def test_a_vulnerability_without_an_id_is_set_aside() -> None:
    assert [a.place for a in document("trivy-image.json").set_aside] == ["Results[0].Vulnerabilities[1]"]


def test_grype_prefers_the_cve_keeps_the_alias_and_marks_what_was_ignored() -> None:
    one = only("grype.json")
    assert [(d.flaw, d.aliases, d.state) for d in one.detections] == [
        ("CVE-2011-3374", (), "dismissed"),
        ("CVE-2021-44228", ("GHSA-jfh8-c2jp-5v3q",), "open"),
        ("CVE-2022-4304", (), "open"),
    ]
    assert (one.witness.tool, one.witness.version) == ("grype", "0.70.0")


def test_two_scanners_that_saw_one_digest_are_two_witnesses_of_one_asset() -> None:
    trivy, grype = only("trivy-image.json"), only("grype.json")
    answer = same_asset(trivy, grype)
    assert answer.same
    assert len(answer.by) == 2
    assert {trivy.witness.tool, grype.witness.tool} == {"trivy", "grype"}


def test_osv_scanner_groups_records_of_one_flaw() -> None:
    one = only("osv-scanner.json")
    assert triples(one) == [("PyPI", "django", "2.0"), ("npm", "flot-axis", "0.0.0")]
    assert [(d.flaw, d.aliases, d.fixed) for d in one.detections] == [
        ("CVE-2018-14574", ("GHSA-5hg3-6c2f-f3wr", "PYSEC-2018-2"), ("2.0.8",)),
        ("MAL-2023-1035", (), ()),
    ]


def test_dependabot_says_when_it_first_saw_a_flaw_in_each_repository() -> None:
    found = assets("dependabot.json")
    (open_one,) = found["corp/shop"].detections
    assert (open_one.flaw, open_one.first_detected) == ("CVE-2018-14574", date(2022, 6, 15))
    assert (open_one.purl, open_one.place) == ("pkg:pypi/django", "requirements.txt")
    assert found["corp/web"].detections[0].state == "dismissed"
    assert [a.place for a in document("dependabot.json").set_aside] == ["[2]"]


def test_trivys_report_of_a_cluster_is_an_asset_for_each_resource() -> None:
    result = b'{"Target": "x", "Vulnerabilities": [{"VulnerabilityID": "CVE-2022-4304", "PkgName": "p"}]}'
    data = (
        b"""{"ClusterName": "prod", "Resources": [
        {"Namespace": "shop", "Kind": "Deployment", "Name": "web", "Results": [%s]},
        {"Namespace": "shop", "Kind": "Deployment", "Name": "db", "Results": []}, 7]}"""
        % result
    )
    found = read_fleet(data, "k8s.json")
    assert [(o.name, len(o.detections)) for o in found.observed] == [
        ("shop/Deployment/db", 0),
        ("shop/Deployment/web", 1),
    ]
    assert len(found.set_aside) == 1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"matches": [], "source": {}, "source": {}}', "occurs twice"),
        (b'{"SchemaVersion": 2, "Results": ["\\u0000"]}', "NUL"),
        (b'{"SchemaVersion": 2, "Results": [', "is not a document"),
        (b'[{"security_advisory": {}}', "not JSON"),
        (b'{"SchemaVersion": 2, "ArtifactName": "x", "CreatedAt": "soon"}', "no date"),
    ],
)
def test_a_document_that_is_broken_as_a_whole_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_observed(data, "x.json")


def test_what_trivy_really_wrote_of_an_image_is_read() -> None:
    one = only("trivy-0.76-image.json")
    assert (one.name, one.type, one.distro) == ("corp/shop:1.4", "container image", "debian-12.4")
    assert (one.witness.tool, one.witness.version) == ("trivy", "0.76.0")
    assert triples(one)[:2] == [
        ("Debian:12", "bash", "5.2.15-2+b2"),
        ("Debian:12", "libssl3", "3.0.11-1~deb12u2"),
    ]
    assert one.components[1].source_name == "openssl"
    assert one.complete
    assert one.detections[0].cve == "CVE-2018-14574"
    assert one.detections[0].aliases == ("GHSA-5hg3-6c2f-f3wr", "PYSEC-2018-2")
    assert len(one.ids.image_digests) == 1
