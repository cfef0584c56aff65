"""Connections, and the driver's errors in our own words. The only room that imports psycopg is this one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors, sql

from clearway.records.errors import (
    BusyError,
    ClearwayError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    FullError,
    InputError,
    NotFoundError,
    UpstreamError,
)

from . import arrays

# A connection knows the kinds of parameter that were registered before it was opened.
arrays.register()
_OWN_SCHEMA_FIRST = "clearway, public, pg_temp"
# When a transaction ends by an exception and its rollback fails too (the server is gone, or Ctrl-C came
# in the middle of a statement), psycopg logs the second failure. The first one is the news, and it is
# raised; without a handler of ours, Python would print the second to the user's terminal.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


def connect(
    url: str,
    *,
    autocommit: bool = False,
    statement_timeout_s: float = 0,
    lock_timeout_s: float = 60,
    application_name: str = "clearway",
) -> psycopg.Connection:
    """An open connection to `url`, with the schema `clearway` first in its search path.

    `statement_timeout_s` ends a statement that takes longer, `lock_timeout_s` one that waits longer
    for a lock; 0 is no limit. Close it, or use it as a context manager (which commits).

    Raises:
        ConfigError: the server refuses us, or the URL can't be read.
        UpstreamError: nobody answers.
    """
    with translated():
        connection = psycopg.connect(
            url, autocommit=True, application_name=application_name, connect_timeout=10
        )
        try:
            _prepare(connection, statement_timeout_s, lock_timeout_s)
            connection.autocommit = autocommit
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: psycopg.Connection, statement_timeout_s: float, lock_timeout_s: float) -> None:
    settings = {
        "search_path": _OWN_SCHEMA_FIRST,
        "statement_timeout": f"{round(statement_timeout_s * 1000)}ms",
        "lock_timeout": f"{round(lock_timeout_s * 1000)}ms",
    }
    call = sql.SQL("select ") + sql.SQL(", ").join(
        sql.SQL("set_config({}, {}, false)").format(name, value) for name, value in settings.items()
    )
    connection.execute(call)


@contextmanager
def translated() -> Iterator[None]:
    """Turns what psycopg raises inside into a `ClearwayError` that names the cure.

    A server that is gone or out of memory: `UpstreamError`; one that is busy or out of time, or whose disk is full:
    its children `BusyError` and `FullError`. A refused login, a missing right, or tables that are not there:
    `ConfigError`. Two writers that met: `ConflictError`.
    A statement that is wrong in itself is our own mistake and becomes a plain `ClearwayError`.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _in_our_words(error) from error


def no_room(error: BaseException | None) -> FullError | None:
    """The error to raise where a connection was refused because the database's disk is full; None for another reason.

    PostgreSQL writes what a new connection reads at first (`pg_internal.init`) when that was removed, as its own upkeep
    does, and takes none without it; those that are open go on.
    """
    if not isinstance(error, psycopg.OperationalError) or not _NO_ROOM.search(str(error)):
        return None
    return FullError(
        "the database's disk is full, and without room it takes no new connection",
        where="database",
        mend="free some space where its data is: `clearway doctor` names the disk; nothing is lost, ask again then",
    )


def _in_our_words(error: psycopg.Error) -> ClearwayError:
    said = _first_line(error)
    own = _OWN.get(error.sqlstate or "")
    if own is not None:  # raised by a function of ours, in our own words
        return own(said, mend=error.diag.message_hint or "")
    if isinstance(error, _UNFIT) or (isinstance(error, psycopg.DataError) and error.sqlstate is None):
        return InputError("a value can't be kept", mend="numbers and dates in range, and text without NUL")
    if isinstance(error, errors.InsufficientPrivilege) and "row-level security" in said:
        return ForbiddenError("that is not yours to write")
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None and _REFUSED.search(said):
        # libpq gives no code for what fails while connecting, only the server's text.
        return ConfigError(f"the database refuses the login: {said}", where="database", mend=_LOGIN)
    if error.sqlstate is None and (full := no_room(error)):
        return full
    for kinds, child, what, mend in _TABLE:
        if isinstance(error, kinds):
            # What is shown to strangers is our words alone.
            words = f"{what}: {said}" if said and child not in (BusyError, ConflictError, FullError) else what
            return child(words, where="database", mend=mend)
    return ClearwayError(f"the database refused a statement: {said}", where="database")


def _first_line(error: psycopg.Error) -> str:
    """The server's own first line, without the detail, which may hold what is in a record."""
    primary = error.diag.message_primary
    return primary or (str(error).strip().splitlines() or [""])[0]


_OWN: dict[str, type[ClearwayError]] = {
    "CW400": InputError,
    "CW403": ForbiddenError,
    "CW404": NotFoundError,
    "CW409": ConflictError,
}
# What was asked to be kept can't be: it came from outside.
_UNFIT = (
    errors.NumericValueOutOfRange,
    errors.CharacterNotInRepertoire,
    errors.UntranslatableCharacter,
    errors.DatetimeFieldOverflow,
    errors.InvalidDatetimeFormat,
)
_LOGIN = "see user, password and database in CLEARWAY_DATABASE_URL"
_REFUSED = re.compile(
    r'authentication failed|no password supplied|(database|role) ".*" does not exist|no pg_hba\.conf entry'
    r"|permission denied for database|not permitted to log in"
)
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded")
_Kinds = tuple[type[psycopg.Error], ...]
_TABLE: tuple[tuple[_Kinds, type[ClearwayError], str, str], ...] = (
    (
        (errors.DiskFull,),
        FullError,
        "the database's disk is full",
        "free some space; what was committed is safe, and the same may be asked again",
    ),
    (
        (errors.ReadOnlySqlTransaction,),
        UpstreamError,
        "the database is read-only",
        "name the primary server in CLEARWAY_DATABASE_URL, or end its read-only mode",
    ),
    (
        (errors.InvalidAuthorizationSpecification, errors.InvalidPassword, errors.InvalidCatalogName),
        ConfigError,
        "the database refuses the login",
        _LOGIN,
    ),
    (
        (errors.InsufficientPrivilege,),
        ConfigError,
        "a right is missing in the database",
        "grant the role of CLEARWAY_DATABASE_URL the right to create a schema and to use it",
    ),
    (
        (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn),
        ConfigError,
        "the database's tables are not those of this release",
        "run the command again after the migrations of this release",
    ),
    (
        (
            errors.SerializationFailure,
            errors.DeadlockDetected,
            errors.UniqueViolation,
        ),
        ConflictError,
        "another process was changing the same rows",
        "try again",
    ),
    # Nothing was changed under the caller's hands, and a read may wait for a lock too: it is busy, and no conflict.
    (
        (errors.LockNotAvailable,),
        BusyError,
        "the database is busy: another process holds what this needs",
        "try again in a moment; nothing was changed by this",
    ),
    (
        (errors.QueryCanceled,),
        BusyError,
        "the database took too long, so this was given up",
        "try again in a moment; nothing was changed by this",
    ),
    (
        (errors.TooManyConnections,),
        UpstreamError,
        "the database has no connection left",
        "try again later, or raise max_connections",
    ),
    (
        (errors.OutOfMemory,),
        UpstreamError,
        "the database is out of memory",
        "free some memory, then try again",
    ),
    (
        (errors.IoError, errors.DataCorrupted, errors.IndexCorrupted),
        UpstreamError,
        "the database can't read or write its files",
        "see the server's log, and restore from a backup if the disk has failed",
    ),
    (
        (psycopg.ProgrammingError,),
        ClearwayError,
        "the database refused a statement",
        "",
    ),
    (
        (errors.ProgramLimitExceeded,),
        UpstreamError,
        "a value is larger than the database takes",
        "this is a defect of the program: say which record it was",
    ),
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        UpstreamError,
        "the database is gone or can't be reached",
        "see that the server is up, then give the same command again",
    ),
)
