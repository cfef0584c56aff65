"""The corpus: recipes that are whole, name their files by hash, and agree with published records."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from clearway.findings.validate import published, recipe
from shared import shared

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(p.parent for p in (ROOT / "corpus").glob("*/recipe.json"))
RECORDS: dict[str, dict[str, Any]] = json.loads((ROOT / "corpus" / "records.json").read_bytes())


@pytest.fixture(scope="module")
def records() -> list[dict[str, object]]:
    return [json.loads(line) for line in (ROOT / "data" / "facts" / "pypi.jsonl").read_bytes().splitlines()]


def test_there_are_more_than_twenty() -> None:
    assert len(FOLDERS) >= 20


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_a_recipe_is_whole(folder: Path) -> None:
    raw = (folder / "recipe.json").read_bytes()
    found = recipe.read(raw)
    assert found.ids == (folder.name,)
    assert found.patched is not None
    assert found.benign
    beside = {sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}
    named = recipe.files_of(found)
    for name, digest in named.items():
        fetched = name.endswith((".whl", ".tar.gz", ".debian.tar.xz", ".dsc"))
        assert fetched or digest in beside, name


def test_the_manifest_names_every_pair_and_no_other() -> None:
    assert list(RECORDS) == [folder.name for folder in FOLDERS]
    for said in RECORDS.values():
        assert set(said) <= ({"record", "in", "aliases", "differs"} if said["record"] else {"record", "why"})
        assert said["record"] or said["why"]


def test_every_pair_is_held_against_a_record_and_all_but_one_agree() -> None:
    assert [name for name, said in RECORDS.items() if not said["record"]] == []
    assert [name for name, said in RECORDS.items() if "differs" in said] == ["CVE-2021-45958"]


def told(name: str) -> Path:
    """The file of a pair's record: bundled, or among the data beside the project, where that is at hand."""
    place = RECORDS[name]["in"]
    return here(place)


def here(place: str) -> Path:
    return ROOT / place if place.startswith(("data/", "corpus/")) else shared(place)


def records_in(path: Path) -> list[dict[str, Any]]:
    """Of a file of records those that name one of the pairs; CVE records in the shape of OSV's."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            data = reader.read()
    lines = [line for line in data.splitlines() if any(folder.name.encode() in line for folder in FOLDERS)]
    found = [json.loads(line) for line in lines]
    return [published.of_cve(record) if "cveMetadata" in record else record for record in found]


@pytest.mark.parametrize("name", [name for name, said in RECORDS.items() if said["record"]])
def test_a_pair_is_what_its_record_says(name: str) -> None:
    said = RECORDS[name]
    record = next(one for one in records_in(told(name)) if one["id"] == said["record"])
    assert sorted(record.get("aliases", ())) == said["aliases"]
    pair = recipe.read((ROOT / "corpus" / name / "recipe.json").read_bytes())
    count, against = published.disagreements(pair, [record])
    assert count == 1
    assert bool(against) is ("differs" in said)


@pytest.mark.parametrize(
    "place",
    [
        "data/facts/pypi.jsonl",
        "data/facts/ghsa-sample.jsonl",
        "corpus/facts.jsonl",
        "osv/bitnami.jsonl.zst",
        pytest.param("vulnrichment/vulnrichment-1999-2023.jsonl.zst", marks=pytest.mark.slow),
        pytest.param("vulnrichment/vulnrichment-2024.jsonl.zst", marks=pytest.mark.slow),
    ],
)
def test_no_record_says_otherwise_than_the_manifest_says(place: str) -> None:
    records = records_in(here(place))
    for name, said in RECORDS.items():
        pair = recipe.read((ROOT / "corpus" / name / "recipe.json").read_bytes())
        count, against = published.disagreements(pair, records)
        assert not count or said["record"], name
        assert not against or "differs" in said, name


def test_a_record_beside_the_corpus_says_whose_it_is_and_is_one_that_a_pair_is_held_against() -> None:
    rows = [json.loads(line) for line in (ROOT / "corpus" / "facts.jsonl").read_bytes().splitlines()]
    assert {row["id"] for row in rows} == {
        said["record"] for said in RECORDS.values() if said.get("in") == "corpus/facts.jsonl"
    }
    for row in rows:
        assert row["database_specific"]["source"], row["id"]
        assert row["database_specific"]["licence"] in ("CC-BY-4.0", "MIT"), row["id"]


@pytest.mark.parametrize(
    ("version", "count", "agrees"),
    [("1.7.15", 1, True), ("1.7.15-1", 1, True), ("1.7.15-1+deb12u3", 1, False), ("1.7.18-1", 1, False)],
)
def test_a_program_in_c_is_held_against_debians_record(version: str, count: int, agrees: bool) -> None:
    raw = json.loads((ROOT / "corpus" / "CVE-2023-53154" / "recipe.json").read_bytes())
    raw["target"]["version"] = version
    records = records_in(here("corpus/facts.jsonl"))
    found, against = published.disagreements(recipe.read(json.dumps(raw).encode()), records)
    assert (found, against == []) == (count, agrees)


@pytest.mark.parametrize(
    ("version", "covers"),
    [
        ({"version": ">= 4.4.0, < 4.66.3"}, {"4.4.0": True, "4.66.2": True, "4.66.3": False, "4.3": False}),
        ({"version": "< 2"}, {"0.1": True, "2": False}),
        ({"version": "unspecified", "lessThan": "3.19.1"}, {"3.19.0": True, "3.19.1": False}),
        ({"version": "1.0", "lessThanOrEqual": "1.5"}, {"0.9": False, "1.5": True, "1.6": False}),
        ({"version": "n/a"}, {}),
        ({"version": "1.0"}, {}),
        ({"version": "1.0", "lessThan": "2", "status": "unaffected"}, {}),
    ],
)
def test_ranges_of_a_cve_record_are_read_and_what_is_none_says_nothing(
    version: dict[str, str], covers: dict[str, bool]
) -> None:
    told = {"status": "affected", **version}
    record = published.of_cve(
        {
            "cveMetadata": {"cveId": "CVE-2024-34062"},
            "containers": {"cna": {"affected": [{"product": "a/tqdm", "versions": [told]}]}},
        }
    )
    raw = json.loads((ROOT / "corpus" / "CVE-2024-34062" / "recipe.json").read_bytes())
    del raw["patched"]
    assert bool(record["affected"]) is bool(covers)
    for at, covered in covers.items():
        raw["target"]["version"] = at
        count, against = published.disagreements(recipe.read(json.dumps(raw).encode()), [record])
        assert (count, against == []) == (1, covered), at


def test_a_record_that_says_otherwise_is_told(records: list[dict[str, object]]) -> None:
    raw = json.loads((ROOT / "corpus" / "CVE-2023-29159" / "recipe.json").read_bytes())
    raw["target"], raw["patched"] = raw["patched"], raw["target"]
    count, against = published.disagreements(recipe.read(json.dumps(raw).encode()), records)
    assert (count, len(against)) == (1, 2)
