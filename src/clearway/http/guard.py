"""Default deny: a route is reached only when it says in its `opt` who may.

    @get("/v1/vulns/{id:str}", opt=PUBLIC)

A route that says nothing answers 401, whoever asks. With people to ask about, `application` is handed a guard of
theirs (`acting.Doorkeeper.guard`): it knows who asks, and decides for routes that are not public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.exceptions import NotAuthorizedException

from clearway.records.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from litestar.connection import ASGIConnection
    from litestar.handlers.base import BaseRouteHandler

    # Asked for every route; raises for who may not pass one that is not public.
    Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]

PUBLIC = {"public": True}
# Public, and the same for everybody: nobody is asked who this is, so it is there when the database is not.
ANYBODY = {"public": True, "unasked": True}
MOST_NUMBER = 2**63 - 1  # of PostgreSQL's bigint: no row has one beyond


def is_public(handler: BaseRouteHandler) -> bool:
    """Whether the route declares itself open to everybody; only `True` itself counts."""
    return handler.opt.get("public") is True


def default_deny(otherwise: Guard | None = None) -> Guard:
    """The guard at the application's root.

    Raises (inside a request):
        NotAuthorizedException: the route is not public, and there is no `otherwise` to allow it.
        NotFoundError: a number in its path is one that nothing can have, or is spelled otherwise than in decimal.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if otherwise is not None:
            await otherwise(connection, handler)
        elif not is_public(handler):
            raise NotAuthorizedException
        if not _plain(
            connection.scope.get("path_template", ""), connection.scope["path"], connection.path_params
        ):
            raise NotFoundError("nothing has that number", where="path")

    return guard


def _plain(template: str, path: str, given: Mapping[str, Any]) -> bool:
    """Whether each number of a path is one that something can have, and is written as that number is.

    Python reads `1_3`, `+13`, ` 13` and digits of other scripts as 13 too; a thing has one address.
    """
    numbers = {name: value for name, value in given.items() if isinstance(value, int)}
    if any(not -MOST_NUMBER <= value <= MOST_NUMBER for value in numbers.values()):
        return False
    written = {}
    for part, text in zip(filter(None, template.split("/")), filter(None, path.split("/")), strict=False):
        if part.startswith("{") and part.endswith("}"):
            written[part[1:-1].partition(":")[0]] = text
    return all(written.get(name) == str(value) for name, value in numbers.items())
