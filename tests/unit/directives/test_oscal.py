"""OSCAL assessment results: the same bytes each time, unique ids, valid by compliance-trestle where it is installed."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from report_rows import D, asset, report, row

from clearway.directives.oscal import name_uuid
from clearway.directives.reports import ReportRow
from clearway.directives.reports.as_oscal import remediation_oscal, validate
from clearway.records.errors import ConfigError, InputError

needs_trestle = pytest.mark.skipif(
    importlib.util.find_spec("trestle") is None,
    reason="compliance-trestle is not installed (extra clearway[oscal])",
)
HOSTILE = "\x1b[0m\n \x00\u202e" + "x" * 5000


def rows() -> list[ReportRow]:
    gw = asset("asset/2", exposure="public", addresses=("8.8.8.8", "fd00::1"), names=("gw.example.org",))
    return [
        row(due=D - timedelta(days=1), detected=D, row=2, basis="published", reasons=("exposed", "due")),
        row("CVE-2026-2", asset=gw, status="fixed", due=D, remediated_at=D, status_since=D),
        row("CVE-2026-3", asset=gw, tier="FSU", status="accepted", accepted_until=D + timedelta(days=9)),
        row("GHSA-x", asset=gw, tier="out_of_scope"),
        row("CVE-2026-4", asset=gw, status="not_affected", status_since=D, forensic_triage=True, kev_added=D),
    ]


def document(*given: ReportRow, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remediation_oscal(report(*given, **more)))["assessment-results"]
    return found


def test_the_same_report_gives_the_same_bytes_whatever_the_order() -> None:
    assert remediation_oscal(report(*rows())) == remediation_oscal(report(*reversed(rows())))


def test_another_day_is_another_document() -> None:
    first, second = document(*rows()), document(*rows(), as_of=D + timedelta(days=1))
    assert first["uuid"] != second["uuid"]


def test_no_id_is_given_twice_and_every_reference_leads_to_one() -> None:
    found = document(*rows())
    (result,) = found["results"]
    items = {i["uuid"] for i in result["local-definitions"]["inventory-items"]}
    seen = {o["uuid"] for o in result["observations"]}
    risks = {r["uuid"] for r in result["risks"]}
    ids = [found["uuid"], result["uuid"], *items, *seen, *risks, *(f["uuid"] for f in result["findings"])]
    assert max(Counter(ids).values()) == 1
    assert {s["subject-uuid"] for o in result["observations"] for s in o["subjects"]} <= items
    assert {o["observation-uuid"] for r in result["risks"] for o in r["related-observations"]} <= seen
    (finding,) = result["findings"]
    assert {r["risk-uuid"] for r in finding["related-risks"]} == risks
    assert {o["observation-uuid"] for o in finding["related-observations"]} == seen


def test_what_is_overdue_leaves_si_2_unsatisfied() -> None:
    (finding,) = document(*rows())["results"][0]["findings"]
    assert finding["target"] == {
        "type": "statement-id", "target-id": "si-2_smt.c", "status": {"state": "not-satisfied", "reason": "fail"},
    }  # fmt: skip
    (finding,) = document(*rows()[1:])["results"][0]["findings"]
    assert finding["target"]["status"]["state"] == "satisfied"


def test_a_risk_has_its_deadline_at_the_end_of_the_day_and_is_closed_when_remediated() -> None:
    risks = document(*rows())["results"][0]["risks"]
    assert [(r["status"], r.get("deadline")) for r in risks] == [
        ("open", "2026-12-19T23:59:59Z"),
        ("closed", "2026-12-20T23:59:59Z"),
        ("open", None),
    ]


def test_parts_of_a_name_never_run_together() -> None:
    assert name_uuid("a", "bc") != name_uuid("ab", "c")
    assert name_uuid("a\x00b") != name_uuid("a", "b")


def test_every_address_is_a_property_of_its_asset() -> None:
    items = document(*rows())["results"][0]["local-definitions"]["inventory-items"]
    (gw,) = (i for i in items if {"name": "asset-id", "value": "asset/2"} in i["props"])
    named = {p["name"]: p["value"] for p in gw["props"]}
    assert (named["ipv4-address"], named["ipv6-address"], named["fqdn"]) == (
        "8.8.8.8",
        "fd00::1",
        "gw.example.org",
    )


def test_the_validator_says_when_it_is_not_installed() -> None:
    if importlib.util.find_spec("trestle") is not None:
        pytest.skip("compliance-trestle is installed")
    with pytest.raises(ConfigError, match="not installed"):
        validate(b"{}")


@needs_trestle
@pytest.mark.parametrize(
    "given",
    [
        pytest.param([], id="nothing to report"),
        pytest.param(rows(), id="every state"),
        pytest.param(
            [
                row(
                    HOSTILE, component=HOSTILE, status_reason=HOSTILE, reasons=(HOSTILE,),
                    asset=asset(HOSTILE, name=HOSTILE, asset_type=HOSTILE, addresses=(HOSTILE,), names=(" ",)),
                )
            ],
            id="hostile text",
        ),
    ],
)  # fmt: skip
def test_compliance_trestle_accepts_the_document(given: list[ReportRow]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        validate(remediation_oscal(report(*given)))
        validate(remediation_oscal(report(*given, kind="overdue", as_of=date(2027, 1, 1))))


@needs_trestle
def test_compliance_trestle_refuses_a_spoilt_one() -> None:
    data = remediation_oscal(report(*rows()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for bad in (b"{}", b"[" * 100_000, b"\xff", data.replace(b'"status": "open"', b'"state": "open"')):
            with pytest.raises(InputError, match="not OSCAL"):
                validate(bad)
