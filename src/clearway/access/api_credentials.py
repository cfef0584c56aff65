"""`/api/v1/me`, `/tokens` and `/sessions`: who one is here, and by which credentials one can come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, doorkeeper
from clearway.http.filters import flag
from clearway.http.filters import number as whole
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.http.whole import unmarked
from clearway.records.errors import AuthenticationError, NotFoundError
from clearway.records.principal import Principal
from clearway.store.keyset import Column, Source

from . import credential
from .api_parts import Number, Words, number, once_shown
from .credential import Credential

_R = Request[Any, Any, Any]


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a token: your own, or with `person` one of a service that you administer.

    `scopes` are the rights that it keeps (null: all of its person's), `org` the one organisation that it is good for.
    """

    label: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[Words, Meta(min_length=1)] | None = None
    org: Number | None = None
    days: Annotated[int, Meta(ge=1, le=365)] = 90
    person: Number | None = None


class MadeToken(Struct, frozen=True, kw_only=True):
    """A new token. `secret` is shown this once, and is null when the same request is sent again."""

    credential: int
    public_id: str
    secret: str | None
    expires: datetime


class Revoked(Struct, frozen=True, kw_only=True):
    """A credential that is good for nothing any more."""

    credential: int


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends your sessions; with `tokens` your tokens too, the one that asks among them."""

    tokens: bool = False


class Ended(Struct, frozen=True, kw_only=True):
    """How many credentials ended."""

    ended: int


_COLUMNS = Source(
    "c.credential, c.public_id, c.person, c.kind, c.label, c.scopes, c.org, c.created, c.expires, c.last_used, "
    "c.revoked, c.signed_in_by",
    "clearway.credential c",
)
_FILTERS = {
    "person": whole("c.person = any(%s)", least=1),
    "active": flag("(c.revoked is null and c.expires > clearway.now_marked()) = any(%s)"),
}
_SORTS = {"credential": Column("c.credential", "int"), "expires": Column("c.expires", "timestamptz")}
TOKENS = Listing(
    "tokens", Credential, _COLUMNS, sorts=_SORTS, tie=Column("c.credential", "int"), default="-credential",
    filters=_FILTERS, where="c.kind = 'token'",
)  # fmt: skip
SESSIONS = Listing(
    "sessions", Credential, _COLUMNS, sorts=_SORTS, tie=Column("c.credential", "int"), default="-credential",
    filters=_FILTERS, where="c.kind = 'session'",
)  # fmt: skip


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/me",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Who you are here",
        responses=gives(Principal, *READ),
    )
    def me(request: _R) -> Response[bytes]:
        """Your memberships with the rights that this credential has in each."""
        with acting(request) as (db, who):
            # Asked of the database, not remembered: a revoked credential has no name any more.
            row = db.execute("select clearway.whoami()::text").fetchone()
        if row is None or row[0] is None:
            raise AuthenticationError(
                "this credential is no longer good", mend="sign in, or use another token"
            )
        found = msgspec.json.decode(row[0], type=Principal)
        return etag.response(request, msgspec.json.encode(found), who)

    @get(
        paths("/tokens"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Tokens that you may see: your own, and of services that you administer",
        operation_class=TOKENS.operation,
        responses=TOKENS.responses,
    )
    def tokens(request: _R) -> Response[bytes]:
        """Never with a secret. Those that have ended are there too."""
        return unmarked(request, TOKENS)

    @post(
        "/tokens",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Make a token",
        responses=gives(MadeToken, *WRITE, status=201),
    )
    def make(request: _R, data: JSONBody[NewToken]) -> Response[bytes]:
        """It never has more rights than its person, nor more than the credential that makes it."""
        with acting(request) as (db, who):

            def act() -> tuple[Made, Struct]:
                if data.org is not None and all(m.org != data.org for m in who.memberships):
                    raise NotFoundError("no such organisation of yours", where="org")
                made = credential.make_token(
                    db,
                    who.person if data.person is None else data.person,
                    label=data.label,
                    scopes=data.scopes,
                    org=data.org,
                    life=timedelta(days=data.days),
                    now=datetime.now(UTC),
                )
                row = db.execute(
                    "select credential from clearway.credential where public_id = %s", (made.public_id,)
                ).fetchone()
                told = MadeToken(
                    credential=int(row[0]) if row else 0,
                    public_id=made.public_id,
                    secret=made.secret,
                    expires=made.expires,
                )
                kept = msgspec.structs.replace(told, secret=None)
                return Made(record=kept, location=f"{PREFIX}/tokens"), told

            return once_shown(request, db, who, act)

    @get(
        paths("/sessions"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Sessions that you may see",
        operation_class=SESSIONS.operation,
        responses=SESSIONS.responses,
    )
    def sessions(request: _R) -> Response[bytes]:
        """Your own; everybody's for administrators of the house."""
        return unmarked(request, SESSIONS)

    @post(
        ["/tokens/{which:int}/revoke", "/sessions/{which:int}/revoke"],
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="End a token or session",
        responses=gives(Revoked, *WRITE),
    )
    def revoke(request: _R, which: FromPath[int]) -> Response[bytes]:
        """Its holder's next request is refused."""
        with acting(request) as (db, who):

            def act() -> Made:
                credential.revoke(db, number(which))
                return Made(record=Revoked(credential=which), status=200)

            return once(request, db, who, act)

    @post(
        "/sign-out",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="End every session of yours",
        responses=gives(Ended, *WRITE),
    )
    def leave(request: _R, data: JSONBody[Leaving]) -> Response[bytes]:
        with acting(request) as (db, _):
            ended = credential.sign_out(db, everything=data.tokens)
        door = doorkeeper(request)
        door.forget(door.key(request))
        return Response(msgspec.json.encode(Ended(ended=ended)), media_type="application/json")

    return [me, tokens, make, sessions, revoke, leave]
