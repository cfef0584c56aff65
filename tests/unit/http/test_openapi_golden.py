"""The OpenAPI document in `schemas/` is the server's own."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def test_the_published_document_is_the_servers() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "openapi.py"))["document"]()
    kept = (ROOT / "schemas" / "openapi.json").read_text("utf-8")
    assert made == kept, "run `python scripts/openapi.py` and look at what changed"


def _bare(schema: Any, path: str = "") -> Iterator[str]:
    """Where an array does not say what its items are."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and not (schema.get("items") or schema.get("prefixItems")):
            yield path
        for key, value in schema.items():
            yield from _bare(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for n, value in enumerate(schema):
            yield from _bare(value, f"{path}/{n}")


def test_every_array_says_what_its_items_are() -> None:
    kept = json.loads((ROOT / "schemas" / "openapi.json").read_text("utf-8"))
    assert [*_bare({"type": "array", "items": {}})] == [""]
    assert [*_bare(kept)] == []
