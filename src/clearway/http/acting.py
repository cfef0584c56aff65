"""From a request to who asks, and one transaction on their behalf.

    with acting(request) as (db, me):
        ...

A request proves itself by a bearer token or by the session cookie. The guard, asked before the handler,
knows the principal and its rights; the transaction runs under row-level policies that read the same key, so
that what a guard forgot is still not seen. A principal is remembered for `REMEMBERED_S` in this process; the
database is asked by every statement, so a revocation bites at once all the same.
"""

from __future__ import annotations

import time
from asyncio import to_thread
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from psycopg.errors import DiskFull

from clearway.records.errors import ForbiddenError, UpstreamError
from clearway.records.principal import ROLE_OF, Principal, lacking
from clearway.store.peek import Peek, UnfitError
from clearway.store.principal import PUBLIC as PUBLIC_KEY
from clearway.store.principal import key_of

from . import csrf, organisation
from .guard import is_public
from .ratelimit import credential, spend
from .session_cookie import SESSION_COOKIE, SESSION_COOKIE_PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from litestar.connection import ASGIConnection
    from litestar.handlers.base import BaseRouteHandler

    from clearway.records.principal import Right
    from clearway.store.principal import Pool

    from .guard import Guard

    Connection = ASGIConnection[Any, Any, Any, Any]

REMEMBERED_S = 2.0
_MOST_REMEMBERED = 4096

SIGNED_IN: dict[str, Any] = {"right": "signed-in"}
# For what signs a person in: no token, narrow or stolen, may do that.
# For a part of a page that is fetched after it, and may take as long as a program's request.
PATIENT: dict[str, Any] = {"patient": True}
IN_PERSON: dict[str, Any] = {"right": "signed-in", "session": True}


def needs(right: Right) -> dict[str, str]:
    """The `opt` of a route for those who have this right in some organisation."""
    return {"right": right}


def secret_in(connection: Connection) -> tuple[str, str]:
    """What a request presents: ("token" or "session", its secret), or ("", "")."""
    header = connection.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return "token", value.strip()
    cookie = connection.cookies.get(SESSION_COOKIE if over_https(connection) else SESSION_COOKIE_PLAIN)
    return ("session", cookie) if cookie else ("", "")


def over_https(connection: Connection) -> bool:
    """Whether browsers reach this installation by HTTPS; then a cookie that a neighbour could plant is no session."""
    settings = connection.app.state.get("sign_in")
    return settings is not None and settings.base_url.startswith("https:")


_T = TypeVar("_T")


class Doorkeeper:
    """Knows principals by their keys, through one pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._known: dict[str, tuple[float, Principal]] = {}
        self._lock = Lock()

    def principal(self, key: str) -> Principal | None:
        """Who holds `key`; None when it is unknown, expired or revoked.

        Raises:
            UpstreamError: the database does not answer.
        """
        known = self._remembered(key)
        if known is not None:
            return known
        now = time.monotonic()
        found = self._ask(key)
        with self._lock:
            if found is None:
                self._known.pop(key, None)
                return None
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = (now, found)
        return found

    def forget(self, key: str) -> None:
        """Asks the database again at the next request: after a change of roles or a sign-out."""
        with self._lock:
            self._known.pop(key, None)

    def _ask(self, key: str) -> Principal | None:
        try:
            return self._whoami(key, noting=key != PUBLIC_KEY)
        except UpstreamError as error:
            if not isinstance(error.__cause__, DiskFull):
                raise
            return self._whoami(key, noting=False)  # no room to note the use: reads go on

    def _whoami(self, key: str, *, noting: bool) -> Principal | None:
        with self.pool.acting(key, look=True) as db:
            row = db.execute(
                "select clearway.whoami()::text, case when %s then clearway.touch() else false end",
                (noting,),
            ).fetchone()
        if row is None or row[0] is None:
            return None
        return msgspec.json.decode(row[0], type=Principal)

    def guard(self) -> Guard:
        """The guard of `http.application`: a route without a declared right stays closed.

        It also refuses what another site makes a browser send with the session's cookie (`csrf`), and a page that is
        asked for as an organisation that is not the reader's (`organisation`).
        """

        async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
            if handler.opt.get("unasked"):
                return
            kind, secret = secret_in(connection)
            key = key_of(secret) if secret else ""
            if key and self._remembered(key) is None:  # the event loop goes on while the database is asked
                me = await to_thread(self._note, connection, kind, key)
            else:
                me = self._note(connection, kind, key)
            if key:
                credential(connection.scope, good=me is not None)
            if me is not None:
                spend(connection.scope, me.person)
            if not is_public(handler):
                right = handler.opt.get("right")
                if me is None or me.kind == "public":
                    raise NotAuthorizedException
                if (
                    right is None and connection.scope.get("method") != "OPTIONS"
                ):  # the framework's own: it tells the methods
                    raise NotAuthorizedException
                if right is not None and right != SIGNED_IN["right"] and not me.may(right):
                    raise _lacks(me, right)
                if handler.opt.get("session"):
                    if me.credential != "session":
                        raise PermissionDeniedException(
                            "sign in in a browser for that: a token is not enough"
                        )
                    # What these do is done by the owner, so nothing remembered will do.
                    if await to_thread(self._ask, self.key(connection)) is None:
                        raise NotAuthorizedException
            if kind == "session" or not secret:
                session = self.key(connection) if me is not None else ""
                await csrf.check(connection, session)  # type: ignore[arg-type]  # HTTP routes only
            organisation.checked(connection, me)

        return guard

    def _remembered(self, key: str) -> Principal | None:
        known = self._known.get(key)
        return known[1] if known is not None and time.monotonic() - known[0] < REMEMBERED_S else None

    def of(self, connection: Connection) -> Principal | None:
        """Who asks; None for a request that presents nothing or something that is not valid."""
        state = connection.scope.setdefault("state", {})
        if "principal" not in state:
            kind, secret = secret_in(connection)
            return self._note(connection, kind, key_of(secret) if secret else "")
        found: Principal | None = state["principal"]
        return found

    def _note(self, connection: Connection, kind: str, key: str) -> Principal | None:
        """Who holds `key` ("" for none presented), noted on the request for the handler and its page (`viewer_of`)."""
        me = self.principal(key) if key else None
        # A cookie is sent by whatever page the browser shows, a token only by who holds it: neither stands for
        # the other.
        if me is not None and (me.credential == "session") != (kind == "session"):
            me = None
        state = connection.scope.setdefault("state", {})
        state["principal"] = me
        state["principal_key"] = key if me is not None else PUBLIC_KEY
        return me

    def key(self, connection: Connection) -> str:
        """The key of who asks; the public's for nobody."""
        self.of(connection)
        return str(connection.scope["state"]["principal_key"])


def _lacks(me: Principal, right: Right) -> ForbiddenError:
    """The error for who has not the `right` that a route takes, whatever it would have been asked for."""
    if me.scopes is not None and right not in me.scopes:
        return ForbiddenError(
            f"this token lacks the scope {right}",
            mend=f"make one with it: that takes the role {ROLE_OF[right]}",
        )
    return lacking(right)


def doorkeeper(connection: Connection) -> Doorkeeper:
    """The application's doorkeeper."""
    found: Doorkeeper = connection.app.state.doorkeeper
    return found


def viewer(connection: Connection) -> Principal | None:
    """Who asks, or None for the public."""
    return doorkeeper(connection).of(connection)


@contextmanager
def acting(connection: Connection) -> Iterator[tuple[psycopg.Connection[Any], Principal]]:
    """One transaction on behalf of who asks, committed at the end of the block; the public sees what is CLEAR.

    Raises:
        UpstreamError: the database does not answer.
    """
    door = doorkeeper(connection)
    me = door.of(connection) or _THE_PUBLIC
    with door.pool.acting(door.key(connection), look=_is_looked_at(connection)) as db:
        yield db, me


def peeking(connection: Connection) -> tuple[Peek, Principal]:
    """What reads as `acting` does for who asks, by a single statement."""
    door = doorkeeper(connection)
    me = door.of(connection) or _THE_PUBLIC
    return Peek(door.pool, door.key(connection), look=_is_looked_at(connection)), me


def glance(connection: Connection, read: Callable[[Any], _T]) -> tuple[_T, Principal]:
    """What `read` finds, and who asks: in one round trip where that is a single statement, else as `acting`."""
    with suppress(UnfitError):
        db, me = peeking(connection)
        return read(db), me
    with acting(connection) as (whole, me):
        return read(whole), me


def _is_looked_at(connection: Connection) -> bool:
    """Whether somebody waits with a page before them: no program's request, no file, no act."""
    path = connection.url.path
    handler = connection.scope.get("route_handler")
    return (
        connection.scope.get("method") in ("GET", "HEAD")
        and not path.startswith(("/api/", "/v1/"))
        and not path.endswith((".csv", ".json"))
        and (handler is None or not handler.opt.get("patient", False))
    )


_THE_PUBLIC = Principal(person=-1, name="the public", kind="public", credential="public")
