"""Writes the OpenAPI document of the server to `schemas/openapi.json`, where changes to it are seen in review."""

from __future__ import annotations

import json
from pathlib import Path

from clearway.advisories.record_source import MemoryRecords
from clearway.app.server import build

PLACE = Path(__file__).resolve().parents[1] / "schemas" / "openapi.json"


def document() -> str:
    """The document as it is kept: indented, keys in the server's order."""
    app = build(Path("no-table"), MemoryRecords({})).framework
    return json.dumps(app.openapi_schema.to_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(document(), "utf-8")
