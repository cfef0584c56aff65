"""The corpus: recipes that are whole, name their files by hash, and agree with the bundled OSV records."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from clearway.findings.validate import published, recipe

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


def test_a_record_that_says_otherwise_is_told(records: list[dict[str, object]]) -> None:
    raw = json.loads((ROOT / "corpus" / "CVE-2023-29159" / "recipe.json").read_bytes())
    raw["target"], raw["patched"] = raw["patched"], raw["target"]
    count, against = published.disagreements(recipe.read(json.dumps(raw).encode()), records)
    assert (count, len(against)) == (1, 2)
