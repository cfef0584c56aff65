"""Every SBOM of the shared data, counted."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator

import pytest
import zstandard

from clearway.formats.inventory import read_inventory
from clearway.records.errors import InputError
from clearway.records.inventory import Inventory
from shared import shared


def files(relative: str) -> Iterator[tuple[str, bytes]]:
    with (
        shared(relative).open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def read_all(relative: str) -> tuple[dict[str, Inventory], list[str]]:
    read, refused = {}, []
    for name, data in files(relative):
        try:
            read[name] = read_inventory(data, name)
        except InputError:
            refused.append(name.rpartition("/")[2])
    return read, refused


def counts(inventory: Inventory) -> tuple[int, int]:
    """(components, components with a purl)."""
    return len(inventory.components), sum(bool(component.purl) for component in inventory.components)


# Of the 964 documents, `make test` reads every eighth, and all that hold what few hold.
RARE = (b'%28devel%29"', b'"pkg:maven/"', b"almalinux")
WHOLE = {
    "npm": 52_723, "Go": 43_036, "Maven": 42_583, "Debian:11": 32_011, "Ubuntu:20.04": 27_876, "AlmaLinux:8": 175,
    "Alpine:v3.16": 2_495,
}  # fmt: skip
SAMPLE = {
    "npm": 9_327, "Go": 16_287, "Maven": 7_365, "Debian:11": 5_076, "Ubuntu:20.04": 2_930, "AlmaLinux:8": 175,
    "Alpine:v3.16": 423,
}  # fmt: skip


@pytest.mark.parametrize(
    ("every", "count", "referenced", "sourced", "of"),
    [
        # 275,198 references, of which each document's own image is its subject.
        pytest.param(1, 964, 275_198 - 964, 123_220, WHOLE, marks=pytest.mark.slow),
        (8, 189, 55_817, 20_682, SAMPLE),
    ],
)
def test_no_container_sbom_is_lost_and_every_purl_becomes_a_component(
    every: int, count: int, referenced: int, sourced: int, of: dict[str, int]
) -> None:
    ecosystems: Counter[str] = Counter()
    problems: Counter[tuple[str, str]] = Counter()
    documents = purls = with_source = 0
    for number, (name, data) in enumerate(files("sbom/spdx-1000-containers-trivy.tar.zst")):
        if number % every and not any(text in data for text in RARE):
            continue
        inventory = read_inventory(data, name)
        documents += 1
        for component in inventory.components:
            ecosystems[component.ecosystem] += 1
            purls += bool(component.purl)
            with_source += bool(component.source_name)
            if component.problem:
                problems[component.purl, component.problem] += 1
        assert inventory.root_purl.startswith("pkg:oci/")
    assert documents == count
    assert purls == referenced
    assert problems == {
        ("pkg:golang/@%28devel%29", "purl is missing its name"): 2,
        ("pkg:maven/", "purl is missing its name"): 2,
    }
    assert {name: ecosystems[name] for name in of} == of
    # Nothing is left without its release.
    assert not {"Debian", "Ubuntu", "Alpine", "Red Hat", "AlmaLinux", "SUSE"} & set(ecosystems)
    assert with_source == sourced


def test_one_image_seen_by_four_tools_is_read_from_each() -> None:
    read, refused = read_all("sbom/spdx-same-image-four-tools.tar.zst")
    assert refused == []
    found = {name.rpartition("/")[2].partition("-sha256")[0]: counts(i) for name, i in read.items()}
    assert found == {
        "spdx-bom-airbyte_db": (20, 2),
        "spdx-bom-grafana_loki": (24, 3),
        "spdx-bom-hashicorp_terraform": (3, 0),
        "spdx-bom-hashicorp_vault": (32, 4),
        "spdx-syft-airbyte_db": (43, 42),
        "spdx-syft-grafana_loki": (220, 219),
        "spdx-syft-hashicorp_terraform": (185, 184),
        "spdx-syft-hashicorp_vault": (383, 382),
        "spdx-tern-airbyte_db": (51, 0),
        "spdx-tern-grafana_loki": (23, 0),
        "spdx-tern-hashicorp_terraform": (35, 0),
        "spdx-trivy-airbyte_db": (42, 42),
        "spdx-trivy-grafana_loki": (218, 218),
        "spdx-trivy-hashicorp_terraform": (183, 183),
        "spdx-trivy-hashicorp_vault": (381, 381),
    }


# Components and purls of files that strict readers refuse (one odd field, SPDX 3, tag-value), and of the larger ones.
VARIOUS = {
    "flux_0.26.3_sbom.spdx.json": (244, 244),
    "grype-sbom.spdx.json": (1160, 1157),
    "microsoft-sbom-tool.spdx.json": (122, 122),
    "fatbom-sbom.spdx": (477, 475),
    "xml2json-sbom.spdx": (1, 0),
    "appbomination.spdx3.json": (6, 4),
    "appbomination.spdx.json": (6, 4),
    "bom.1.1.xml": (62, 62),
    "bom.1.4.json": (1116, 1116),
    "proton-bridge-v1.6.3.bom.json": (202, 202),
    "istio-release.spdx": (3428, 0),
    "powershell.spdx.json": (330, 330),
}


def test_of_the_various_sboms_only_a_licence_is_no_inventory() -> None:
    read, refused = read_all("sbom/sboms-various.tar.zst")
    assert refused == ["LICENSE"]
    assert len(read) == 52
    formats = Counter(inventory.format.partition("-")[0] for inventory in read.values())
    assert formats == {"spdx": 30, "spdx3": 11, "cyclonedx": 11}
    by_path = {name: counts(inventory) for name, inventory in read.items()}
    xml = {name: value for name, value in by_path.items() if name.endswith(".xml")}
    assert sorted(xml.values()) == [(62, 62), (168, 168), (884, 884)]
    hardware = next(value for name, value in by_path.items() if "HBOM" in name)
    assert hardware == (1, 0)
    for name, expected in VARIOUS.items():
        assert expected in [value for path, value in by_path.items() if path.endswith(f"/{name}")], name
    assert sum(components for components, _ in by_path.values()) == 10_547
    assert sum(purls for _, purls in by_path.values()) == 6_700


def test_one_document_says_the_same_as_json_and_as_tag_value_and_as_spdx_3() -> None:
    read, _ = read_all("sbom/sboms-various.tar.zst")

    def named(end: str) -> set[tuple[str, str, str]]:
        (inventory,) = (i for name, i in read.items() if name.endswith(end))
        return {(c.ecosystem, c.name, c.version) for c in inventory.components}

    assert named("julia.spdx") == named("julia.spdx.json")
    assert named("appbomination.spdx.json") == named("appbomination.spdx3.json")
