"""The corpus: recipes that are whole, name their files by hash, and agree with the bundled OSV records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from clearway.findings.validate import published, recipe
from shared import shared

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(p.parent for p in (ROOT / "corpus").glob("*/recipe.json"))
CONTRADICTED = {"PYSEC-2022-25"}  # ends before ujson 5.1.0, on which the proof fires


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


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_no_record_says_otherwise_than_the_recipe(folder: Path, records: list[dict[str, object]]) -> None:
    _, against = published.disagreements(recipe.read((folder / "recipe.json").read_bytes()), records)
    assert [a for a in against if a.partition(":")[0] not in CONTRADICTED] == []


def checked(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """The pairs that a record names, each of which has to agree with it."""
    held, found = list(records), set()
    for folder in FOLDERS:
        count, against = published.disagreements(recipe.read((folder / "recipe.json").read_bytes()), held)
        assert [a for a in against if a.partition(":")[0] not in CONTRADICTED] == []
        if count:
            found.add(folder.name)
    return found


def unchecked() -> set[str]:
    """As the corpus says itself."""
    text = (ROOT / "corpus" / "README.md").read_text("utf-8")
    return set(re.findall(r"CVE-\d{4}-\d+", text.partition("are unchecked")[2].partition("\n\n")[0]))


def test_ten_pairs_are_checked_against_a_bundled_record(records: list[dict[str, Any]]) -> None:
    assert len(checked(records)) == 10
    assert not checked(records) & unchecked()


def test_with_more_records_all_are_checked_but_those_that_are_said_not_to_be(
    records: list[dict[str, Any]],
) -> None:
    names = ("osv/bitnami.jsonl.zst", "vulnrichment/vulnrichment-2024.jsonl.zst")
    for path in map(shared, names):
        with zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True) as reader:
            lines = reader.read().splitlines()
        for line in lines:
            if any(folder.name.encode() in line for folder in FOLDERS):
                record = json.loads(line)
                records = [*records, published.of_cve(record) if "cveMetadata" in record else record]
    assert checked(records) | unchecked() == {folder.name for folder in FOLDERS}
    assert not checked(records) & unchecked()


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
