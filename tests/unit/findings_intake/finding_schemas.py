"""The published schemas of what reporters send and hold, made from the types that read them.

`python tests/unit/findings_intake/finding_schemas.py` writes them anew; a test holds them to the types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from clearway.findings.intake.receipt import Receipt
from clearway.formats.reported_own import OwnReport

FOLDER = Path(__file__).resolve().parents[3] / "schemas"
_ABOUT: dict[str, tuple[type, str, str]] = {
    "finding": (
        OwnReport,
        "clearway finding submit",
        "A report of one finding, as `clearway finding submit` and `POST /api/v1/findings` take it; a list of them, or "
        "one a line, are several. Fields that are not named here are kept and mean nothing. `provenance` and `hops` "
        "are handed on byte for byte.",
    ),
    "finding-receipt": (
        Receipt,
        "clearway finding receipt",
        "What the desk signs when it has received a report: the payload of a DSSE envelope of the type "
        "application/vnd.clearway.finding-receipt+json.",
    ),
}


def made() -> dict[str, str]:
    """Every schema as text, by its name."""
    found = {}
    for name, (kind, title, words) in _ABOUT.items():
        schema = msgspec.json.schema(kind)
        parts = schema.pop("$defs")
        root = parts.pop(schema.pop("$ref").rpartition("/")[2])
        document: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:clearway:schema:{name}:1",
            "title": title,
            "description": words,
            **{k: v for k, v in root.items() if k not in ("title", "description")},
        }
        document["properties"]["schema"] = {"const": f"urn:clearway:schema:{name}:1"}
        if parts:
            document["$defs"] = dict(sorted(parts.items()))
        found[name] = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return found


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / f"{name}.schema.json").write_text(text, "utf-8")
