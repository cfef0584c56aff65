"""The vendor map: every KEV entry accounted for, no spelling with two meanings, and no merge that would lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.vendors import VendorMap, bundled, fold
from shared import ROOT, shared

MAP = ROOT / "src" / "clearway" / "advisories" / "data" / "vendor-map.json"
DOCUMENT: dict[str, Any] = json.loads(MAP.read_bytes())


def spellings(product: dict[str, Any]) -> list[tuple[str, str]]:
    return [(product["vendor"], product["product"]), *((v, p) for v, p in product["names"])]


def test_every_kev_entry_is_a_product_of_the_map_or_stands_under_not_merged() -> None:
    refused = {(entry["vendor"], entry["product"]) for entry in DOCUMENT["not_merged"]}
    entries = json.loads((ROOT / "data" / "facts" / "kev.json").read_bytes())["vulnerabilities"]
    pairs = {(entry["vendorProject"].strip(), entry["product"].strip()) for entry in entries}
    assert len(pairs) > 650
    for vendor, product in pairs:
        assert bundled().find(vendor, product).reviewed != ((vendor, product) in refused), (vendor, product)
    assert refused <= pairs


def test_not_merged_says_why() -> None:
    assert {entry["why"] for entry in DOCUMENT["not_merged"]} == {
        "names several products",
        "names no product",
    }


def test_no_spelling_means_two_products() -> None:
    seen: dict[tuple[str, str], str] = {}
    for product in DOCUMENT["products"]:
        key = f"{product['vendor']}/{product['product']}"
        for vendor, name in spellings(product):
            assert seen.setdefault((fold(vendor), fold(name)), key) == key, (vendor, name)


def test_products_and_names_are_sorted_unique_and_complete() -> None:
    keys = [(product["vendor"], product["product"]) for product in DOCUMENT["products"]]
    assert keys == sorted(set(keys))
    for product in DOCUMENT["products"]:
        assert set(product) == {"vendor", "product", "names", "scheme"}
        assert product["scheme"] == "generic"
        assert all(text.strip() for pair in spellings(product) for text in pair)


SAME = [
    (("Cisco", "IOS XE Software"), ("cisco", "ios_xe")),
    (("Cisco", "ASA"), ("Cisco", "Cisco Adaptive Security Appliance (ASA) Software")),
    (("Ivanti", "EPMM"), ("ivanti", "endpoint_manager_mobile")),
    (("Fortinet", "FortiClient EMS"), ("fortinet", "forticlient_enterprise_management_server")),
    (("Palo Alto Networks", "PAN-OS"), ("paloaltonetworks", "pan-os")),
    (("Progress Software Corporation", "WhatsUp Gold"), ("progress", "whatsup_gold")),
    (("Apache Software Foundation", "Apache HTTP Server"), ("apache", "http_server")),
    (("Veeam", "Backup & Replication"), ("veeam", "backup_\\&_replication")),
    (("Synacor", "Zimbra Collaboration Suite (ZCS)"), ("zimbra", "zimbra_collaboration_suite")),
    (("Microsoft", "Microsoft Exchange Server"), ("Microsoft", "Exchange Server")),
    (("Citrix", "NetScaler ADC"), ("citrix", "netscaler_application_delivery_controller")),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=[" ".join(one) for one, _ in SAME])
def test_these_are_one_product(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = bundled().find(*one), bundled().find(*other)
    assert first.reviewed
    assert first.key == second.key


APART = [
    (("Cisco", "IOS"), ("Cisco", "IOS XE")),
    (("Cisco", "IOS XE"), ("Cisco", "IOS XR")),
    (("Fortinet", "FortiOS"), ("Fortinet", "FortiProxy")),
    (("Ivanti", "Endpoint Manager"), ("Ivanti", "Endpoint Manager Mobile")),
    (("Ivanti", "Connect Secure"), ("Ivanti", "Policy Secure")),
    (("Google", "Chromium V8"), ("Google", "Chrome")),
    (("Microsoft", "Windows"), ("Microsoft", "Windows 10 Version 1809")),
    (("Microsoft", "Windows Server 2012"), ("Microsoft", "Windows Server 2012 R2")),
    (("VMware", "vCenter Server"), ("VMware", "Cloud Foundation")),
    (("Atlassian", "Confluence Server"), ("Atlassian", "Jira Server")),
    (("Jenkins", "Jenkins Command Line Interface (CLI)"), ("Jenkins", "Jenkins")),
    (("Progress", "MOVEit Transfer"), ("Progress", "MOVEit Cloud")),
]


@pytest.mark.parametrize(("one", "other"), APART, ids=[" ".join(one) for one, _ in APART])
def test_these_are_two_products(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert bundled().find(*one).key != bundled().find(*other).key


@pytest.mark.parametrize(
    "vendor",
    ["Fortinet, Inc.", "Fortinet Inc", "FORTINET,INC.", "Fortinet Incorporated", "Fortinet Corp.", "Fortinet GmbH",
     "Fortinet S.A.", "Fortinet AG", "Fortinet LLC", "Fortinet Co., Ltd.", "Fortinet Company", "fortinet corporation"],
)  # fmt: skip
def test_a_legal_form_behind_the_name_does_not_matter(vendor: str) -> None:
    assert bundled().find(vendor, "FortiOS") == bundled().find("Fortinet", "FortiOS")


@pytest.mark.parametrize(
    "vendor", ["Fortinet Foundation", "Inc. Fortinet", "Fortinetinc", "Inc.", "Ltd Inc", "Fortinet Inc Labs"]
)
def test_another_word_or_place_does(vendor: str) -> None:
    assert not bundled().find(vendor, "FortiOS").reviewed


def test_a_spelling_of_the_map_is_taken_as_it_stands_before_its_legal_form_goes() -> None:
    entries = [("acme", "Acme"), ("acmeinc", "Acme Inc")]
    products = [{"vendor": v, "product": "box", "names": [(spelt, "Box")]} for v, spelt in entries]
    vendors = VendorMap({"products": products})
    assert vendors.find("Acme, Inc.", "Box").key == "acmeinc/box"
    assert vendors.find("Acme Ltd", "Box").key == "acme/box"
    assert vendors.find("Contoso, Inc.", "Box") == ("contosoinc/box", False, "generic")


def test_a_spelling_that_nobody_reviewed_is_not_reviewed() -> None:
    assert not bundled().find("Contoso", "Payroll").reviewed
    assert not bundled().find("", "FortiOS").reviewed


@pytest.mark.slow
def test_the_same_snapshots_give_the_same_map(tmp_path: Path) -> None:
    made = tmp_path / "map.json"
    script = ROOT / "scripts" / "compile_vendor_map.py"
    source = shared("kev").parent
    subprocess.run(
        [sys.executable, script, "--from", source, "--out", made], check=True, stdout=subprocess.DEVNULL
    )
    assert made.read_bytes() == MAP.read_bytes()
