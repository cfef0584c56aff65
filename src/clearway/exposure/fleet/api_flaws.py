"""The route of one flaw: what is said of it, and where the fleet has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN
from clearway.http.openapi import READ, gives

from . import api_lists, page_flaw
from .page_common import table_or_none, today

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler


class FlawSaid(Struct, frozen=True, kw_only=True):
    """One flaw: `said` by the loaded sources (as `clearway vuln --json`), and where the reader's fleet has it.

    `assets` have it; of `assets_unjudged` others nothing loaded tells whether they do.
    """

    id: str
    said: dict[str, Any] | None
    bundle: tuple[str, ...]
    assets: int
    assets_unjudged: int
    assets_exact: bool
    exposures: tuple[api_lists.ExposureItem, ...]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/flaws/{flaw:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One flaw by any of its names, and where the fleet has it",
        responses=gives(FlawSaid, *READ),
    )
    def flaw(request: Request[Any, Any, Any], flaw: FromPath[str]) -> Response[bytes]:
        """Up to 100 exposures, those that are due first."""
        with reading(request) as (db, me, note):
            found = page_flaw.read(db, table_or_none(request), flaw[:200], today())
            lines = api_lists.items(db, me, found.affected.lines)
            note(f"flaw/{found.id[:300]}", page_flaw.audiences(db, found))
        record = FlawSaid(
            id=found.id,
            said=found.said,
            bundle=found.bundle,
            assets=found.affected.assets,
            assets_unjudged=found.affected.unjudged,
            assets_exact=found.affected.exact,
            exposures=lines,
        )
        return etag.response(request, msgspec.json.encode(record), me)

    return [flaw]
