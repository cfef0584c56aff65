"""The query parameters of the list of exposures, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

from clearway.http.cursor import MAX_CHARS

from . import page_asked


@dataclass
class ListOperation(Operation):
    """Knows the query parameters of the list."""

    of_a_list: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or ()), *_parameters()]
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content["text/csv"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


def _parameters() -> list[Parameter]:
    """The list's query parameters for the OpenAPI document."""

    def text(name: str, words: str, **more: Any) -> Parameter:
        schema = Schema(type=OpenAPIType.STRING, **more)
        return Parameter(name=name, param_in="query", schema=schema, description=words, required=False)

    def many(name: str, words: str, values: tuple[str, ...] | None) -> Parameter:
        value = Schema(
            type=OpenAPIType.STRING, enum=[*values] if values else None, max_length=None if values else 300
        )
        schema = Schema(type=OpenAPIType.ARRAY, items=value, max_items=50)
        return Parameter(name=name, param_in="query", schema=schema, description=words, required=False)

    found = [
        text("sort", "order: due first, or the highest or newest first", enum=[*page_asked.SORTS]),
        Parameter(
            name="limit",
            param_in="query",
            schema=Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=page_asked.CSV_LIMIT),
            description="rows a page: 200, or 1,000 as CSV, which without `limit` and `cursor` is the whole list",
            required=False,
        ),
        text("cursor", "from `next` or `Link`", max_length=MAX_CHARS),
        text("within", "due within so many days, or `overdue`", pattern="^([0-9]{1,4}|overdue)$"),
        text("asset", "the number of an asset", pattern="^[0-9]{1,10}$"),
        text("flaw", "any present or former id", max_length=300),
        text("name", "a component's name, or its beginning with `*` after it", max_length=300),
        text(
            "asset_name",
            "any name or address of an asset, or the beginning of its name with `*` after it",
            max_length=300,
        ),
        text("due_from", "a day", pattern=r"^\d{4}-\d{2}-\d{2}$"),
        text("due_to", "a day", pattern=r"^\d{4}-\d{2}-\d{2}$"),
        text("gone", "what is over instead of what stands", enum=["yes", "no"]),
    ]
    for name, values in {**page_asked.FACETS, "suppressed": ("yes",)}.items():
        found += [many(name, "any of these", values), many(f"{name}!", "none of these", values)]
    return found
