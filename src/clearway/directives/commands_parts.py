"""What the commands of this room have in common: files, the home's database, and printing."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    import psycopg

    from clearway.ledger.reading import Note
    from clearway.records.principal import Principal


def day(text: str) -> date:
    """An argument as a date."""
    import argparse
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-12-07") from None


def known(asked: date | None) -> date:
    """The day as of which the fleet is asked, today without one. Raises UsageError for a day to come."""
    from clearway.records.errors import UsageError

    if asked is not None and asked > today():
        raise UsageError(
            f"--as-of {asked} is a day to come: how it stands then is not known",
            mend=f"give {today()}, which is today in UTC, or a day before",
        )
    return asked or today()


def today() -> date:
    """The UTC day of the machine's clock."""
    from clearway.records.clock import SystemClock
    from clearway.records.clock import today as of

    return of(SystemClock())


def say(text: str) -> None:
    """One line, or what ends with its own newline."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def say_json(value: object) -> None:
    """A value as indented JSON."""
    import msgspec

    say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def form_of(args: argparse.Namespace) -> str:
    """The form that --csv, --oscal or --json asks for, "" for none of them. Raises UsageError for two at once."""
    from clearway.records.errors import UsageError

    chosen = [form for form in ("csv", "oscal", "json") if getattr(args, form, False)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} at once", mend="give one of them")
    return chosen[0] if chosen else ""


def read_file(path: str, most: int) -> bytes:
    """A file's bytes. Raises NotFoundError, InputError for a folder or over `most` bytes."""
    from clearway.records.errors import InputError, NotFoundError, TooLargeError

    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise NotFoundError("no such file", where=path) from None
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=path) from error
    if len(data) > most:
        raise TooLargeError(f"more than {most:,} bytes", where=path)
    return data


@contextmanager
def reading(
    args: argparse.Namespace, command: str
) -> Iterator[tuple[psycopg.Connection[Any], Principal, Note]]:
    """As `acting`, and the note that tells the log what `command` reads (`access.here.reading`)."""
    from clearway.access.here import opened

    with opened(args.home) as home, home.reading(command) as (db, note):
        yield db, home.me, note


def has_database(args: argparse.Namespace) -> bool:
    """Whether the home keeps anything yet. Raises ConfigError where this user may not enter it."""
    import os

    from clearway.store.place import find
    from clearway.store.server import URL_VARIABLE

    return bool(os.environ.get(URL_VARIABLE, "").strip()) or find(args.home) is not None


@contextmanager
def acting(args: argparse.Namespace) -> Iterator[tuple[psycopg.Connection[Any], Principal]]:
    """One transaction in the home's database for whoever holds CLEARWAY_TOKEN, or the home itself.

    Raises:
        AuthenticationError: the token is not valid.
        UpstreamError, ConfigError: the database does not answer, or the home can't be used.
    """
    import msgspec

    from clearway.access import local
    from clearway.records.clock import SystemClock
    from clearway.records.errors import AuthenticationError
    from clearway.records.principal import Principal
    from clearway.store.migrate import migrate
    from clearway.store.principal import acting_once
    from clearway.store.server import lease

    with lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=SystemClock().now())
        with acting_once(url, key) as db:
            row = db.execute("select clearway.whoami()::text").fetchone()
            if row is None or row[0] is None:
                raise AuthenticationError(
                    "the token is not valid", mend="make a new one, or unset CLEARWAY_TOKEN"
                )
            yield db, msgspec.json.decode(row[0], type=Principal)
