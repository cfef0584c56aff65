"""Default deny: a route is reached only when it says in its `opt` who may.

    @get("/v1/vulns/{id:str}", opt=PUBLIC)

A route that says nothing answers 401, whoever asks. With people to ask about, `application` is handed a guard of
theirs (`acting.Doorkeeper.guard`): it knows who asks, and decides for routes that are not public.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from litestar.exceptions import NotAuthorizedException

from clearway.records.errors import InputError, NotFoundError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from litestar.connection import ASGIConnection
    from litestar.handlers import HTTPRouteHandler
    from litestar.handlers.base import BaseRouteHandler

    # Asked for every route; raises for who may not pass one that is not public.
    Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]

PUBLIC = {"public": True}
# Public, and the same for everybody: nobody is asked who this is, so it is there when the database is not.
ANYBODY = {"public": True, "unasked": True}
_API = "/api/v1/"
OF_A_LIST = "of_a_list"  # what a description of a list has, which judges its parameters itself (`listing`)
_GIVEN = frozenset(("request", "socket", "scope", "state", "headers", "cookies", "query", "body", "data"))
MOST_NUMBER = 2**63 - 1  # of PostgreSQL's bigint: no row has one beyond


def is_public(handler: BaseRouteHandler) -> bool:
    """Whether the route declares itself open to everybody; only `True` itself counts."""
    return handler.opt.get("public") is True


def default_deny(otherwise: Guard | None = None) -> Guard:
    """The guard at the application's root.

    Raises (inside a request):
        NotAuthorizedException: the route is not public, and there is no `otherwise` to allow it.
        NotFoundError: a number in its path is one that nothing can have, or is spelled otherwise than in decimal.
        InputError: a parameter that a route of the API does not have, or one said twice.
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
        _known(connection, handler)

    return guard


def uncopied(handler: HTTPRouteHandler) -> None:
    """Asks the guards with the handler itself.

    The framework gives each of them a copy, lest it changes a handler. Ours change none, and the copy is a sixteenth
    of the processor time of a read.
    """
    # `@get` and its like take attributes; what the framework answers OPTIONS with does not.
    if hasattr(handler, "__dict__"):
        handler.authorize_connection = partial(_ask, handler.resolve_guards(), handler)  # type: ignore[method-assign]


async def _ask(
    guards: Sequence[Any], handler: HTTPRouteHandler, connection: ASGIConnection[Any, Any, Any, Any]
) -> None:
    for guard in guards:
        await guard(connection, handler)


def _known(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuses parameters that a route of the API does not have, and what is said twice; lists do so themselves.

    Who asks "as of" a day by a word that is not read would get today's answer for that day's; whose document came with
    `?detect=` would have today as the day on which all in it was found.
    """
    template = connection.scope.get("path_template", "")
    if not connection.query_params or not template.startswith(_API):
        return
    if getattr(getattr(handler, "operation_class", None), OF_A_LIST, False):
        return
    known = {
        (getattr(field.kwarg_definition, "query", None) or name): field
        for name, field in handler.parsed_fn_signature.parameters.items()
        if name not in connection.path_params and name not in _GIVEN
    }
    # A page's word for an organisation is known where something is looked at.
    looks = connection.scope.get("method") in ("GET", "HEAD", "OPTIONS")
    for name in connection.query_params:
        field = known.get("organisation" if looks and name == "org" else name)
        if field is None:
            has = f"one of {', '.join(sorted(known))}" if known else "leave it out: it has none"
            raise InputError("this has no such parameter", where=f"query.{plain(name, 60)}", mend=has)
        if len(connection.query_params.getall(name)) > 1 and not field.is_non_string_sequence:
            raise InputError("said twice", where=f"query.{plain(name, 60)}", mend="say it once")


def _plain(template: str, path: str, given: Mapping[str, Any]) -> bool:
    """Whether each number of a path is one that something can have, and is written as that number is.

    Python reads `1_3`, `+13`, ` 13` and digits of other scripts as 13 too; a thing has one address.
    """
    numbers = [(name, value) for name, value in given.items() if isinstance(value, int)]
    if not numbers:
        return True
    parts, places = [part for part in path.split("/") if part], _places(template)
    return all(
        -MOST_NUMBER <= value <= MOST_NUMBER
        and (place := places.get(name, len(parts))) < len(parts)
        and parts[place] == str(value)
        for name, value in numbers
    )


@lru_cache(4_096)
def _places(template: str) -> Mapping[str, int]:
    """Where each parameter stands among the parts of a path."""
    parts = filter(None, template.split("/"))
    return {
        part[1:-1].partition(":")[0]: n
        for n, part in enumerate(parts)
        if part.startswith("{") and part.endswith("}")
    }
