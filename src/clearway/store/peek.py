"""Reading by a single statement, in one round trip instead of three.

A thing that one statement reads is most of what programs ask for, and on a fast connection the two round trips around
that statement (begin and name the principal, commit) cost more than itself. What reads through a connection reads
through a `Peek` as well, as long as it is one statement with numbers and texts:

    found = webhook_store.seen(Peek(pool, key), number)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import errors

from clearway.records.errors import ClearwayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .principal import Pool


class UnfitError(Exception):
    """It takes more than one statement that reads: it is for a transaction."""


class Rows:
    """What a cursor is asked for."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last."""
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return [*self._rows]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows


class Peek:
    """Stands for a connection, for one statement by the holder of `key`."""

    def __init__(self, pool: Pool, key: str, *, look: bool = False) -> None:
        self.key = key
        self._pool, self._look = pool, look
        self._asked = False

    def execute(self, query: str, params: Sequence[object] = ()) -> Rows:
        """The rows.

        Raises:
            UnfitError: it is the second statement, writes, or has what is neither a number nor a text.
            ClearwayError: as `Pool.acting`.
        """
        if self._asked or not isinstance(query, str):
            raise UnfitError
        self._asked = True
        text, values = _bound(query, params)
        try:
            return Rows(self._pool.peek(self.key, text, values, look=self._look))
        except ClearwayError as error:
            if isinstance(error.__cause__, errors.ReadOnlySqlTransaction):
                raise UnfitError from error
            raise


def _bound(query: str, params: Sequence[object]) -> tuple[bytes, list[bytes]]:
    """The statement with $1, $2… and its parameters as text."""
    pieces = query.split("%s")
    if len(pieces) != len(params) + 1 or any("%" in piece for piece in pieces) or isinstance(params, dict):
        raise UnfitError
    text, values = [pieces[0]], []
    for number, (value, piece) in enumerate(zip(params, pieces[1:], strict=True), 1):
        if type(value) is int and -(2**63) <= value < 2**63:
            kind = "bigint"
        elif type(value) is str and "\0" not in value:
            kind = "text"
        else:
            raise UnfitError
        text.append(f"${number}::{kind}{piece}")
        values.append(str(value).encode())
    return "".join(text).encode(), values
