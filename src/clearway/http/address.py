"""Bounds on a request's address and headers, refused with words (RFC 9110 §15.5.15: 414; RFC 6585 §5: 431).

The server in front has bounds of its own, above these (`app.server.HEADER_BYTES`); beyond its own it answers 414 or 431
without a document, since what it has read is no request yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, get
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotFoundException

from . import problems
from .guard import PUBLIC

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ASGIApp, Receive, Send

ADDRESS_BYTES = 16 << 10  # path and query as they came
FIELDS_BYTES = 48 << 10  # names and values of all headers
PAGE = "/address-refused"  # where who prefers HTML is answered, inside of the framework that makes pages
_ERROR = "clearway.refused"
_AGAIN = "clearway.again"
_LOOK = (b"clearway_theme=", b"clearway_density=", b"clearway_words=")  # cookies of how pages look


class Addresses:
    """The ASGI layer that refuses what is over these bounds: as a page with `pages`, for who prefers one."""

    def __init__(self, app: ASGIApp, *, pages: bool = False) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        refused = too_long(scope) if scope["type"] == ScopeType.HTTP else None
        if refused is None:
            await self.app(scope, receive, send)
            return
        status, words = refused
        path = scope["path"]
        if self.pages and problems.wants_page(Request(scope)):
            await self.app(refusal(scope, HTTPException(words, status_code=status)), receive, send)
            return
        problem = problems.of_status(status, words)
        # As a HEAD's answer this has no content: the server sends none.
        await problems.send_bare(
            send, problems.with_rpc_code(problem) if path.startswith("/v1/") else problem
        )


def refusal(scope: Any, error: Exception) -> Any:
    """The scope of the request whose answer is `error` as a page, for a request that goes no further than that.

    It bears no credential, so that nobody is asked who this is.
    """
    cookies = [p.strip() for n, v in scope["headers"] if n == b"cookie" for p in v.split(b";")]
    look = b"; ".join(p for p in cookies if p.startswith(_LOOK))
    return {
        **scope,
        "method": "HEAD" if scope["method"] == "HEAD" else "GET",
        "path": PAGE,
        "raw_path": PAGE.encode(),
        "query_string": b"",
        "headers": [
            *((n, v) for n, v in scope["headers"] if n not in (b"authorization", b"cookie")),
            *([(b"cookie", look)] if look else ()),
        ],
        "state": {},  # where the framework keeps what it has read of the headers
        _ERROR: error,
        _AGAIN: again(scope),
    }


def again(scope: Any) -> str:
    """Where a page of an error leads to try again: what was looked at; from what signs in, to that page; else ""."""
    from .pages.address import Address

    if _AGAIN in scope:
        return str(scope[_AGAIN])
    if scope["method"] in ("GET", "HEAD"):
        return str(Address.asked(scope))
    return "/sign-in" if scope["path"].startswith("/sign-in/") else ""


def too_long(scope: Any) -> tuple[int, str] | None:
    """(status, why and the cure) of a request over the bounds; None for others. Sizes are in bytes."""
    address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope.get("query_string", b""))
    if address > ADDRESS_BYTES:
        return 414, (
            f"the address has {address:,} bytes and may have {ADDRESS_BYTES:,}: set fewer filters, or ask once for "
            "each part of the values and join the answers"
        )
    fields = sum(len(name) + len(value) for name, value in scope.get("headers", ()))
    if fields > FIELDS_BYTES:
        return 431, (
            f"the headers have {fields:,} bytes and may have {FIELDS_BYTES:,}: send fewer cookies and fields, or "
            "shorter ones"
        )
    return None


def route() -> HTTPRouteHandler:
    """Where the page of a refusal is made; nobody reaches it by its own address."""

    @get(PAGE, opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def refused(request: Request[Any, Any, Any]) -> None:
        """What a browser is shown of an address, headers or a rate over the bounds; by itself it is no page."""
        error: Exception = request.scope.get(_ERROR, NotFoundException())  # type: ignore[assignment]
        raise error

    return refused
