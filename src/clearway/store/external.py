"""A PostgreSQL server of the user's own, named in `CLEARWAY_DATABASE_URL`."""

from __future__ import annotations

from clearway.records.errors import ClearwayError, ConfigError

# security_invoker views, MERGE and UNIQUE NULLS NOT DISTINCT are in 15.
FLOOR = 150_000
_WHERE = "CLEARWAY_DATABASE_URL"


def checked(url: str) -> str:
    """`url`, after a look at the server behind it.

    Raises:
        ConfigError: it is not a PostgreSQL URL, the server is older than 15, or its encoding is not UTF-8.
        UpstreamError: nobody answers.
    """
    from . import connect

    _read(url)
    with connect.translated(), connect.connect(url, autocommit=True) as connection:
        version = connection.info.server_version
        encoding = connection.info.parameter_status("server_encoding")
    if version < FLOOR:
        raise ConfigError(
            f"PostgreSQL {version // 10_000} is too old",
            where=_WHERE,
            mend=f"use PostgreSQL {FLOOR // 10_000} or newer, or unset the variable",
        )
    if encoding != "UTF8":
        raise ConfigError(
            f"the database's encoding is {encoding}", where=_WHERE, mend="make one with encoding UTF8"
        )
    return url


def answers(url: str) -> bool:
    """Whether the server behind `url` can be used."""
    try:
        checked(url)
    except ClearwayError:
        return False
    return True


def without_password(url: str) -> str:
    """`url` fit to be shown: whatever it says of a password is left out."""
    from psycopg.conninfo import make_conninfo

    shown = {name: value for name, value in _read(url).items() if name not in ("password", "sslpassword")}
    return make_conninfo("", **shown)


def _read(url: str) -> dict[str, str | int | None]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return dict(conninfo_to_dict(url))
    except psycopg.Error as error:
        # The text is not quoted back: it may hold a password.
        raise ConfigError(
            "it is not a PostgreSQL URL", where=_WHERE, mend="write postgresql://user@host:5432/database"
        ) from error
