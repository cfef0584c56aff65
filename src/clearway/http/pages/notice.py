"""What was just done, in its own words, told on the page that follows: with a way back where there is one.

The words travel in a cookie for a minute, signed with the session's key, and are shown once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.datastructures import Cookie
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.connection import ASGIConnection

    from .address import Address

COOKIE = "clearway_done"
_SECONDS = 60
_LONGEST_WORDS = 300
_LONGEST_COOKIE = 3_000
_encode = msgspec.json.Encoder().encode


class Notice(Struct, frozen=True):
    """What was done. `undo` is where to post `fields` to take it back, "" when it can't be."""

    words: str
    undo: str = ""
    fields: dict[str, str] = {}


_decode = msgspec.json.Decoder(Notice).decode


def done(
    request: ASGIConnection[Any, Any, Any, Any],
    to: Address | str,
    words: str,
    *,
    session_key: str = "",
    undo: Address | str = "",
    fields: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """The answer to a form that did its work: 303 to `to`, where `words` are shown with a button to undo it.

    Without a session key nothing is told, for nobody could say that the words are ours.
    """
    answer = Response(b"", status_code=303, headers={"location": str(to)})
    if session_key:
        notice = Notice(words[:_LONGEST_WORDS], str(undo), dict(fields or {}))
        sealed = seal(notice, session_key)
        if len(sealed) <= _LONGEST_COOKIE:
            answer.set_cookie(_cookie(request, sealed, _SECONDS))
    return answer


def seal(notice: Notice, session_key: str) -> str:
    """`notice` and its signature as the value of a cookie."""
    body = base64.urlsafe_b64encode(_encode(notice)).decode()
    return f"{body}.{_sign(body, session_key)}"


def opened(value: str, session_key: str) -> Notice | None:
    """The notice in a cookie's value; None when it is not ours."""
    body, _, signature = value.partition(".")
    if not session_key or not hmac.compare_digest(signature.encode(), _sign(body, session_key).encode()):
        return None
    try:
        return _decode(base64.urlsafe_b64decode(body))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None


def forget(request: ASGIConnection[Any, Any, Any, Any]) -> Cookie:
    """The cookie that takes the notice away."""
    return _cookie(request, "", 0)


def _cookie(request: ASGIConnection[Any, Any, Any, Any], value: str, seconds: int) -> Cookie:
    secure = request.scope.get("scheme") == "https"
    return Cookie(
        COOKIE, value=value, path="/", max_age=seconds, httponly=True, samesite="lax", secure=secure
    )


def _sign(body: str, session_key: str) -> str:
    return hmac.new(session_key.encode(), b"clearway done 1\n" + body.encode(), hashlib.sha256).hexdigest()
