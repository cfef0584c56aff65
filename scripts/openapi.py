"""Writes the OpenAPI document of the whole workspace to `schemas/openapi.json`, where changes are seen in review."""

from __future__ import annotations

from pathlib import Path

import msgspec

from clearway.advisories.record_source import MemoryRecords
from clearway.app.server import build
from clearway.app.workspace import Workspace

PLACE = Path(__file__).resolve().parents[1] / "schemas" / "openapi.json"


NOWHERE = "postgresql://nobody@127.0.0.1:1/none"  # describing asks no database


def document() -> str:
    """The document as it is kept: indented, keys sorted, so that equal servers give equal texts."""
    folder = Path("no-home")
    workspace = Workspace(folder, NOWHERE)
    try:
        app = build(folder / "no-table", MemoryRecords({}), workspace=workspace).framework
        return (
            msgspec.json.format(
                msgspec.json.encode(app.openapi_schema.to_schema(), order="sorted"), indent=2
            ).decode()
            + "\n"
        )
    finally:
        workspace.close()


if __name__ == "__main__":
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.write_text(document(), "utf-8")
