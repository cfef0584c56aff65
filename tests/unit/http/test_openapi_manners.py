"""What the OpenAPI document says of every route: what it answers, and the headers that it takes and gives."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearway.http.manners import with_manners

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(runpy.run_path(str(ROOT / "scripts" / "openapi.py"))["document"]())
    return made


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                yield method, path, operation


def names(operation: dict[str, Any]) -> set[str]:
    return {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}


def test_every_answer_in_json_is_described(document: dict[str, Any]) -> None:
    text = [
        f"{method} {path} {status}"
        for method, path, operation in operations(document)
        for status, answer in operation["responses"].items()
        if answer.get("content", {}).get("application/json", {}).get("schema") in ({}, {"type": "string"})
    ]
    assert text == []


def test_every_request_is_limited_and_says_so(document: dict[str, Any]) -> None:
    silent = [f"{m} {path}" for m, path, op in operations(document) if "429" not in op["responses"]]
    assert silent == []


def test_every_body_is_described(document: dict[str, Any]) -> None:
    for path in ("/api/v1/inventories", "/api/v1/assets/{asset}/inventories"):
        body = document["paths"][path]["post"]["requestBody"]
        assert (body["required"], [*body["content"]]) == (True, ["application/octet-stream"])


def test_a_change_needs_the_tag_and_a_post_takes_a_key(document: dict[str, Any]) -> None:
    changes = 0
    for method, path, operation in operations(document):
        if method in ("put", "patch", "delete") and "428" in operation["responses"]:
            changes += 1
            assert "if-match" in names(operation), path
    assert changes >= 8
    assert "idempotency-key" in names(document["paths"]["/api/v1/assets"]["post"])
    one = document["paths"]["/api/v1/assets/{asset}"]["get"]
    assert "if-none-match" in names(one)
    assert "304" in one["responses"]
    assert "etag" in one["responses"]["200"]["headers"]


def test_each_path_of_a_list_says_the_one_form_it_answers_in(document: dict[str, Any]) -> None:
    for end, media_type in (("", "application/json"), (".json", "application/json"), (".csv", "text/csv")):
        found = document["paths"][f"/api/v1/exposures{end}"]["get"]["responses"]["200"]["content"]
        assert [*found] == [media_type]


def test_a_list_as_csv_says_when_it_is_refused_and_for_how_long(document: dict[str, Any]) -> None:
    lists = [path for path in document["paths"] if path.startswith("/api/v1/") and path.endswith(".csv")]
    assert len(lists) > 15
    for path in lists:
        answers = document["paths"][path]["get"]["responses"]
        assert "4 lists of this reader, or 32 of all readers" in answers["429"]["description"], path
        assert "whole list" in answers["200"]["description"]
        for status in ("429", "503"):
            assert answers[status]["headers"]["retry-after"]["schema"]["type"] == "integer"
            assert [*answers[status]["content"]] == ["application/problem+json"]


def test_null_is_no_second_kind_of_any_value(document: dict[str, Any]) -> None:
    assert "oneOf" not in document["components"]["schemas"]["Entry"]["properties"]["content"]


def test_a_document_without_paths_stays_as_it_is() -> None:
    assert with_manners({"openapi": "3.1.0"}) == {"openapi": "3.1.0"}
