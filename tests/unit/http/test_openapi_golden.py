"""The OpenAPI document in `schemas/` is the server's own."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_published_document_is_the_servers() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "openapi.py"))["document"]()
    kept = (ROOT / "schemas" / "openapi.json").read_text("utf-8")
    assert made == kept, "run `python scripts/openapi.py` and look at what changed"
