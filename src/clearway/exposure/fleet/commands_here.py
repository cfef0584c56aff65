"""Who acts on this home, and how the fleet's commands speak."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from clearway.access import here
from clearway.records.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import psycopg

    from clearway.advisories.table import Table
    from clearway.ledger.reading import Note
    from clearway.records.principal import Principal
    from clearway.store.principal import Pool


class Here(NamedTuple):
    """Who acts on this home, and today."""

    pool: Pool
    key: str
    me: Principal
    day: date
    home: Any

    def reading(self, command: str) -> AbstractContextManager[tuple[psycopg.Connection[Any], Note]]:
        """As `access.here.reading`."""
        return here.reading(self.pool, self.key, command)

    def org(self, slug: str, right: Any = "operate") -> int:
        """The organisation of that slug, or the only one where the caller has the right."""
        found = [m for m in self.me.memberships if right in m.rights and slug in ("", m.slug)]
        if len(found) == 1:
            return found[0].org
        if not found:
            raise NotFoundError(
                f"no organisation {slug!r} of yours" if slug else "you operate for no organisation"
            )
        raise UsageError(
            "for which organisation?", mend="--org " + ", ".join(sorted(m.slug for m in found)[:5])
        )


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Here]:
    """The home at `args.home` with who acts on it. Raises AuthenticationError for a token that is not valid."""
    day = datetime.now(UTC).date()
    with here.opened(args.home, size=2) as (pool, _, key, me):
        yield Here(pool, key, me, day, args.home)


def table_of(home: Any) -> Table | None:
    """The compiled table; None where there is none yet or it can't be read."""
    from clearway.advisories.table import Table as Compiled
    from clearway.records.errors import ConfigError, IntegrityError

    try:
        return Compiled.of_home(home)
    except (ConfigError, IntegrityError):
        return None


def asset_named(here: Here, db: Any, text: str, slug: str) -> Any:
    """The asset of that number, or of any name that it is known by.

    Raises:
        ConflictError: several have it; the error says which.
        NotFoundError: none has.
    """
    from . import asset, called

    if text.isascii() and text.isdigit():
        return asset.one(db, int(text))
    orgs = [m.org for m in here.me.memberships if "read" in m.rights and slug in ("", m.slug)]
    found = called.only(db, text, orgs)
    if found is None:
        raise NotFoundError(f"no asset {text!r}", mend="`clearway inventory list` names them")
    return asset.one(db, found.asset)


def day_of(text: str) -> date:
    """A day from an argument. Raises UsageError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", mend="write YYYY-MM-DD") from None


def number_of(text: str) -> int:
    """The number of a row from an argument. Raises UsageError."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UsageError(f"{text!r} is not a number of ours", mend="take it from a list, such as 45")
    return int(text)


def days_of(text: str) -> int:
    """A number of days from an argument such as 7d. Raises UsageError."""
    number = text.removesuffix("d")
    if not number.isascii() or not number.isdigit() or len(number) > 5:
        raise UsageError(f"{text!r} is not a number of days", mend="write 7d")
    return int(number)


def say_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def told(value: Any, labels: dict[int, str]) -> dict[str, Any]:
    """A struct for a reader outside: without numbers that mean something in this database alone, with its marking.

    `labels` are those of `store.labels`.
    """
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    kept = {k: v for k, v in found.items() if k not in _NUMBERS}
    return kept | {"tlp": labels[found["aud"]]} if "aud" in found else kept


_NUMBERS = ("aud", "org", "pv", "version_tag")


def say(text: str, stream: Any = None) -> None:
    """Prints a line."""
    print(text, file=stream or sys.stdout)
