"""The published JSON schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parents[1] / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of `schemas/NAME.schema.json`."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def validated(name: str, document: bytes | Any) -> Any:
    """The document, when it is as the schema says."""
    value = json.loads(document) if isinstance(document, bytes) else document
    validator(name).validate(value)
    return value
