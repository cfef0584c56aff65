"""What happened, to read from a place on (`/api/v1/events`) or to follow live (`/api/v1/events/live`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, Router, get
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, HeaderParameter
from litestar.types import ASGIApp
from msgspec import Struct

from clearway.records.errors import AuthenticationError, InputError
from clearway.store import events

from . import etag, sse
from .acting import SIGNED_IN, acting, doorkeeper, viewer
from .openapi import PREFIX, READ, gives, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .cursor import Sealer

MOST_KINDS = 20
_KIND = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+){0,4}")


class Events(Struct, frozen=True, kw_only=True):
    """Events in their order. `next` is where to go on, also when there are none yet.

    `reset`: what came after `after` can't be told, since it was deleted by age or the database was put back; read anew
    what you keep, and go on from `next`.
    """

    items: list[sse.Shown]
    next: str
    more: bool
    reset: bool = False


def routes(hub: sse.Hub, sealer: Callable[[], Sealer]) -> Router:
    """`GET /events` and `GET /events/live` under `/api/v1`, for whoever is signed in."""

    @get(
        "/events",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What happened after an event, as far as you may see it",
        responses=gives(Events, *READ),
    )
    def listed(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        kind: FromQuery[tuple[str, ...]] = (),
    ) -> Response[bytes]:
        wanted = _kinds(kind)
        with acting(request) as (db, me):
            at = hub.position(me, after) if after else None
            horizon = events.horizon(db)
            reset = at is not None and not horizon.tells(*at)
            start = 0 if at is None else horizon.reached if reset else at.seq
            found = events.read(db, start, horizon.reached, kinds=wanted)
            question = urlencode([("after", start), *(("kind", one) for one in wanted)])
            key, auds = doorkeeper(request).key(request), [event.aud for event in found]
            told = hub.telling(db, key, f"{PREFIX}/events", question, auds)
        told()
        upto = found[-1].seq if len(found) == events.BATCH else max(start, horizon.reached)
        items = [sse.shown(event, sealer(), me.person, horizon.era) for event in found]
        here = sse.sealed(sse.Position(upto, horizon.era), sealer(), me.person)
        body = Events(items=items, next=here, more=len(found) == events.BATCH, reset=reset)
        return etag.response(request, msgspec.json.encode(body), me)

    @get(
        "/events/live",
        opt=SIGNED_IN,
        summary="Events as they happen (server-sent events)",
        responses={
            200: ResponseSpec(
                str, media_type=sse.MEDIA_TYPE, description="A stream of events", generate_examples=False
            ),
            **problems_of(*READ),
        },
    )
    async def live(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        kind: FromQuery[tuple[str, ...]] = (),
        last: Annotated[str, HeaderParameter(name="last-event-id")] = "",
    ) -> ASGIApp:
        me = viewer(request)
        if me is None:
            raise AuthenticationError("this needs a login")
        key = doorkeeper(request).key(request)
        return await hub.stream(key, me, after=after, resume=last, kinds=_kinds(kind))

    return Router(PREFIX, route_handlers=[listed, live], tags=["events"])


def _kinds(typed: Sequence[str]) -> list[str]:
    if len(typed) > MOST_KINDS:
        raise InputError(f"more than {MOST_KINDS} kinds", where="query.kind")
    for one in typed:
        if len(one) > 100 or not _KIND.fullmatch(one):
            raise InputError(
                "is no kind of event", where="query.kind", mend='such as "asset" or "asset.added"'
            )
    return [*typed]
