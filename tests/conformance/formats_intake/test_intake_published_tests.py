"""Published test suites: valid documents read, invalid ones never crash, and none becomes an advisory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from clearway.formats import archive, detect, intake
from clearway.records.errors import ClearwayError
from shared import shared

SUITES = [
    "csaf-provider-fixtures-gocsaf", "cve-record-schema", "cyclonedx-schema-and-tests", "oasis-csaf-tests",
    "openvex-schema", "osv-schema", "purl-spec-tests", "ssvc-decision-tables", "stix-validator-test-examples",
    "stix2-json-schemas-and-examples", "univers-test-vectors", "vers-spec-tests",
]  # fmt: skip


def blobs(suite: str) -> Iterator[archive.Blob]:
    for item in archive.walk([shared(f"conformance/{suite}.tar.zst")]):
        assert isinstance(item, archive.Blob)
        yield item


@pytest.mark.parametrize("suite", SUITES)
def test_no_published_document_crashes_any_reader(suite: str) -> None:
    for blob in blobs(suite):
        detect.detect(blob.data, blob.place)
        for kind in detect.RECORD_KINDS:
            try:
                list(intake.decode(kind, blob.data, blob.place))
            except ClearwayError as e:
                assert e.where  # noqa: PT017 - every refusal names its place


def test_the_test_documents_of_the_csaf_committee_do_not_become_advisories() -> None:
    kinds = Counter(detect.detect(b.data, b.place).kind for b in blobs("oasis-csaf-tests"))
    # 14 are real advisories of real publishers that the specification carries as examples.
    assert kinds["csaf"] + kinds["csaf-vex"] == 14
    assert kinds["test-document"] == 1_137


@pytest.mark.parametrize("version", ["csaf_2.0", "csaf_2.1"])
def test_valid_csaf_test_documents_of_both_versions_are_read(version: str) -> None:
    """In the committee's numbering the documents that end in -1x and more are valid."""
    read = 0
    for blob in blobs("oasis-csaf-tests"):
        name = blob.place.rpartition("!")[2]
        number = name.rpartition("-")[2].removesuffix(".json")
        if not (version in name and "/mandatory/" in name and number.isdigit() and int(number) >= 11):
            continue
        list(intake.decode("csaf", blob.data, blob.place))
        read += 1
    assert read > 40


def test_osv_schema_samples_are_read() -> None:
    read = [
        decoded
        for blob in blobs("osv-schema")
        if detect.detect(blob.data, blob.place).kind == "osv"
        for decoded in intake.decode("osv", blob.data, blob.place)
    ]
    assert len(read) == 23


def test_cyclonedx_analyses_of_all_versions_are_read() -> None:
    found = Counter(detect.detect(b.data, b.place).kind for b in blobs("cyclonedx-schema-and-tests"))
    assert found["cyclonedx-vex"] == 4
    assert found["unknown"] == 0
