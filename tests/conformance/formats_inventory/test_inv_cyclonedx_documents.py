"""The valid documents of the CycloneDX specification, 1.4 to 1.7: all are read, and XML and JSON agree."""

from __future__ import annotations

import tarfile

import zstandard

from clearway.formats.inventory import read_inventory
from clearway.records.inventory import Inventory
from shared import shared

# Pairs of one name whose two files describe different things.
NOT_THE_SAME = {
    *(
        (version, name)
        for version in ("1.4", "1.5")
        for name in ("valid-bom", "valid-component-ref", "valid-dependency")
    ),
    *(
        (version, f"valid-license-{kind}")
        for version in ("1.4", "1.5")
        for kind in ("expression", "id", "name")
    ),
    ("1.7", "valid-cryptography-implementation"),
    ("1.7", "valid-license-choice"),
}


def documents() -> dict[tuple[str, str, str], Inventory]:
    """(version, name, "json" or "xml") -> inventory of each valid document."""
    found = {}
    path = shared("conformance/cyclonedx-schema-and-tests.tar.zst")
    with (
        path.open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            *_, version, name = ("", *member.name.split("/"))
            stem, _, kind = name.rpartition(".")
            if stem.startswith("valid-") and kind in ("json", "xml"):
                file = tar.extractfile(member)
                assert file is not None
                found[version, stem.removesuffix(f"-{version}"), kind] = read_inventory(file.read(), name)
    return found


def test_every_valid_document_is_read_and_json_and_xml_say_the_same() -> None:
    read = documents()
    assert len(read) == 350
    pairs = 0
    differing = {}
    for (version, name, kind), inventory in read.items():
        assert inventory.format == f"cyclonedx-{kind}-{version}"
        other = read.get((version, name, "xml"))
        if kind == "json" and other is not None:
            pairs += 1
            ours = [(c.ecosystem, c.name, c.version, c.purl) for c in inventory.components]
            theirs = [(c.ecosystem, c.name, c.version, c.purl) for c in other.components]
            if ours != theirs or len(inventory.vex) != len(other.vex):
                differing[version, name] = (len(ours), len(theirs))
    assert pairs > 150
    assert set(differing) == NOT_THE_SAME
