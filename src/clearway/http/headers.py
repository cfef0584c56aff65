"""Security headers on every answer, set outside the framework so that no status escapes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.enums import ScopeType

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

# No inline script or style, nothing from elsewhere, no framing. Text becomes markup only by the one policy that our
# script makes for htmx's answers (Trusted Types), so that a slip in a script can't become a hole.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types clearway"
)

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"server", b"clearway"),  # else the server software would name itself
)
_ADDED = (*SECURITY_HEADERS, (b"cache-control", b"no-store"))
_NAMES = frozenset(name for name, _ in _ADDED)


class SecurityHeaders:
    """The outermost layer. A route may set its own value of a header; the others are added.

    Answers are `cache-control: no-store` unless the route says otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                own = _NAMES.intersection([name.lower() for name, _ in given])
                added = [pair for pair in _ADDED if pair[0] not in own] if own else _ADDED
                message["headers"] = [*given, *added]
            await send(message)

        await self.app(scope, receive, with_headers)
