"""The page that shows a new secret: an invitation's code, or a token.

Who makes one is led to it, so that a page that is loaded again shows it again and makes no second one. The secret is
kept nowhere here: it goes with the browser in a cookie, sealed for the session that made it, for five minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from litestar import Request, Response, get
from litestar.datastructures import Cookie
from msgspec import Struct, structs

from clearway.http.acting import SIGNED_IN, viewer
from clearway.http.cursor import sealer
from clearway.http.pages import done, page
from clearway.records.errors import CursorError

from .pages_parts import PAGE

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
COOKIE = "clearway_shown"
KEPT = timedelta(minutes=5)
_PATH = "/settings/shown"
_WORDS = 100  # of a name or label; the cookie has a bound


class Shown(Struct, frozen=True, kw_only=True):
    """A secret with what its page says: of whom or for what (`name`), as whom it acts, and where one goes on."""

    kind: Literal["invitation", "token"]
    secret: str
    name: str
    until: datetime
    back: str
    owner: str = ""
    public_id: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(_PATH, opt=SIGNED_IN, **PAGE)
    def shown(request: _R) -> Response[bytes]:
        """The secret that this session has just made; after five minutes the way to make another."""
        me = viewer(request)
        try:
            at, *values = sealer(request).open(request.cookies.get(COOKIE, ""), _bound(me))
            if datetime.now(UTC) - at > KEPT:
                raise CursorError("it was shown")
            made = Shown(**dict(zip(Shown.__struct_fields__, values, strict=True)))
        except (CursorError, TypeError, ValueError):
            return done(
                request,
                "/settings/account",
                "It was shown, and is not shown again. If it is lost, make another.",
            )
        return _page(request, made)

    return [shown]


def lead(request: _R, made: Shown) -> Response[bytes]:
    """Leads to the page of a secret that has just been made; a program without a session is answered with it."""
    me = viewer(request)
    made = structs.replace(made, name=made.name[:_WORDS], owner=made.owner[:_WORDS])
    if me is None or me.credential != "session":
        return _page(request, made)
    values = [datetime.now(UTC), *structs.astuple(made)]
    answer = Response(b"", status_code=303, headers={"location": _PATH, "cache-control": "no-store"})
    answer.set_cookie(
        Cookie(
            COOKIE,
            value=sealer(request).seal(values, _bound(me)),
            path=_PATH,
            max_age=int(KEPT.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.scope.get("scheme") == "https",
        )
    )
    return answer


def _bound(me: Principal | None) -> tuple[str, ...]:
    return ("shown", str(me.person if me else -1), str(me.credential_id if me else 0))


def _page(request: _R, made: Shown) -> Response[bytes]:
    name = "access/invited.html" if made.kind == "invitation" else "access/token_made.html"
    return page(request, name, made=made, headers={"cache-control": "no-store"})
