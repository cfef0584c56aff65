"""The report writers against the published schemas, over findings of every shape."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest
import zstandard
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from clearway.formats import report_cyclonedx_vex, report_openvex
from clearway.formats.cyclonedx_vulnerabilities import statements
from clearway.formats.inventory import read_inventory
from clearway.records.vex import VexStatement
from report_samples import AS_OF, FINDINGS, INVENTORY
from shared import shared


def json_files(relative: str, folder: str) -> dict[str, Any]:
    found = {}
    with (
        shared(relative).open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            if member.name.endswith(".json") and folder in member.name:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = json.load(file)
    return found


@pytest.fixture(scope="module")
def cyclonedx_schema() -> Draft7Validator:
    schemas = json_files("conformance/cyclonedx-schema-and-tests.tar.zst", "schema/")
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values() if "$id" in schema
    )
    return Draft7Validator(
        schemas["schema/bom-1.6.schema.json"], registry=registry, format_checker=FormatChecker()
    )


@pytest.fixture(scope="module")
def openvex_schema() -> Draft202012Validator:
    schema = json_files("conformance/openvex-schema.tar.zst", "")["openvex_json_schema.json"]
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_the_cyclonedx_vex_is_valid_1_6(cyclonedx_schema: Draft7Validator) -> None:
    document = json.loads(report_cyclonedx_vex.write(FINDINGS, INVENTORY, AS_OF))
    assert [error.message for error in cyclonedx_schema.iter_errors(document)] == []
    for finding in FINDINGS:
        one = json.loads(report_cyclonedx_vex.write([finding], INVENTORY, AS_OF))
        assert [error.message for error in cyclonedx_schema.iter_errors(one)] == []
    none = json.loads(report_cyclonedx_vex.write([], INVENTORY, AS_OF))
    assert [error.message for error in cyclonedx_schema.iter_errors(none)] == []


def test_the_schema_does_refuse_a_vex_with_a_state_of_our_own(cyclonedx_schema: Draft7Validator) -> None:
    document = json.loads(report_cyclonedx_vex.write(FINDINGS, INVENTORY, AS_OF))
    document["vulnerabilities"][0]["analysis"]["state"] = "affected"
    assert list(cyclonedx_schema.iter_errors(document))


def test_the_openvex_document_is_valid(openvex_schema: Draft202012Validator) -> None:
    document = json.loads(report_openvex.write(FINDINGS, INVENTORY, AS_OF))
    assert [error.message for error in openvex_schema.iter_errors(document)] == []
    del document["statements"][0]["action_statement"]
    assert list(openvex_schema.iter_errors(document))


def test_our_cyclonedx_vex_read_back_says_what_was_found() -> None:
    inventory = read_inventory(report_cyclonedx_vex.write(FINDINGS, INVENTORY, AS_OF), "vex.json")
    words = {"affected": "affected", "not_affected": "not_affected", "unknown": "under_investigation"}
    read = [x for x in inventory.vex if isinstance(x, VexStatement)]
    assert [(x.flaws[0], x.status) for x in read] == [(f.flaw, words[f.verdict]) for f in FINDINGS]
    assert read[0].products[0].identifiers[0] == FINDINGS[0].component.purl


def test_real_cyclonedx_vex_documents_give_statements() -> None:
    documents = json_files("vex/cyclonedx-vex-examples.tar.zst", "")
    found = 0
    for name, document in documents.items():
        problems: list[str] = []
        found += len(statements(document.get("vulnerabilities", []), {}, problems))
        assert problems == [], name
    assert (len(documents), found) == (39, 112)
