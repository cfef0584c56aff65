"""What one source's word makes of one version, where CVE records and VEX differ from OSV."""

from __future__ import annotations

from datetime import date

import pytest

from clearway.advisories.vendors import VendorMap
from clearway.exposure.match import Matcher
from clearway.formats import cve
from clearway.records.inventory import Component, Inventory
from world import table_of

DAY = date(2026, 11, 25)
CISA_ADP = {"orgId": "134c704f-9b21-4f2e-91b3-4a467353bcc0", "shortName": "CISA-ADP"}
MAP = VendorMap(
    {
        "version": "test",
        "products": [{"vendor": "acme", "product": "gateway", "names": [["Acme, Inc.", "Gateway"]]}],
    }
)


def record(*versions: dict[str, str], default: str = "unknown", product: str = "Gateway"):
    return cve.advisory(
        {
            "dataType": "CVE_RECORD",
            "cveMetadata": {"cveId": "CVE-2026-0001", "state": "PUBLISHED", "assignerShortName": "acme"},
            "containers": {
                "cna": {
                    "providerMetadata": {"shortName": "acme"},
                    "affected": [
                        {
                            "vendor": "Acme Inc",
                            "product": product,
                            "versions": list(versions),
                            "defaultStatus": default,
                        }
                    ],
                }
            },
        }
    )


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.setattr("clearway.advisories.vendors.bundled", lambda: MAP)
    monkeypatch.setattr("clearway.advisories.compile.bundled", lambda: MAP, raising=False)

    def ask(item, version: str, *, vendor: str = "Acme, Inc.", name: str = "Gateway"):
        table = table_of(tmp_path, item, vendors=MAP)
        component = Component(ecosystem="vendor", vendor=vendor, name=name, version=version)
        inventory = Inventory(name="t", format="t", components=(component,))
        return Matcher(table, as_of=DAY).match(inventory, detected=DAY, detected_by="given")

    return ask


RANGE = {"version": "4.0.0", "lessThan": "4.2.1", "status": "affected", "versionType": "custom"}


def test_a_reviewed_product_inside_the_vendors_range_is_affected(report):
    finding = report(record(RANGE), "4.1.9").findings[0]
    assert (finding.verdict, finding.basis, finding.fixed) == ("affected", "vendor_range", ("4.2.1",))


def test_a_version_past_a_stated_end_is_what_the_vendor_calls_fixed(report):
    assert report(record(RANGE), "4.2.1").not_affected == 1


def test_a_version_below_everything_stated_is_unknown_when_the_vendor_is_silent_about_it(report):
    found = report(record(RANGE), "3.9")
    assert (found.unknown, found.findings) == (1, ())
    assert "do not speak of this version" in found.unjudged[0].reason


def test_a_version_below_everything_stated_is_clear_when_the_vendor_says_so(report):
    assert report(record(RANGE, default="unaffected"), "3.9").not_affected == 1


def test_what_a_record_clears_beside_a_range_is_clear(report):
    lts = {"version": "4.1.5-LTS", "status": "unaffected"}
    assert report(record(RANGE, lts), "4.1.5-LTS").affected == 0
    assert report(record(RANGE, lts), "4.1.4").affected == 1


def test_a_product_that_agrees_by_text_only_is_possible_and_never_affected(report):
    found = report(record(RANGE, product="Gadget"), "4.1.9", vendor="acme inc", name="gadget")
    assert [(f.verdict, f.basis, f.due) for f in found.findings] == [("unknown", "possible_name", None)]
    assert found.affected == 0


def test_text_that_is_no_version_range_makes_unknown(report):
    found = report(record({"version": "10.0.0 < publication", "status": "affected"}), "9.0")
    assert found.affected == 0
    assert found.unknown == 1


def test_a_clearing_wider_than_the_affirmation_takes_nothing_back(report):
    wide = {"version": "4.0.0", "lessThan": "*", "status": "unaffected", "versionType": "custom"}
    assert report(record(RANGE, wide), "4.1.0").affected == 1
    assert report(record(RANGE, wide), "4.2.1").not_affected == 1


def test_a_version_that_a_record_only_clears_others_of_is_unknown_without_a_finding(report):
    fixed = {"version": "4.2.1", "status": "unaffected", "versionType": "custom"}
    found = report(record(fixed), "4.1.0")
    assert (found.affected, found.unknown, found.findings) == (0, 1, ())


def two_voices(cna: dict[str, object], adp: dict[str, object]):
    """One CVE record in which the CNA and CISA's container each state ranges of one product."""
    entry = {"vendor": "Acme Inc", "product": "Gateway"}
    return cve.advisory(
        {
            "dataType": "CVE_RECORD",
            "cveMetadata": {"cveId": "CVE-2026-0001", "state": "PUBLISHED", "assignerShortName": "acme"},
            "containers": {
                "cna": {"providerMetadata": {"shortName": "acme"}, "affected": [{**entry, **cna}]},
                "adp": [{"providerMetadata": CISA_ADP, "affected": [{**entry, **adp}]}],
            },
        }
    )


def test_one_voice_of_a_record_never_clears_what_another_affirms(report):
    clearing = {
        "versions": [{"version": "4.1.0", "lessThan": "4.2", "status": "unaffected", "versionType": "custom"}]
    }
    finding = report(two_voices(clearing, {"versions": [RANGE]}), "4.1.5").findings[0]
    assert finding.verdict == "affected"
    assert finding.sources == ("cve:cisa-adp",)
    assert any(r.startswith("cve:acme disagrees") for r in finding.reasons)


def test_a_range_that_ends_before_it_starts_is_unknown_and_not_endless(report):
    backwards = {"version": "6.0.0", "lessThan": "1.001", "status": "affected", "versionType": "custom"}
    found = report(record(backwards), "6.0.6003.99999")
    assert (found.affected, found.unknown) == (0, 1)


def test_of_overlapping_ranges_the_one_that_knows_a_fix_speaks(report):
    endless = {"version": "4.0.0", "lessThan": "*", "status": "affected", "versionType": "custom"}
    assert report(record(endless, RANGE), "4.1.0").findings[0].fixed == ("4.2.1",)
    assert report(record(RANGE, endless), "4.1.0").findings[0].fixed == ("4.2.1",)
