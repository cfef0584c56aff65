"""The bundled facts: facts only, each with source and licence, read by the normal intake, made anew byte for byte."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearway.formats import detect, intake
from clearway.formats.archive import Refused, walk
from shared import ROOT, shared

FACTS = ROOT / "data" / "facts"
LICENCES = {"CC-BY-4.0", "CC0-1.0", "Apache-2.0", "MIT"}
# Every key that may hold text, anywhere: whatever is not here was left out.
KEYS = {
    "osv": "id modified published withdrawn aliases related upstream affected package ecosystem name purl ranges type"
    " repo events introduced fixed last_affected limit versions severity score ecosystem_specific affects arch os"
    " functions database_specific informational source licence",
    "cve": "dataType dataVersion cveMetadata cveId state datePublished dateReserved dateUpdated containers cna adp"
    " providerMetadata orgId shortName title metrics other type content id role options Exploitation Automatable"
    " version timestamp dateAdded affected vendor product cpes platforms modules packageName collectionURL packageURL"
    " defaultStatus versions status versionType lessThan lessThanOrEqual changes at cvssV2_0 cvssV3_0 cvssV3_1 cvssV4_0"
    " vectorString baseScore baseSeverity source licence",
    "kev": "catalogVersion count source licence vulnerabilities cveID vendorProject product dateAdded dueDate"
    " knownRansomwareCampaignUse cwes vulnerabilityName shortDescription requiredAction notes",
}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FACTS / name).read_text(encoding="utf-8").splitlines()]


def osv_files() -> list[str]:
    return sorted(p.name for p in FACTS.glob("*.jsonl") if p.name != "vulnrichment.jsonl")


def kev() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FACTS / "kev.json").read_bytes())
    return found


def parts(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(key, value) of everything inside; a list's items carry the list's key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from parts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield key, inner
            yield from parts(inner, key)


@pytest.mark.parametrize("name", osv_files())
def test_osv_rows_hold_no_key_but_those_of_facts(name: str) -> None:
    allowed = set(KEYS["osv"].split())
    for row in rows(name):
        for item in row["affected"]:  # functions are named by their paths, which are keys here
            item.get("ecosystem_specific", {}).get("affects", {}).pop("functions", None)
        assert {key for key, _ in parts(row)} <= allowed, row["id"]


def test_cve_rows_hold_cisas_container_and_no_word_of_a_cna() -> None:
    allowed = {*KEYS["cve"].split(), "Technical Impact"}
    for row in rows("vulnrichment.jsonl"):
        assert {key for key, _ in parts(row)} <= allowed, row["cveMetadata"]["cveId"]
        cna = row["containers"]["cna"]
        assert set(cna) == {"providerMetadata"}
        speakers = [cna, *row["containers"]["adp"]]
        assert {speaker["providerMetadata"]["shortName"] for speaker in speakers} == {"CISA-ADP"}


def test_kev_rows_hold_no_prose() -> None:
    catalogue = kev()
    assert {key for key, _ in parts(catalogue)} <= set(KEYS["kev"].split())
    for entry in catalogue["vulnerabilities"]:
        prose = [entry[key] for key in ("vulnerabilityName", "shortDescription", "requiredAction", "notes")]
        assert prose == ["", "", "", ""]


def test_no_text_in_any_row_is_long_enough_to_be_a_sentence() -> None:
    everything: list[object] = [row for name in [*osv_files(), "vulnrichment.jsonl"] for row in rows(name)]
    for key, value in parts([everything, kev()]):
        if isinstance(value, str):
            most = 20 if key == "product" else 12  # KEV names eight Snapdragon products in one entry
            assert len(value.split()) <= most, (key, value)
            assert not re.search(r"[a-z]{3,}\. [A-Z]", value), (key, value)


def test_every_row_names_its_source_and_licence() -> None:
    stated = [row["database_specific"] for name in osv_files() for row in rows(name)]
    stated += [*rows("vulnrichment.jsonl"), *kev()["vulnerabilities"]]
    assert all(item["source"] for item in stated)
    assert {item["licence"] for item in stated} <= LICENCES


def test_the_counts_in_sources_md_are_those_of_the_files() -> None:
    table = (ROOT / "data" / "SOURCES.md").read_text(encoding="utf-8")
    said = {
        m[1]: int(m[2].replace(",", ""))
        for m in re.finditer(r"^\| `([^`]+)` \| ([\d,]+) \|", table, re.MULTILINE)
    }
    counted = {name: len(rows(name)) for name in [*osv_files(), "vulnrichment.jsonl"]}
    assert said == counted | {"kev.json": len(kev()["vulnerabilities"])}


def test_a_few_thousand_rows_in_less_than_four_megabytes() -> None:
    total = sum(len(rows(name)) for name in [*osv_files(), "vulnrichment.jsonl"]) + len(
        kev()["vulnerabilities"]
    )
    assert 4000 <= total <= 6500
    assert sum(p.stat().st_size for p in FACTS.iterdir()) < 4_000_000


def test_the_normal_intake_reads_every_row() -> None:
    read: Counter[str] = Counter()
    for blob in walk([FACTS]):
        assert not isinstance(blob, Refused)
        kind = detect.detect(blob.data, blob.place).kind
        for decoded in intake.decode(kind, blob.data, blob.place):
            assert isinstance(decoded, intake.Decoded), decoded
            assert not decoded.notes, decoded.notes
            read[decoded.source] += 1
    assert read["pypa"] == len(rows("pypi.jsonl"))
    assert read["cisa-kev"] == len(kev()["vulnerabilities"])
    assert read["cve:cisa-adp"] == len(rows("vulnrichment.jsonl"))
    assert not any(source.startswith("osv:") for source in read)


def test_every_listed_cve_that_cisa_has_decided_on_carries_all_three_points() -> None:
    for blob in walk([FACTS / "vulnrichment.jsonl"]):
        assert not isinstance(blob, Refused)
        (decoded,) = intake.decode("cve", blob.data, blob.place)
        assert isinstance(decoded, intake.Decoded)
        for decision in decoded.item.ssvc:  # type: ignore[union-attr]
            assert decision.exploitation
            assert decision.automatable in ("yes", "no")
            assert decision.technical_impact in ("partial", "total")


@pytest.mark.slow
def test_the_same_snapshots_give_the_same_bytes(tmp_path: Path) -> None:
    source = shared("osv").parent
    script = ROOT / "scripts" / "compile_facts.py"
    unused = tmp_path / "none.md"
    subprocess.run(
        [sys.executable, script, "--from", source, "--out", tmp_path, "--sources", unused],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FACTS.iterdir()}
