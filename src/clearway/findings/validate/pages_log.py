"""What a validation's first run wrote, a piece at a time: data of a program that is not trusted, shown as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.params import FromPath

from clearway.http.acting import SIGNED_IN, acting
from clearway.http.pages import Address, Tlp, page

from .. import kept
from ..named import HandlingText
from ..vault import Vault
from . import validation

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

PIECE = 16 << 10  # bytes shown at once; the whole is a download


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/findings/{handling:str}/evidence/{number:int}/log",
        opt=SIGNED_IN, sync_to_thread=True, include_in_schema=False,
    )  # fmt: skip
    def log(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], number: FromPath[int]
    ) -> Response[bytes]:
        """The piece that begins at byte `?from=`; that it was read is on the log."""
        with acting(request) as (db, _):
            finding = kept.one(db, handling)
            found = validation.one(db, finding.id, number)
            _, data = validation.log_of(db, Vault.of_home(request.app.state.home), found)
        first = start(Address.of(request).get("from"), len(data))
        return page(
            request,
            "findings/validate/log.html",
            tlp=Tlp("AMBER+STRICT", "for the reporter's organisation and the coordinators"),
            one=finding,
            validation=found,
            text=data[first : first + PIECE].decode("utf-8", "replace"),
            first=first,
            last=min(first + PIECE, len(data)),
            size=len(data),
            before=max(0, first - PIECE) if first else None,
            after=first + PIECE if first + PIECE < len(data) else None,
        )

    return [log]


def start(typed: str, size: int) -> int:
    """Where a piece begins: what was typed, within the log; its beginning for what is no number."""
    if not (typed.isascii() and typed.isdigit() and len(typed) < 13):
        return 0
    return min(int(typed), max(0, size - 1))
