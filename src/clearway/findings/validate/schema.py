"""The JSON Schema of a recipe: `python -m clearway.findings.validate.schema > schemas/recipe.json`."""

from __future__ import annotations

import msgspec

from .recipe import Recipe


def text() -> str:
    """The schema as it is published, indented, with its keys sorted."""
    found = msgspec.json.schema(Recipe)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:clearway:schema:recipe:1",
        "title": "clearway recipe",
        "description": "What is built, what is run on it, what counts as firing: docs/howto/validate-a-finding.md.",
        **found,
    }
    return msgspec.json.format(msgspec.json.encode(whole, order="sorted"), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(text(), end="")
