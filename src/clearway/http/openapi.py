"""The OpenAPI 3.1 document at `/api/v1/openapi.json`, and what routes say in it of their problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import MediaType, Router
from litestar.openapi import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin

from .guard import PUBLIC
from .manners import Config
from .problems import BY_STATUS, MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.types import ControllerRouterHandler
    from litestar.typing import FieldDefinition

PREFIX = "/api/v1"
PATH = f"{PREFIX}/openapi.json"


# What any route for the signed-in can answer, and what one that changes a thing can besides.
READ = (400, 401, 403, 404, 429, 503)
WRITE = (*READ, 408, 409, 412, 413, 415, 422, 428)
# What is said before anybody looks which route it is (`address`, `ratelimit`).
_ANY = (414, 429, 431)


def problems_of(*statuses: int) -> dict[int, ResponseSpec]:
    """The `responses` of a route that can answer with these problems, and those that any can."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=BY_STATUS[status][1], media_type=MEDIA_TYPE
        )
        for status in dict.fromkeys((*statuses, *_ANY))
    }


def gives(found: Any, *problems: int, status: int = 200) -> dict[int, ResponseSpec]:
    """The `responses` of a route that answers with JSON of the type `found`, or with these problems."""
    spec = ResponseSpec(found, generate_examples=False, description="Done", media_type=MediaType.JSON)
    return {status: spec, **problems_of(*problems)}


@dataclass
class OfDocument(Operation):
    """The description of a route whose body is a document of any media type: it is told by its content."""

    def __post_init__(self) -> None:
        schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        self.request_body = RequestBody(
            content={"application/octet-stream": OpenAPIMediaType(schema=schema)},
            description="The document, byte for byte, under any media type",
            required=True,
        )


class TypedItems(OpenAPISchemaPlugin):
    """Says what the items of a bounded `tuple[X, ...]` are.

    The framework takes the ellipsis of one that has `Meta(max_length=…)` for a second type, and then says nothing.
    """

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """False: it goes by fields."""
        return False

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether the field is such a tuple."""
        return (
            field_definition.origin is tuple
            and len(field_definition.inner_types) == 2
            and field_definition.inner_types[1].annotation is Ellipsis
        )

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """The array of its items; bounds of their number are added by who asks."""
        items = schema_creator.not_generating_examples.for_field_definition(field_definition.inner_types[0])
        return Schema(type=OpenAPIType.ARRAY, items=items)


class _DocumentOnly(Router):
    """Takes the JSON document's route and none of the pages that the framework would add."""

    def register(self, value: ControllerRouterHandler) -> list[Any]:
        if "/openapi.json" in getattr(value, "paths", ()):
            return super().register(value)
        return []


def config(version: str) -> Config:
    """How the document is made and where it is served."""
    return Config(
        title="Clearway",
        version=version,
        openapi_router=_DocumentOnly(PREFIX, route_handlers=[], opt=PUBLIC, include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
    )
