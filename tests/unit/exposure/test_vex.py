"""VEX takes back what it names and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from clearway.exposure.match import Matcher
from clearway.exposure.vex import claims_in, read_documents, rule
from clearway.records.errors import InputError
from clearway.records.inventory import Component, Inventory
from clearway.records.vex import VexDocument, VexProduct, VexStatement
from world import record, table_of

DAY = date(2026, 11, 25)
COMPONENT = Component(ecosystem="PyPI", name="a", version="1.0", purl="pkg:pypi/a@1.0")
IMAGE = "pkg:oci/shop@sha256%3Aabc?repository_url=registry.example.com/shop"


def document(product: str, *parts: str, flaw: str = "CVE-2024-1", status: str = "not_affected", **more):
    products = (VexProduct(identifiers=(product,), subcomponents=parts),) if product else ()
    statement = VexStatement(
        flaws=(flaw,), products=products, status=status, justification="code_not_reachable", **more
    )
    return VexDocument(
        id="doc",
        source="openvex:acme",
        format="openvex",
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        statements=(statement,),
    )


@pytest.fixture
def verdict(tmp_path):
    def ask(*documents: VexDocument, root: str = "", stored: bool = False):
        advisory = record("PYSEC-1", "PyPI", "a", {"introduced": "0"}, aliases=["CVE-2024-1"])
        table = table_of(tmp_path, advisory, *(documents if stored else ()))
        given = [] if stored else [c for d in documents for c in claims_in(d)]
        inventory = Inventory(name="t", format="t", components=(COMPONENT,), root_purl=root)
        report = Matcher(table, as_of=DAY).match(
            inventory, detected=DAY, detected_by="given", rules=[rule(table, given, DAY)]
        )
        return report.findings[0]

    return ask


@pytest.mark.parametrize("stored", [False, True])
def test_a_statement_about_the_component_takes_the_finding_back_and_stays_visible(verdict, stored):
    finding = verdict(document("pkg:pypi/a@1.0"), stored=stored)
    assert (finding.verdict, finding.basis) == ("not_affected", "vex")
    assert any("openvex:acme" in r and "code_not_reachable" in r for r in finding.reasons)


def test_a_statement_by_an_alias_reaches_the_flaw(verdict):
    assert verdict(document("pkg:pypi/a@1.0", flaw="PYSEC-1")).verdict == "not_affected"


def test_a_product_without_a_version_reaches_every_version(verdict):
    assert verdict(document("pkg:pypi/a")).verdict == "not_affected"


@pytest.mark.parametrize(
    "product", ["pkg:pypi/a@1.1", "pkg:pypi/b@1.0", "pkg:npm/a@1.0", "pkg:pypi/a@1.0?arch=arm64", "", "a"]
)
def test_a_statement_about_something_else_changes_nothing(verdict, product):
    assert verdict(document(product)).verdict == "affected"


def test_a_statement_about_another_flaw_changes_nothing(verdict):
    assert verdict(document("pkg:pypi/a@1.0", flaw="CVE-2024-2")).verdict == "affected"


@pytest.mark.parametrize("stored", [False, True])
def test_a_part_is_taken_back_only_inside_the_product_that_the_statement_names(verdict, stored):
    statement = document(IMAGE, "pkg:pypi/a@1.0")
    assert verdict(statement, root=IMAGE, stored=stored).verdict == "not_affected"
    assert verdict(statement, root="pkg:oci/other", stored=stored).verdict == "affected"
    assert verdict(statement, stored=stored).verdict == "affected"


def test_an_expired_statement_is_shown_and_changes_nothing(verdict):
    finding = verdict(document("pkg:pypi/a@1.0", expires=datetime(2026, 11, 1, tzinfo=UTC)))
    assert finding.verdict == "affected"
    assert any("expired on 2026-11-01" in r for r in finding.reasons)


def test_the_newest_statement_decides(verdict):
    late = document("pkg:pypi/a@1.0", status="affected", timestamp=datetime(2026, 6, 1, tzinfo=UTC))
    assert verdict(document("pkg:pypi/a@1.0"), late).verdict == "affected"


def test_under_investigation_is_shown_and_changes_nothing(verdict):
    finding = verdict(document("pkg:pypi/a@1.0", status="under_investigation"))
    assert finding.verdict == "affected"
    assert any("under_investigation" in r for r in finding.reasons)


def test_a_statement_made_after_the_day_asked_about_is_not_known_yet(verdict):
    late = document("pkg:pypi/a@1.0", timestamp=datetime(2026, 12, 1, tzinfo=UTC))
    assert verdict(late).verdict == "affected"


def test_a_document_that_is_an_example_by_its_id_is_told_to_be_one(tmp_path: Path) -> None:
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://vex.riverside.example/2026/1",
        "author": "Riverside",
        "timestamp": "2026-11-20T00:00:00Z",
        "version": 1,
        "statements": [],
    }
    path = tmp_path / "vex.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="passed over as an example by its id") as refused:
        read_documents([str(path)])
    assert "of your own" in refused.value.mend
