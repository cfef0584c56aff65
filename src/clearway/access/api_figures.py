"""`/api/v1/figures`: how much stands open across all fleets, for everybody."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from clearway.http import etag
from clearway.http.acting import acting
from clearway.http.guard import PUBLIC
from clearway.http.openapi import READ, gives

from . import figures
from .figures import Figure

_R = Request[Any, Any, Any]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/figures",
        opt=PUBLIC,
        sync_to_thread=True,
        summary="Exposures across all fleets by day, KEV and state",
        responses=gives(list[Figure], *READ),
    )
    def listed(request: _R) -> Response[bytes]:
        """Of the last 31 days, in tens. Null is a figure that would tell of single organisations."""
        with acting(request) as (db, me):
            found = figures.listed(db)
        return etag.response(request, msgspec.json.encode(found), me)

    return [listed]
