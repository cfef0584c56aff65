"""The published schema of recipes is what reads them, and takes every recipe of the corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from clearway.findings.validate import schema

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_what_is_read() -> None:
    published = (ROOT / "schemas" / "recipe.json").read_text("utf-8")
    assert published == schema.text(), "python -m clearway.findings.validate.schema > schemas/recipe.json"
    Draft202012Validator.check_schema(json.loads(published))


@pytest.mark.parametrize("path", sorted((ROOT / "corpus").glob("*/recipe.json")), ids=lambda p: p.parent.name)
def test_every_recipe_of_the_corpus_is_one(path: Path) -> None:
    Draft202012Validator(json.loads(schema.text())).validate(json.loads(path.read_bytes()))


def test_a_recipe_that_says_its_own_verdict_is_none() -> None:
    made = json.loads((ROOT / "corpus" / "CVE-2024-22195" / "recipe.json").read_bytes()) | {"level": 6}
    assert not Draft202012Validator(json.loads(schema.text())).is_valid(made)
