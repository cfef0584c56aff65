"""What every route of the API has in common, in the OpenAPI document: its headers, and the form that a path answers in.

A route says what it gives and which problems it has (`openapi.gives`); what follows from its method, its path and those
is said here once, so that the document and the manners can't drift apart:

- a GET may answer with an `etag`, takes `if-none-match`, and then may answer 304;
- a change that can fail for want of a precondition (428) needs `if-match`; a POST that can conflict with a key (422)
  takes `idempotency-key`;
- the path of a list that ends in `.csv` answers with CSV, all of it where no part is asked for, and the others of the
  list with JSON;
- who is refused for a while (429, 503) is told for how long (`retry-after`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from . import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON, _CSV = "application/json", "text/csv"
_TEXT = {"type": "string", "maxLength": 4_000}


@dataclass
class Document(OpenAPI):
    """The OpenAPI document, with what all routes have in common."""

    def to_schema(self) -> dict[str, Any]:
        """The document as it is written."""
        return with_manners(super().to_schema())


@dataclass
class Config(OpenAPIConfig):
    """How the document is made."""

    def to_openapi_schema(self) -> OpenAPI:
        """The document before its paths are known."""
        made = super().to_openapi_schema()
        return Document(
            **{name: getattr(made, name) for name in made.__dataclass_fields__ if name != "openapi"}
        )


def with_manners(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, its operations with the headers and forms that follow from method, path and problems."""
    paths: dict[str, dict[str, Any]] = document.get("paths", {})
    for path, item in paths.items():
        listed = path.removesuffix(".json").removesuffix(".csv")
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                if f"{listed}.csv" in paths and method == "get":
                    _one_form(operation, _CSV if path.endswith(".csv") else _JSON)
                    if path.endswith(".csv"):
                        _as_file(operation)
                _headers(method, operation)
    _any_value(document)
    return document


def _any_value(part: Any) -> None:
    """Any value, or null: the framework says of null that it is both, and so neither."""
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        if isinstance(inner, (dict, list)):
            _any_value(inner)
    if isinstance(part, dict) and {} in part.get("oneOf", ()):
        del part["oneOf"]


def _one_form(operation: dict[str, Any], media_type: str) -> None:
    answer = operation["responses"].get("200", {})
    content = answer.get("content", {})
    if media_type in content:
        answer["content"] = {media_type: content[media_type]}


def _as_file(operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    if "200" in answers:
        answers["200"]["description"] = (
            f"The whole list, in steps of {whole.STEP_ROWS:,} rows; with `limit` or `cursor` a part of it"
        )
        _say(
            answers["200"], "link", "with `limit` or `cursor`: where the next part is; absent after the last"
        )
    if "429" in answers:
        answers["429"]["description"] = (
            f"Too many requests; or {whole.OF_READER} lists of this reader, or {whole.IN_ALL} of all readers, are "
            "leaving as files already"
        )


def _headers(method: str, operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    if method == "get" and "401" in answers and _JSON in answers.get("200", {}).get("content", {"": 0}):
        _say(
            answers["200"],
            "etag",
            "names this state, as this reader is shown it; absent where nothing is kept",
        )
        # A condition that can't be read does not hold, and is no error, however long it is (RFC 9110 §13.1.2).
        _take(operation, "if-none-match", "tags of what the reader has", bounded=False)
        answers.setdefault("304", {"description": "The reader has it already"})
    for status in ("429", "503"):
        if status in answers:
            _say(answers[status], "retry-after", "seconds to wait", {"type": "integer", "minimum": 1})
    if method in ("put", "patch", "delete") and "428" in answers:
        _take(operation, "if-match", "the `etag` of what was read, or `*`", required=True)
        for status in ("200", "201"):
            if status in answers:
                _say(answers[status], "etag", "names the state after the change")
    if method == "post":
        if "422" in answers:
            _take(
                operation, "idempotency-key", "the same for a request that is sent again; kept for 24 hours"
            )
        if "201" in answers:
            _say(answers["201"], "location", "the address of what was made, where it has one")


def _say(
    answer: dict[str, Any], name: str, words: str, schema: Mapping[str, Any] = MappingProxyType(_TEXT)
) -> None:
    answer.setdefault("headers", {})[name] = {"description": words, "schema": dict(schema)}


def _take(
    operation: dict[str, Any], name: str, words: str, *, required: bool = False, bounded: bool = True
) -> None:
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    if any(p.get("name", "").lower() == name for p in parameters):
        return
    schema = dict(_TEXT) if bounded else {"type": "string"}
    parameters.append(
        {"name": name, "in": "header", "required": required, "description": words, "schema": schema}
    )
