"""Default deny: a route is reached only when it says in its `opt` who may.

    @get("/v1/vulns/{id:str}", opt=PUBLIC)

A route that says nothing answers 401, whoever asks. Rooms that know principals hand `application`
a guard of their own, which is asked for every route that is not public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.exceptions import NotAuthorizedException

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.connection import ASGIConnection
    from litestar.handlers.base import BaseRouteHandler

    Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]

PUBLIC = {"public": True}


def is_public(handler: BaseRouteHandler) -> bool:
    """Whether the route declares itself open to everybody; only `True` itself counts."""
    return handler.opt.get("public") is True


def default_deny(otherwise: Guard | None = None) -> Guard:
    """The guard at the application's root.

    Raises (inside a request):
        NotAuthorizedException: the route is not public, and there is no `otherwise` to allow it.
    """

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if is_public(handler):
            return
        if otherwise is None:
            raise NotAuthorizedException
        otherwise(connection, handler)

    return guard
