"""Requests that another site makes a browser send: refused for everything that could change something.

Two independent checks, for requests with an unsafe method whose credential is a cookie:

    1. Where the request came from, as the browser says: `Sec-Fetch-Site`, else `Origin` against `Host`.
    2. A token that only our own pages have: an HMAC keyed with the session's key, in the form field `_csrf` or
       the header `x-csrf-token`. It is bound to the session, so one from another session is no good.

A bearer token is never sent by a browser on its own, so requests that carry one are exempt. A form without a
session yet (sign-in) has the first check only: `check(request, "")`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.exceptions import PermissionDeniedException
from markupsafe import Markup

if TYPE_CHECKING:
    from litestar import Request
    from litestar.connection import ASGIConnection

FIELD = "_csrf"
HEADER = "x-csrf-token"
SAFE = frozenset(("GET", "HEAD", "OPTIONS", "QUERY"))
_MESSAGE = b"clearway csrf 1"


def token(session_key: str) -> str:
    """The token of a session, 64 hexadecimal digits; it tells nothing about the key."""
    return hmac.new(session_key.encode(), _MESSAGE, hashlib.sha256).hexdigest()


def is_token(text: str, session_key: str) -> bool:
    """Whether `text` is the token of that session, in constant time; never for an empty key."""
    return bool(session_key) and hmac.compare_digest(text.encode(), token(session_key).encode())


def field(session_key: str) -> Markup:
    """The hidden field for a form; nothing without a session."""
    if not session_key:
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(session_key))


def same_origin(request: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the browser says that one of our own pages sent this; True for a client that is no browser.

    `none` is what a browser says of an address that the person typed. `Origin` is compared with `Host` by host and
    port: behind a proxy that ends TLS the scheme that we see is not the browser's.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        return (
            bool(origin) and urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""
        )
    except ValueError:
        return False


async def check(request: Request[Any, Any, Any], session_key: str) -> None:
    """Returns when the request may go on, whatever its credential.

    Raises:
        PermissionDeniedException: it came from another site, or lacks the session's token.
    """
    if request.method in SAFE or request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    if not same_origin(request):
        raise PermissionDeniedException("this was sent from another site; open the page here and try again")
    if not session_key:
        return
    given = request.headers.get(HEADER)
    if given is None:
        found = (await request.form()).get(FIELD, "")
        given = found if isinstance(found, str) else ""
    if not is_token(given, session_key):
        raise PermissionDeniedException("this form is no longer good; load the page again and repeat it")
