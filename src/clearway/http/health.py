"""Is the process alive, and is it ready to answer: for supervisors and load balancers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from litestar import Response, Router, get
from litestar.openapi import ResponseSpec
from msgspec import Struct

from clearway.records.errors import ClearwayError

from .guard import PUBLIC
from .openapi import problems_of

# A check returns when all is well and raises what is wrong.
Check = Callable[[], Awaitable[None]]


class Health(Struct, frozen=True):
    """`status` is "ok" or "unready"; `checks` has "ok" or the code of what is wrong, by name."""

    status: str
    checks: dict[str, str] = {}


def routes(checks: Mapping[str, Check]) -> Router:
    """`GET /health/live` (always 200) and `GET /health/ready` (503 while a check fails).

    Neither tells more than codes: they are public.
    """

    @get("/live", opt=PUBLIC, summary="Whether the process answers", responses=problems_of())
    async def live() -> Health:
        return Health("ok")

    @get(
        "/ready",
        opt=PUBLIC,
        summary="Whether it can answer from its data",
        responses={
            **problems_of(),
            503: ResponseSpec(Health, description="A check fails", generate_examples=False),
        },
    )
    async def ready() -> Response[Health]:
        found: dict[str, str] = {}
        for name, check in checks.items():
            try:
                await check()
            except ClearwayError as error:
                found[name] = error.code
            else:
                found[name] = "ok"
        well = all(state == "ok" for state in found.values())
        return Response(Health("ok" if well else "unready", found), status_code=200 if well else 503)

    return Router("/health", route_handlers=[live, ready], tags=["health"])
