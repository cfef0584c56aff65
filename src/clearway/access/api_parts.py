"""What the routes of this room have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Response
from msgspec import Meta, Struct

from clearway.http.idempotency import Made, once
from clearway.records.errors import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from litestar import Request

    from clearway.http.etag import Expected
    from clearway.records.principal import Principal

Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Word = Annotated[str, Meta(max_length=64)]
Words = Annotated[tuple[Word, ...], Meta(max_length=50)]
Why = Annotated[str, Meta(max_length=500)]


def number(typed: int) -> int:
    """A number from a path, as one that PostgreSQL can hold: what is beyond names nothing."""
    return typed if 0 <= typed < 2**31 else -1


def once_shown(
    request: Request[Any, Any, Any],
    db: psycopg.Connection[Any],
    me: Principal,
    act: Callable[[], tuple[Made, Struct]],
) -> Response[bytes]:
    """As `idempotency.once`, for an answer with a secret: `act` gives the answer to keep, and the one to send now.

    What is kept for a repeated request is without the secret: a secret is stored nowhere.
    """
    told: list[Struct] = []

    def run() -> Made:
        kept, sent = act()
        told.append(sent)
        return kept

    answer = once(request, db, me, run)
    if told:
        answer.content = msgspec.json.encode(told[0])
        answer.headers["cache-control"] = "no-store"
    return answer


def locked(db: psycopg.Connection[Any], what: str, row: tuple[Any, ...] | None, expected: Expected) -> int:
    """The version of a row that the caller may change, which is locked now.

    Raises:
        ForbiddenError: the caller may see it and not change it.
        StaleError: it has another version than the caller has read.
    """
    if row is None:
        raise ForbiddenError("the right to change it is missing", where=what)
    expected.check(int(row[0]))
    return int(row[0])


def must(me: Principal, right: Any, org: int, what: str = "organisation") -> None:
    """Passes when the caller has that right in `org`.

    Raises:
        NotFoundError: the caller does not belong to it.
        ForbiddenError: the caller belongs to it, without that right.
    """
    if me.may(right, org):
        return
    if any(m.org == org for m in me.memberships):
        raise ForbiddenError(f"the right to {right} is missing", where=what)
    raise NotFoundError("no such organisation of yours", where=what)
