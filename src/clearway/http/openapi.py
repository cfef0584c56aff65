"""The OpenAPI 3.1 document at `/api/v1/openapi.json`, and what routes say in it of their problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import MediaType, Router
from litestar.openapi import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from .guard import PUBLIC
from .manners import Config
from .problems import BY_STATUS, MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

PREFIX = "/api/v1"
PATH = f"{PREFIX}/openapi.json"


# What any route for the signed-in can answer, and what one that changes a thing can besides.
READ = (400, 401, 403, 404, 429, 503)
WRITE = (*READ, 408, 409, 412, 413, 415, 422, 428)
# What is said before anybody looks which route it is (`address`).
_ANY = (414, 431)


def problems_of(*statuses: int) -> dict[int, ResponseSpec]:
    """The `responses` of a route that can answer with these problems, and those that any can."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=BY_STATUS[status][1], media_type=MEDIA_TYPE
        )
        for status in (*statuses, *_ANY)
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
