"""Transactions on behalf of somebody, and those of the owner: one pool for each.

A transaction of the application is the role `clearway_app` with a *principal*: a key that only the holder of
a session or token can make. Both are set in one statement and end with the transaction, so that a
connection that goes back to the pool says nothing of who used it. Row-level policies read the key; without
one every governed table is an error, with one that is unknown, expired or revoked it is empty.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Self

import psycopg
from psycopg import OperationalError, sql
from psycopg.adapt import Transformer
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from clearway.records.errors import ClearwayError, FullError, UpstreamError

from . import batch
from .cluster import LOGIN, USER
from .connect import connect, no_room, translated
from .release import Release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg.pq.abc import PGresult

# What the application connects as on a server of the user's own, where the owner's login must not be used.
APP_URL_VARIABLE = "CLEARWAY_APP_DATABASE_URL"
PUBLIC = sha256(b"clearway public").hexdigest()
_WAIT_S = 10.0
_FULL_WAIT_S = 1.0
# What waits longer for another's lock, or works longer, than a request may take is told so and makes room: eight
# requests that wait for ever would be all that the pool has.
REQUEST: Mapping[str, str] = {"lock_timeout": "30s", "statement_timeout": "55s"}
# What somebody looks at while they wait is given up sooner: a page that says so, and how to go on, beats a blank one.
LOOK: Mapping[str, str] = {"lock_timeout": "8s", "statement_timeout": "10s"}
# Between tries at a server that is away. The package's own come after 1, 2, 4, 8 s…, so that one which was away for
# eight seconds would be met again after fifteen.
_TRY_S = 0.2
# For a connection of the owner's to look at the tables' number with, which may wait for another second.
_LOOK_S = 0.05
_KEY = re.compile("[0-9a-f]{64}")
# In a session that is as new, but for the role, which every transaction sets itself: without the settings, temporary
# objects, held cursors and channels that SQL which slipped in left for whoever has the connection next. Sent with the
# statement that names the principal, before any of them is answered: one round trip.
_BEGIN: tuple[batch.Statement, ...] = (
    (b"reset all", None),
    (b"discard temp", None),
    (b"close all", None),
    (b"unlisten *", None),
    (b"begin", None),
)
_BEGIN_READING: tuple[batch.Statement, ...] = (*_BEGIN[:-1], (b"begin read only", None))
# Whether SQL prepared a statement, maybe in the name of one of the driver's, which prepares its own by the protocol.
# What it is can't be dropped without the driver's knowing: such a connection is closed.
_PREPARED = "exists (select from pg_catalog.pg_prepared_statement() p where p.from_sql)"
# A temporary object is looked for first where `pg_temp` is not named.
SEARCH_PATH = "clearway, public, pg_temp"
_SET = "select set_config('role', 'clearway_app', true), set_config('clearway.principal', %s, true)"


def key_of(secret: str) -> str:
    """The key that stands for a session's or token's secret: 64 hexadecimal digits.

    The database is told the key and keeps the key's hash, so that neither its memory nor its tables
    hold what a person presents.
    """
    return sha256(b"clearway principal\n" + secret.encode()).hexdigest()


def hash_of(key: str) -> bytes:
    """What the table of credentials holds of a key."""
    return sha256(bytes.fromhex(key)).digest()


def set_principal(db: psycopg.Connection[Any], key: str) -> None:
    """Makes the rest of this transaction act for the holder of `key`, as `clearway_app`.

    Raises:
        ClearwayError: the key is not 64 hexadecimal digits (when a policy first reads it).
    """
    db.execute(_SET, (key,))


def login_url(url: str) -> str:
    """Where the application connects: the embedded server's login role, or what the operator named.

    Without CLEARWAY_APP_DATABASE_URL, a server of the user's own is used with the owner's login, and only the
    role of each transaction keeps the application from its rights (`clearway doctor` says so).
    """
    named = os.environ.get(APP_URL_VARIABLE, "").strip()
    if named:
        return named
    embedded = f"postgresql://{USER}@/"
    return f"postgresql://{LOGIN}@/{url[len(embedded) :]}" if url.startswith(embedded) else url


class Pool:
    """Connections of the application and of the owner, opened as they are needed. Safe between threads."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 8,
        owners: int = 2,
        bounds: Mapping[str, str] | None = None,
        look: Mapping[str, str] | None = None,
    ) -> None:
        """`bounds` are settings of the application's connections, such as `REQUEST`; a job has none.

        `look` are those of a transaction that somebody waits for with a page before them, such as `LOOK`; as `bounds`
        where there are none.
        """
        self.url = url
        self._set = _setting(_settings(bounds))
        self._set_look = _setting(_settings(bounds if look is None else look))
        self._app = _pool(login_url(url), size, "clearway app", checked=False, bounds=bounds or {})
        self._owner = _pool(url, owners, "clearway")
        self.release = Release()

    def close(self) -> None:
        """Closes every connection; those in use when they come back."""
        self._app.close(timeout=2)
        self._owner.close(timeout=2)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def acting(self, key: str, *, look: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """One transaction as `clearway_app` for the holder of `key`; committed at the end of the block.

        With `look`, within the bounds of what somebody waits for.

        Raises:
            OutdatedError: the tables are those of a newer release: nothing is begun.
            UpstreamError: no connection could be had.
            BusyError: a statement, or its wait for another's lock, took longer than the bounds allow.
        """
        with translated(), ExitStack() as stack:
            db, _ = self._begun(stack, key, look=look)
            try:
                yield db
            except BaseException:
                with suppress(Exception):  # the first failure is the news; a dead connection leaves the pool
                    db.rollback()
                raise
            db.commit()

    def peek(
        self, key: str, text: bytes, values: Sequence[bytes], *, look: bool = False
    ) -> list[tuple[Any, ...]]:
        """The rows of one statement that reads, in a transaction of its own as `acting` makes one, in one round trip.

        The transaction can only read, so that its end has nothing to wait for. `values` are as text.

        Raises:
            ClearwayError: as `acting`; the statement is not one that only reads, or can't be done.
        """
        with translated(), ExitStack() as stack:
            db, answers = self._begun(stack, key, look=look, whole=(text, values))
            shape = Transformer(db)
            shape.set_pgresult(answers[-2])
            return shape.load_rows(0, answers[-2].ntuples, tuple)

    def _begun(
        self, stack: ExitStack, key: str, *, look: bool, whole: batch.Statement | None = None
    ) -> tuple[psycopg.Connection[Any], list[PGresult]]:
        """A connection with its transaction begun and its principal set; `whole`, it is ended with that statement.

        The key goes as a parameter: the text of a statement is shown to other sessions. Asking each connection
        beforehand whether it lives would be one more round trip. One that has died since it was last used says so
        here, and the next is tried; so is one in which a statement was prepared that the driver knows nothing of.
        """
        if not _KEY.fullmatch(key):
            raise ClearwayError("no principal's key: 64 hexadecimal digits")
        if self.release.due():
            self._look()
        self.release.hold()
        setting: batch.Statement = (self._set_look if look else self._set, (key.encode(),))
        asked = (*_BEGIN, setting) if whole is None else (*_BEGIN_READING, setting, whole, (b"commit", None))
        for left in range(self._app.max_size, -1, -1):
            one = stack.enter_context(ExitStack())
            db = one.enter_context(_connection(self._app))
            try:
                answers = batch.execute(db, asked)
            except OperationalError:
                if not left or not db.closed:
                    raise
                one.close()
            else:
                if answers[len(_BEGIN)].get_value(0, 0) == b"f":
                    return db, answers
                db.close()
                one.close()
        raise UpstreamError(
            "no connection to the database is as new", where="database", mend="try again in a moment"
        )

    @contextmanager
    def owner(self) -> Iterator[psycopg.Connection[Any]]:
        """One transaction as the owner, who sees every row: for jobs and maintenance, never for a request's reads."""
        with translated(), _connection(self._owner) as db:
            if self.release.due():
                self.release.look(db)
            self.release.hold()
            with db.transaction():
                yield db

    def check(self) -> None:
        """Asks the database now; raises OutdatedError where its tables are a newer release's.

        Where its disk is full, so that it takes no new connection, an open one of the application will do: it reads.

        Raises:
            UpstreamError: it does not answer. FullError: the disk is full, and no connection is open.
        """
        try:
            with translated(), _connection(self._owner) as db:
                self.release.look(db)
        except FullError:
            with translated(), _connection(self._app) as db:
                db.execute("select 1")
            self.release.hold()

    def _look(self) -> None:
        """As `check`, for who came by: where the owner's connections are all in use, the next who comes looks."""
        with suppress(PoolTimeout, PoolClosed, OperationalError), self._owner.connection(_LOOK_S) as db:
            self.release.look(db)


def _settings(bounds: Mapping[str, str] | None) -> dict[str, str]:
    return {"search_path": SEARCH_PATH, **(bounds or {})}


def _setting(settings: Mapping[str, str]) -> bytes:
    """As `_SET`, with what the application's connections have besides.

    What SQL that slipped in set for the session was reset where the transaction began, and these with it; a lock that
    it left goes here. The first column is `_PREPARED`. All in the statement that names the principal: one more
    set_config costs a microsecond.
    """
    each = (sql.SQL(", set_config({}, {}, true)").format(k, v) for k, v in settings.items())
    begun = _SET.replace("%s", "$1").replace("select ", f"select {_PREPARED}, ", 1)
    whole = sql.SQL(begun) + sql.SQL(", pg_advisory_unlock_all()") + sql.SQL("").join(each)
    return whole.as_bytes()


def _pool(
    url: str, size: int, name: str, *, checked: bool = True, bounds: Mapping[str, str] | None = None
) -> ConnectionPool[psycopg.Connection[Any]]:
    def prepare(db: psycopg.Connection[Any]) -> None:
        for setting, value in _settings(bounds).items():
            db.execute("select set_config(%s, %s, false)", (setting, value))

    class Noted(psycopg.Connection[Any]):
        """A connection of this pool, which tells nobody else why it could open none."""

        refused: ClassVar[OperationalError | None] = None

        @classmethod
        def connect(cls, *args: Any, **kwargs: Any) -> Self:
            try:
                made = super().connect(*args, **kwargs)
            except OperationalError as error:
                Noted.refused = error
                raise
            Noted.refused = None
            return made

    return ConnectionPool(
        url,
        connection_class=Noted,
        min_size=0,
        max_size=size,
        open=True,
        configure=prepare,
        check=ConnectionPool.check_connection if checked else None,
        kwargs={"autocommit": True, "application_name": name, "connect_timeout": 10},
        timeout=_WAIT_S,
        reconnect_timeout=_TRY_S,
        reconnect_failed=_again_for_who_waits,
        max_idle=60,
        num_workers=1,
    )


def _again_for_who_waits(pool: ConnectionPool[psycopg.Connection[Any]]) -> None:
    """Has the pool try again, once it has given up, while somebody waits for a connection.

    After that it would try for the next who asks, and not for those in the queue: so here one asks, for a moment.
    """
    if pool.get_stats().get("requests_waiting"):
        with suppress(PoolTimeout, PoolClosed):
            pool.putconn(pool.getconn(timeout=0.001))


def _no_room(pool: ConnectionPool[psycopg.Connection[Any]]) -> FullError | None:
    """What to raise where the last connection that the pool wanted was refused for want of room."""
    return no_room(getattr(pool.connection_class, "refused", None))


@contextmanager
def _connection(
    pool: ConnectionPool[psycopg.Connection[Any]],
) -> Iterator[psycopg.Connection[Any]]:
    try:
        # On a full disk an open one may come back, and no new one is to be waited for.
        with pool.connection(_FULL_WAIT_S if _no_room(pool) else None) as db:
            yield db
    except PoolTimeout as error:
        if full := _no_room(pool):
            raise full from error
        raise UpstreamError(
            "no connection to the database could be had in time",
            where="database",
            mend="try again in a moment",
        ) from error
    except PoolClosed as error:
        raise UpstreamError("the server is ending", where="database", mend="try again in a moment") from error


@contextmanager
def acting_once(url: str, key: str) -> Iterator[psycopg.Connection[Any]]:
    """As `Pool.acting`, for a command that makes one transaction and ends."""
    with translated(), connect(login_url(url), autocommit=True) as db, db.transaction():
        set_principal(db, key)
        yield db
