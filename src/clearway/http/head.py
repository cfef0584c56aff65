"""HEAD wherever GET is: the same status and headers, and no content (RFC 9110, 9.3.2); `allow` names it too.

What OPTIONS answers names every method of the address, whichever handler each has (10.2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Response
from litestar.enums import ScopeType

if TYPE_CHECKING:
    from litestar.routes import HTTPRoute
    from litestar.types import ASGIApp, Message, Receive, Scope, Send


class _ToldError(BaseException):
    """Ends a handler whose answer has been told: it might go on for ever. No `except Exception` may hold it up."""


class Head:
    """The ASGI layer that answers a HEAD as the route's GET would, up to its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return

        async def allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                if any(name == b"allow" for name, _ in headers):
                    message["headers"] = [(n, _with_head(v) if n == b"allow" else v) for n, v in headers]
            await send(message)

        if scope["method"] != "HEAD":
            await self.app(scope, receive, allowing)
            return

        async def head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await allowing(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _ToldError

        try:
            await self.app({**scope, "method": "GET"}, receive, head)
        except _ToldError:
            return


def telling_methods(route: HTTPRoute) -> None:
    """Has OPTIONS name every method of `route`: the framework names those of the handler that was there first."""
    (handler,) = (one for one in route.route_handlers if "OPTIONS" in one.http_methods)

    def methods(scope: Scope) -> Response[None]:
        return Response(None, status_code=204, headers={"allow": ", ".join(sorted(route.methods))})

    handler._fn = methods  # type: ignore[assignment]  # nor is its own one that is awaited


def _with_head(allow: bytes) -> bytes:
    methods = [one.strip() for one in allow.split(b",")]
    return b", ".join([*methods, b"HEAD"]) if b"GET" in methods and b"HEAD" not in methods else allow
