"""`/api/v1/ledger`: the whole log verified by the worker, whether it continues, and the log as one file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi import ResponseSpec
from litestar.response import File
from msgspec import Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.openapi import READ, WRITE, gives, problems_of

from . import verifying
from .pages_log import Continued, bundled, continuity
from .verifying import Standing

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_R = Request[Any, Any, Any]


class Asked(Struct, frozen=True, kw_only=True):
    """The entry that says who asked. `running` is since when the log is being verified."""

    entry: int
    running: datetime | None


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/verification",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What the last verification of the whole log found",
        responses=gives(Standing, *READ),
    )
    def verification(request: _R) -> Response[bytes]:
        """`running` is since when another one is asked for and has not answered."""
        with acting(request) as (db, me):
            found = verifying.standing(db)
        return etag.response(request, msgspec.json.encode(found), me)

    @post(
        "/verification",
        opt=needs("audit"),
        sync_to_thread=True,
        status_code=202,
        summary="Have the whole log verified",
        responses=gives(Asked, *WRITE, status=202),
    )
    def verify(request: _R) -> Response[bytes]:
        """By the worker; one waits at a time. Who asked is on the log, and what is found stands there too."""
        door = doorkeeper(request)
        with door.pool.owner() as owner:
            entry = verifying.ask(owner, door.key(request))
        with acting(request) as (db, _):
            running = verifying.standing(db).running
        body = msgspec.json.encode(Asked(entry=entry, running=running))
        return Response(
            body, status_code=202, media_type="application/json", headers={"cache-control": "no-store"}
        )

    @get(
        "/continuity",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Whether each of the newest checkpoints continues the one before",
        responses=gives(list[Continued], *READ),
    )
    def continues(request: _R) -> Response[bytes]:
        """By a proof computed now from the tiles, against the roots that were signed. Newest first."""
        with acting(request) as (db, me):
            found = continuity(db)
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        "/bundle",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="The log as one file, without headers and contents",
        media_type="application/zip",
        responses={
            200: ResponseSpec(
                bytes, description="What `clearway ledger verify FILE` needs", generate_examples=False,
                media_type="application/zip",
            ),
            **problems_of(*READ, 409),
        },
    )  # fmt: skip
    def bundle(request: _R) -> File:
        """For a machine without this database. One download at a time: 409 while somebody else's is made."""
        return bundled(request)

    return [verification, verify, continues, bundle]
