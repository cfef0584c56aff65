"""Findings as SARIF, CycloneDX VEX and OpenVEX."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from clearway.formats import report_cyclonedx_vex, report_openvex, report_sarif
from clearway.formats.report_parts import iri, is_cpe, moment, severity, source_of
from clearway.records.inventory import Component
from report_samples import AS_OF, FINDINGS, INVENTORY, LODASH

WRITERS = [report_sarif, report_cyclonedx_vex, report_openvex]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__.rpartition(".")[2])
def test_the_same_findings_give_the_same_bytes_on_one_line(writer: Any) -> None:
    first = writer.write(FINDINGS, INVENTORY, AS_OF)
    assert first == writer.write(list(FINDINGS), INVENTORY, AS_OF)
    assert b"\n" not in first
    assert first != writer.write(FINDINGS[1:], INVENTORY, AS_OF)
    json.loads(first)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__.rpartition(".")[2])
def test_no_findings_are_a_document_too(writer: Any) -> None:
    json.loads(writer.write((), INVENTORY, AS_OF))


def sarif() -> Any:
    return json.loads(report_sarif.write(FINDINGS, INVENTORY, AS_OF))


def test_sarif_has_the_structure_that_the_standard_requires() -> None:
    document = sarif()
    assert document["version"] == "2.1.0"  # §3.13.2
    (run,) = document["runs"]  # §3.13.4
    driver = run["tool"]["driver"]  # §3.14.6, §3.18.2
    assert driver["name"] == "Clearway"  # §3.19.8
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert len(identifiers) == len(set(identifiers))  # §3.19.23
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]  # §3.49.9
    assert len(run["results"]) == len(FINDINGS)
    for result in run["results"]:
        assert result["message"]["text"]  # §3.27.11
        assert identifiers[result["ruleIndex"]] == result["ruleId"]  # §3.27.6
        assert result["kind"] in ("pass", "open", "informational", "notApplicable", "review", "fail")
        assert result["level"] in ("none", "note", "warning", "error")
        assert (result["level"] == "none") == (result["kind"] != "fail")  # §3.27.10
        (location,) = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]  # §3.4.5
        assert location["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1  # §3.30.5
    (invocation,) = run["invocations"]
    assert invocation == {"executionSuccessful": True, "endTimeUtc": "2026-03-01T12:00:00Z"}  # §3.20.14


def test_sarif_levels_follow_exploitation_and_score() -> None:
    results = sarif()["runs"][0]["results"]
    assert [(r["kind"], r["level"]) for r in results] == [
        ("fail", "error"),
        ("fail", "error"),
        ("notApplicable", "none"),
        ("open", "none"),
        ("open", "none"),
    ]


def test_sarif_says_in_words_what_is_affected_why_and_what_to_do() -> None:
    text = sarif()["runs"][0]["results"][0]["message"]["text"]
    assert text == (
        "lodash 4.17.20 is affected by CVE-2021-23337: 4.17.20 is in [0, 4.17.21). "
        "To do: update to 4.17.21; due 2026-03-15 under BOD 26-04."
    )


def test_sarif_places_are_relative_references_and_lines() -> None:
    results = sarif()["runs"][0]["results"]
    physical = results[1]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "fleet%20a/site%3A1/products.csv"
    assert physical["region"] == {"startLine": 3}
    assert "region" not in results[0]["locations"][0]["physicalLocation"]


def test_a_fingerprint_is_the_flaw_in_the_component_and_nothing_that_changes() -> None:
    def fingerprint(finding: Any) -> str:
        document = json.loads(report_sarif.write([finding], INVENTORY, AS_OF))
        value: str = document["runs"][0]["results"][0]["partialFingerprints"]["flawInComponent/v1"]
        return value

    from msgspec.structs import replace

    first = FINDINGS[0]
    assert fingerprint(first) == fingerprint(replace(first, score=9.9, due=None, reasons=()))
    assert fingerprint(first) != fingerprint(replace(first, component=replace(LODASH, version="4.17.19")))


def test_cyclonedx_speaks_of_each_component_once() -> None:
    document = json.loads(report_cyclonedx_vex.write(FINDINGS, INVENTORY, AS_OF))
    assert [component["name"] for component in document["components"]][:2] == ["lodash", "Connect Secure"]
    assert len(document["components"]) == 3
    references = [v["affects"][0]["ref"] for v in document["vulnerabilities"]]
    assert references == ["component-1", "component-2", "component-1", "component-3", "component-3"]
    states = [v["analysis"]["state"] for v in document["vulnerabilities"]]
    assert states == ["exploitable", "exploitable", "not_affected", "in_triage", "in_triage"]
    properties = {p["name"]: p["value"] for p in document["vulnerabilities"][0]["properties"]}
    assert properties["clearway:due"] == "2026-03-15"


def test_openvex_says_what_to_do_and_leaves_repeats_out() -> None:
    document = json.loads(report_openvex.write((*FINDINGS, FINDINGS[0]), INVENTORY, AS_OF))
    assert len(document["statements"]) == len(FINDINGS)
    first = document["statements"][0]
    assert first["products"][0]["@id"] == "pkg:npm/lodash@4.17.20"
    assert first["action_statement"] == "update to 4.17.21; due 2026-03-15 under BOD 26-04"
    assert document["statements"][1]["action_statement"] == "no fixed version is known"
    assert document["statements"][2]["impact_statement"] == "vex"
    assert document["statements"][3]["status"] == "under_investigation"
    assert document["@id"].startswith("urn:uuid:")


def test_a_component_without_purl_is_named_by_a_urn() -> None:
    product = Component(ecosystem="vendor", vendor="A: B", name="C/D", version="1")
    assert iri(product) == "urn:clearway:vendor:A%3A%20B:C%2FD:1"
    assert iri(Component(purl="pkg:PyPI/Django@1")) == "pkg:pypi/Django@1"


@pytest.mark.parametrize(
    ("score", "rating"),
    [
        (None, ""),
        (0.0, "none"),
        (0.1, "low"),
        (3.9, "low"),
        (4.0, "medium"),
        (7.0, "high"),
        (9.0, "critical"),
    ],
)
def test_a_score_has_the_rating_that_cvss_gives_it(score: float | None, rating: str) -> None:
    assert severity(score) == rating


@pytest.mark.parametrize(
    ("flaw", "source"),
    [
        ("CVE-2021-1", ("NVD", "https://nvd.nist.gov/vuln/detail/CVE-2021-1")),
        ("GHSA-a-b-c", ("GitHub", "https://github.com/advisories/GHSA-a-b-c")),
        ("PYSEC-2021-1", ("OSV", "https://osv.dev/vulnerability/PYSEC-2021-1")),
        ("ALSA-2021:1", ("OSV", "https://osv.dev/vulnerability/ALSA-2021%3A1")),
        ("odd", ("odd", "")),
    ],
)
def test_an_id_leads_to_its_public_page(flaw: str, source: tuple[str, str]) -> None:
    assert source_of(flaw) == source


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("cpe:2.3:a:lodash:lodash:4.17.20:*:*:*:*:node.js:*:*", True),
        (r"cpe:2.3:a:x:y\:z:1:*:*:*:*:*:*:*", True),
        ("cpe:/a:lodash:lodash:4", True),
        ("cpe:2.3:a:lodash", False),
        ("cpe:nonsense", False),
        ("cpe:/a:b c", False),
    ],
)
def test_only_what_has_the_form_of_a_cpe_is_written_as_one(text: str, valid: bool) -> None:
    assert is_cpe(text) == valid


def test_times_are_utc_to_the_second() -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=5))).replace(microsecond=5)
    assert moment(elsewhere) == "2026-03-01T12:00:00Z"
