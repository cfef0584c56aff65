"""Installed software of Windows, from five tools."""

from __future__ import annotations

import pytest
from fleet_documents import FLEET, assets, document, only, triples

from clearway.advisories.vendors import bundled
from clearway.formats.inventory import read_inventory
from clearway.formats.observed import read_observed
from clearway.formats.windows_software import product_name


def test_the_registry_of_several_hosts_is_several_assets() -> None:
    found = assets("uninstall.csv")
    assert triples(found["WS-17"]) == [("vendor", "Mozilla Firefox", "102.0"), ("vendor", "7-Zip", "22.01")]
    assert found["WS-17"].components[0].vendor == "Mozilla"
    assert found["WS-17"].ids.hostname == "ws-17"
    assert [c.name for c in found["WS-18"].components] == ["Python 3.11.4"]
    assert document("uninstall.csv").passed_over == 1


def test_json_of_the_registry_sets_aside_what_is_no_entry() -> None:
    found = document("uninstall.json")
    assert triples(found.observed[0]) == [("vendor", "Google Chrome", "114.0.5735.90")]
    assert [a.place for a in found.set_aside] == ["[2]"]


def test_json_as_windows_powershell_writes_it_to_a_file_is_utf_16() -> None:
    text = '[{"DisplayName": "Chrome", "DisplayVersion": "1", "Publisher": "Google LLC"}]'
    (one,) = read_observed(text.encode("utf-16"), "out.json")
    assert triples(one) == [("vendor", "Chrome", "1")]


def test_get_package_lists_programs_and_passes_over_updates() -> None:
    found = document("get-package.csv")
    assert triples(found.observed[0]) == [("vendor", "Notepad++", "8.5.4")]
    assert found.passed_over == 1


def test_wmic_writes_utf_16_with_odd_line_ends_and_does_not_quote() -> None:
    found = document("wmic.csv")
    assert triples(found.observed[0]) == [("vendor", "Adobe Acrobat Reader DC", "19.010.20098")]
    assert found.observed[0].ids.hostname == "ws-17"
    (aside,) = found.set_aside
    assert aside.reason.startswith("has 6 cells, the header 5")


def test_winget_list_takes_vendor_and_product_from_the_id() -> None:
    found = document("winget.txt")
    listed = [(c.vendor, c.name, c.version, c.problem) for c in found.observed[0].components]
    assert listed == [
        ("Mozilla", "Firefox", "102.0", ""),
        ("7zip", "7zip", "22.01", ""),
        ("Microsoft", "Edge", "", "'< 114.0' is a bound, not a version"),
        ("", "Some Local Tool", "1.2.3", ""),
    ]
    assert "cut short" in found.set_aside[0].reason


def test_winget_export_has_versions_only_where_it_was_asked_for_them() -> None:
    one = only("winget-export.json")
    assert [(c.vendor, c.name, c.version) for c in one.components] == [
        ("Mozilla", "Firefox", "102.0"),
        ("Microsoft", "VisualStudioCode", ""),
    ]
    assert (one.witness.tool, one.witness.version) == ("winget", "1.5.1572")


@pytest.mark.parametrize(
    ("display", "version", "name"),
    [
        ("Mozilla Firefox 102.0 (x64 en-US)", "102.0", "Mozilla Firefox"),
        ("7-Zip 22.01 (x64)", "22.01", "7-Zip"),
        ("Notepad++ (64-bit x64)", "8.5.4", "Notepad++"),
        ("PuTTY release 0.78 (64-bit)", "0.78.0.0", "PuTTY release 0.78"),
        ("Git version 2.40.1", "2.40.1", "Git"),
        ("Java 8 Update 371 (64-bit)", "8.0.3710.11", "Java 8 Update 371"),
        ("Visual C++ 2015 Redistributable (x64) - 14.36.32532", "14.36.32532", "Visual C++ 2015 Redistributable"),
        ("102.0", "102.0", "102.0"),
        ("Product 1.1", "1", "Product 1.1"),
    ],
)  # fmt: skip
def test_a_display_name_loses_what_repeats_the_version_or_the_architecture(
    display: str, version: str, name: str
) -> None:
    assert product_name(display, version) == name


def test_what_the_registry_calls_products_is_in_the_reviewed_vendor_map() -> None:
    for vendor, display in (
        ("Mozilla", "Mozilla Firefox 102.0 (x64 en-US)"),
        ("Google LLC", "Google Chrome"),
    ):
        assert bundled().find(vendor, product_name(display, "102.0")).reviewed, display


def test_match_reads_it_too_with_the_host_of_each_component() -> None:
    inventory = read_inventory((FLEET / "uninstall.csv").read_bytes(), "uninstall.csv")
    assert inventory.format == "windows-csv"
    assert [c.host for c in inventory.components] == ["WS-17", "WS-17", "WS-18"]


def test_quotes_that_wmic_writes_as_they_are_are_part_of_the_name() -> None:
    (one,) = read_observed(b'Node,Name,Vendor,Version\r\nWS-1,"Best" Tool 17" Edition,X,1.0\r\n', "w.csv")
    assert triples(one) == [("vendor", '"Best" Tool 17" Edition', "1.0")]
