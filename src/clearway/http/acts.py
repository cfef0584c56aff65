"""The two shapes of a route that changes something: a POST that does its work once, a change of what was read.

    def add(request: Request, data: NewAsset) -> Response[bytes]:
        def act(db: Db, me: Principal) -> Made:
            made = assets.add(db, …)
            return Made(record=made, location=f"…/{made.asset}")

        return done_once(request, act)

    def change(request: Request, asset: int, data: AssetChange) -> Response[bytes]:
        def act(db: Db, me: Principal, expected: Expected) -> tuple[Asset, int]:
            …  # the row locked, its version given to `expected.check`
            return kept, kept.version

        return changed(request, act)

The work is a function of one transaction on the caller's behalf: no route can answer before it is committed, forget
the caller's key, or change what nobody has read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import etag
from .acting import acting
from .idempotency import once

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from litestar import Request, Response
    from msgspec import Struct

    from clearway.records.principal import Principal

    from .etag import Expected
    from .idempotency import Made

    Db = psycopg.Connection[Any]


def done_once(request: Request[Any, Any, Any], act: Callable[[Db, Principal], Made]) -> Response[bytes]:
    """What `act` made, done once for the request's `Idempotency-Key` (`idempotency.once` says what it raises)."""
    with acting(request) as (db, me):
        return once(request, db, me, lambda: act(db, me))


def changed(
    request: Request[Any, Any, Any], act: Callable[[Db, Principal, Expected], tuple[Struct, int]]
) -> Response[bytes]:
    """The record as `act` left it, with the tag of its new version.

    Raises:
        PreconditionMissingError: the request has no `If-Match`; nothing was begun.
        NotFoundError, StaleError: `act` held the row against it, and it is another.
    """
    expected = etag.expected(request)
    with acting(request) as (db, me):
        record, version = act(db, me, expected)
    return etag.thing(request, record, me, version)


def removed(request: Request[Any, Any, Any], act: Callable[[Db, Principal, Expected], None]) -> None:
    """Runs `act`, which removes what the request's `If-Match` names; raises as `changed` does."""
    expected = etag.expected(request)
    with acting(request) as (db, me):
        act(db, me, expected)
