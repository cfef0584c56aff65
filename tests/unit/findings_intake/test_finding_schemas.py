"""The published schemas say what the readers read."""

from __future__ import annotations

import json
from typing import Any

import finding_schemas
import pytest
from jsonschema import Draft202012Validator

from clearway.formats.reported import read_reports
from clearway.records.errors import InputError
from report_documents import dump, own


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((finding_schemas.FOLDER / f"{name}.schema.json").read_bytes()))


@pytest.mark.parametrize("name", finding_schemas.made())
def test_a_schema_is_the_one_that_the_types_make(name: str) -> None:
    file = finding_schemas.FOLDER / f"{name}.schema.json"
    assert file.read_text("utf-8") == finding_schemas.made()[name], (
        "run tests/unit/findings_intake/finding_schemas.py"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"cwe": "125"},
        {"title": ""},
        {"title": "x" * 301},
        {"severity": "awful"},
        {"trace": [{"role": "middle"}]},
        {"place": {"line": -1}},
        {"affected": None},
        {"files": [{"kind": "input"}]},
        {"schema": "urn:clearway:schema:finding:2"},
        {"ruled_out": [{"shape": "documented"}]},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_reader_refuses(change: dict[str, Any]) -> None:
    assert schema("finding").is_valid(own())
    assert not schema("finding").is_valid(own(**change))
    with pytest.raises(InputError):
        read_reports(dump(own(**change)))


def test_fields_that_nobody_knows_are_kept_and_mean_nothing() -> None:
    report = own(novel={"a": 1})
    assert schema("finding").is_valid(report)
    assert read_reports(dump(report)).reports[0].raw == dump(report)
