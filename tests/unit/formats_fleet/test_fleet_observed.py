"""Every inventory is one asset of one witness."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_documents import FLEET

from clearway.formats.detect import detect
from clearway.formats.inventory import read_inventory
from clearway.formats.observed import inventory_of, read_observed
from clearway.records.errors import InputError

INVENTORIES = Path(__file__).resolve().parents[2] / "fixtures" / "inventory"
FILES = sorted(path for path in INVENTORIES.iterdir() if path.name != "products.csv")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_an_inventory_is_exactly_one_asset_with_all_its_components(path: Path) -> None:
    data = path.read_bytes()
    (one,) = read_observed(data, path.name)
    inventory = read_inventory(data, path.name)
    assert one.components == inventory.components
    assert (one.name, one.format, one.distro) == (path.name, inventory.format, inventory.distro)
    assert one.complete
    whole = inventory_of(one)
    assert (whole.components, whole.vex, whole.root_purl) == (
        inventory.components,
        inventory.vex,
        inventory.root_purl,
    )


def test_an_sbom_names_its_witness_when_it_looked_and_the_image() -> None:
    digest = "sha256:" + "ab" * 32
    data = b"""{"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": {"timestamp": "2023-06-28T11:50:44Z",
      "tools": {"components": [{"name": "Syft", "version": "1.18.1"}]},
      "component": {"type": "container", "name": "shop", "version": "%s"}}, "components": []}""" % digest.encode()
    (one,) = read_observed(data, "s.json")
    assert (one.witness.tool, one.witness.version) == ("syft", "1.18.1")
    assert one.ids.image_digests == (digest,)
    assert one.type == "container image"
    assert one.seen is not None


def test_a_list_of_tools_as_before_cyclonedx_1_5_is_read() -> None:
    data = b"""{"bomFormat": "CycloneDX", "specVersion": "1.4", "metadata": {"tools": [{"vendor": "a", "name": "Trivy",
      "version": "0.40"}], "component": {"type": "container", "name": "x", "properties": [
      {"name": "aquasecurity:trivy:ImageID", "value": "sha256:%s"}]}}, "components": []}""" % (b"cd" * 32)
    (one,) = read_observed(data, "s.json")
    assert one.witness.tool == "trivy"
    assert one.ids.image_digests == ("sha256:" + "cd" * 32,)


@pytest.mark.parametrize(
    "data", [b"", b"  \n", b"\xff\xfe", b"hello", b"{}", b"<a/>", b"\x00\x01", b'{"a":' * 9999]
)
def test_what_is_no_document_about_assets_is_refused_with_what_would_be(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        read_observed(data, "x")
    assert refused.value.mend


@pytest.mark.parametrize("name", ["nmap-network.xml", "scan.nessus", "trivy-image.json", "assets.csv"])
def test_intake_of_advisories_passes_over_what_is_seen_of_a_fleet(name: str) -> None:
    found = detect((FLEET / name).read_bytes(), name)
    assert (found.kind, found.is_skipped) == ("inventory", True)


def test_match_says_of_a_document_without_components_what_it_is() -> None:
    with pytest.raises(InputError, match="not of what is installed"):
        read_inventory((FLEET / "scan.nessus").read_bytes(), "scan.nessus")


def test_a_row_that_match_could_not_use_is_named_and_told_from_a_remark() -> None:
    (problem,) = read_inventory((FLEET / "wmic.csv").read_bytes(), "wmic.csv").problems
    assert problem.startswith("line 4: has 6 cells")
    assert problem.endswith("(set aside)")
