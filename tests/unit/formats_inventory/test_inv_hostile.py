"""Inventories from somebody who means harm, or whose disk failed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from inventories import FIXTURES

from clearway.formats.inventory import read_inventory
from clearway.records.errors import InputError, TooLargeError

XML = '<bom xmlns="http://cyclonedx.org/schema/bom/1.5">{}</bom>'


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE bom [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE bom SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE bom [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE bom [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>',
    ],
)
def test_xml_with_a_dtd_is_refused_before_it_is_read(prolog: str) -> None:
    with pytest.raises(InputError, match="DTD or entities"):
        read_inventory((prolog + XML.format("")).encode(), "bom.xml")


@pytest.mark.parametrize(
    "text",
    [
        XML.format("")[:-3],
        XML.format("&undefined;"),
        XML.format("\x00"),
        '<?xml version="1.0" encoding="nonsense"?>' + XML.format(""),
        '<?xml version="1.0" encoding="utf-7"?>' + XML.format(""),
        XML.format("<components><component><name>a</components>"),
    ],
)
def test_xml_that_is_not_well_formed_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_inventory(text.encode(), "bom.xml")
    assert caught.value.where == "bom.xml"


def test_xml_of_invalid_utf8_is_refused() -> None:
    with pytest.raises(InputError, match="not well-formed"):
        read_inventory(
            XML.format("<components>\ufffd</components>").encode().replace(b"\xef\xbf\xbd", b"\xff"), "x"
        )


@pytest.mark.parametrize("depth", [150, 100_000])
def test_deep_xml_is_refused(depth: int) -> None:
    nested = "<components><component><name>a</name>" * depth + "</component></components>" * depth
    with pytest.raises(TooLargeError, match="nested deeper than 200 levels"):
        read_inventory(XML.format(nested).encode(), "bom.xml")


def test_xml_that_is_no_bom_is_refused() -> None:
    text = b'<x xmlns="http://cyclonedx.org/schema/bom/1.5"/>'
    with pytest.raises(InputError, match="is not a CycloneDX document"):
        read_inventory(text, "bom.xml")


def refusal(data: bytes, name: str) -> InputError | None:
    try:
        read_inventory(data, name)
    except InputError as e:
        return e
    return None


def nested_bom(levels: int) -> bytes:
    inside = '{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1"'
    return (
        b'{"bomFormat":"CycloneDX","specVersion":"1.5","components":['
        + f'{inside},"components":['.encode() * levels
        + b"]}" * levels
        + b"]}"
    )


def test_components_nested_within_the_bound_are_all_read() -> None:
    assert len(read_inventory(nested_bom(95), "bom.json").components) == 95


@pytest.mark.parametrize("levels", [120, 100_000])
def test_components_nested_beyond_the_bound_are_refused(levels: int) -> None:
    with pytest.raises(TooLargeError, match="nested deeper than 200 levels"):
        read_inventory(nested_bom(levels), "bom.json")


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_a_document_cut_anywhere_is_read_or_refused_but_never_crashes(name: str) -> None:
    data = (FIXTURES / name).read_bytes()
    for end in range(0, len(data), max(1, len(data) // 60)):
        error = refusal(data[:end], name)
        assert error is None or (error.where and error.what)


@pytest.mark.parametrize(
    "name", ["trivy.cdx.json", "spdx3.json", "package-lock-v1.json", "package-lock-v3.json", "purls.json"]
)
def test_a_cut_json_document_is_refused(name: str) -> None:
    data = (FIXTURES / name).read_bytes().rstrip()
    with pytest.raises(InputError):
        read_inventory(data[:-1], name)


@pytest.mark.parametrize("where", ["top", "component", "ignored"])
def test_a_repeated_key_is_refused_in_parts_that_are_read_and_in_those_that_are_not(where: str) -> None:
    text = {
        "top": '{"bomFormat":"CycloneDX","specVersion":"1.5","components":[],"components":[{}]}',
        "component": '{"bomFormat":"CycloneDX","components":[{"name":"a","name":"b"}]}',
        "ignored": '{"bomFormat":"CycloneDX","annotations":[{"a":{"b":1,"b":2}}]}',
    }[where]
    with pytest.raises(InputError, match="occurs twice"):
        read_inventory(text.encode(), "bom.json")


def test_invalid_utf8_is_refused_in_parts_that_are_not_read() -> None:
    with pytest.raises(InputError, match="invalid UTF-8 at byte"):
        read_inventory(b'{"bomFormat":"CycloneDX","annotations":["\xff"]}', "bom.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" * 10_000])
def test_numbers_that_are_no_json_numbers_are_refused_or_harmless(number: str) -> None:
    text = f'{{"bomFormat":"CycloneDX","components":[{{"name":"a","version":{number}}}]}}'
    with pytest.raises(InputError):
        read_inventory(text.encode(), "bom.json")


def test_a_huge_string_costs_its_size_once() -> None:
    huge = "a" * 20_000_000
    text = json.dumps(
        {
            "bomFormat": "CycloneDX",
            "components": [{"type": "library", "name": "a", "purl": f"pkg:npm/{huge}@1"}],
        }
    )
    (component,) = read_inventory(text.encode(), "bom.json").components
    assert component.problem == "purl is longer than 8192 characters"
    assert len(component.purl) <= 300


@pytest.mark.parametrize("text", ["pkg:npm/" + "%41" * 2600, "pkg:" + "/" * 8000, "pkg:npm/a?" + "&" * 8000])
def test_a_purl_of_bad_intent_is_quick(text: str) -> None:
    bom = json.dumps({"bomFormat": "CycloneDX", "components": [{"purl": text}] * 100}).encode()
    started = time.process_time()
    read_inventory(bom, "bom.json")
    assert time.process_time() - started < 2


@pytest.mark.parametrize("kind", ["purl", "cpe23Type"])
def test_a_package_of_many_references_is_quick(kind: str) -> None:
    references = [
        {"referenceType": kind, "referenceLocator": f"pkg:npm/a@{i}" if kind == "purl" else f"cpe:2.3:a:{i}"}
        for i in range(50_000)
    ]
    document = {"spdxVersion": "SPDX-2.3", "packages": [{"name": "a", "externalRefs": references}]}
    started = time.process_time()
    read_inventory(json.dumps(document).encode(), "sbom.json")
    assert time.process_time() - started < 3


def test_terminal_and_bidirectional_controls_stay_data() -> None:
    name = "\x1b[2J\u202eevil"
    text = json.dumps({"bomFormat": "CycloneDX", "components": [{"type": "library", "name": name}]})
    assert read_inventory(text.encode(), "bom.json").components[0].name == name


GROWTH = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from clearway.formats.inventory import read_inventory

def bom(count):
    parts = [b'{"bomFormat":"CycloneDX","specVersion":"1.5","components":[']
    for i in range(count):
        parts.append(b'%s{"bom-ref":"c%d","type":"library","name":"pkg-%d","version":"1.%d.0","purl":"pkg:npm/pkg-%d@1.%d.0"}'
                     % (b"," if i else b"", i, i, i, i, i))
    parts.append(b"]}")
    return b"".join(parts)

for count in map(int, sys.argv[2:]):
    data = bom(count)
    started = time.process_time()
    inventory = read_inventory(data, "bom.json")
    seconds = time.process_time() - started
    assert len(inventory.components) == count
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    del data, inventory
"""


def grow(*counts: int) -> list[tuple[float, int]]:
    """(CPU seconds, peak MiB) of reading so many components, in a process of their own."""
    source = Path(__file__).resolve().parents[3] / "src"
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(source), *map(str, counts)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [(float(a), int(b)) for a, b in (line.split() for line in done.stdout.splitlines())]


def test_cost_grows_linearly_with_components() -> None:
    (small, _), (large, _) = grow(20_000, 100_000)
    assert large < 5 * small * 2


@pytest.mark.slow
def test_a_million_components_fit_in_a_gibibyte() -> None:
    ((_, peak_mib),) = grow(1_000_000)
    assert peak_mib < 1024
