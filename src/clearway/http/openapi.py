"""The OpenAPI 3.1 document at `/api/v1/openapi.json`, and what routes say in it of their problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Router
from litestar._openapi.utils import default_operation_id_creator
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin

from .guard import PUBLIC
from .problems import BY_STATUS, MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler, Method
    from litestar.types.internal_types import PathParameterDefinition

PREFIX = "/api/v1"
PATH = f"{PREFIX}/openapi.json"


# What any route for the signed-in can answer, and what one that changes a thing can besides.
READ = (400, 401, 403, 404, 429, 503)
WRITE = (*READ, 408, 409, 412, 413, 415, 422, 428)


def problems_of(*statuses: int) -> dict[int, ResponseSpec]:
    """The `responses` of a route that can answer with these problems."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=BY_STATUS[status][1], media_type=MEDIA_TYPE
        )
        for status in statuses
    }


class _DocumentOnly(Router):
    """Takes the JSON document's route and none of the pages that the framework would add."""

    def register(self, value: ControllerRouterHandler) -> list[Any]:
        if "/openapi.json" in getattr(value, "paths", ()):
            return super().register(value)
        return []


def _operation_id(
    handler: HTTPRouteHandler, method: Method, components: list[str | PathParameterDefinition]
) -> str:
    """As the framework's own, but by the function's name where it has wrapped the function for a thread."""
    function = handler.fn
    if not hasattr(function, "func"):
        return default_operation_id_creator(handler, method, components)
    while hasattr(function, "func"):
        function = function.func
    parts = [part if isinstance(part, str) else part.name for part in components]
    named = "".join(part.title() for part in (*parts, *([method] if len(handler.http_methods) > 1 else ())))
    return "".join(c for c in named + function.__name__.title() if c.isalnum())


def config(version: str) -> OpenAPIConfig:
    """How the document is made and where it is served."""
    return OpenAPIConfig(
        title="Clearway",
        version=version,
        openapi_router=_DocumentOnly(PREFIX, route_handlers=[], opt=PUBLIC, include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
    )
