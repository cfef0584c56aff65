"""How a list is narrowed: each query parameter is declared with the values it may have and one constant condition."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from clearway.records.errors import InputError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_CHARS = 200
MAX_VALUES = 50


class Filter(NamedTuple):
    """`?name=value`, repeated for several values of which one must fit; `?name!=value` for none of them.

    `where` is constant SQL with `%s`, which gets the list of values: "a.environment = any(%s)". `without`
    is the same for exclusion; "" when the filter can't exclude. `read` makes a value of what was typed.
    """

    where: LiteralString
    read: Callable[[str], object]
    without: LiteralString = ""
    schema: str = "string"  # of one value, for the OpenAPI document
    choices: tuple[str, ...] = ()


def text(where: LiteralString, without: LiteralString = "") -> Filter:
    """Any text up to 200 characters without control characters."""

    def read(value: str) -> str:
        if not value.isprintable():
            raise ValueError("has a character that can't be shown")
        return value

    return Filter(where, read, without)


def choice(where: LiteralString, choices: Sequence[str], without: LiteralString = "") -> Filter:
    """One of `choices`."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is one of {', '.join(choices)}")
        return value

    return Filter(where, read, without, choices=tuple(choices))


def number(
    where: LiteralString, without: LiteralString = "", *, least: int = 0, most: int = 2**31 - 1
) -> Filter:
    """A whole number from `least` to `most`."""

    def read(value: str) -> int:
        if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20):
            raise ValueError("is a whole number")
        if not least <= int(value) <= most:
            raise ValueError(f"is from {least} to {most}")
        return int(value)

    return Filter(where, read, without, schema="integer")


def flag(where: LiteralString) -> Filter:
    """yes or no."""

    def read(value: str) -> bool:
        if value not in ("yes", "no"):
            raise ValueError("is yes or no")
        return value == "yes"

    return Filter(where, read, choices=("yes", "no"))


def day(where: LiteralString) -> Filter:
    """An ISO day."""

    def read(value: str) -> date:
        try:
            if len(value) != 10:
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("is a day such as 2026-12-07") from None

    return Filter(where, read)


def values_of(name: str, found: Filter, typed: Sequence[str]) -> list[object]:
    """What was typed for one filter, read and bounded, in its order and each once.

    Raises:
        InputError: a value does not fit, or there are too many.
    """
    if len(typed) > MAX_VALUES:
        raise InputError(f"more than {MAX_VALUES} values", where=f"query.{name}")
    values: list[object] = []
    for one in typed:
        if len(one) > MAX_CHARS:
            raise InputError(f"longer than {MAX_CHARS} characters", where=f"query.{name}")
        try:
            value = found.read(one)
        except ValueError as error:
            raise InputError(f"{plain(one, 60)!r} does not fit: it {error}", where=f"query.{name}") from None
        if value not in values:
            values.append(value)
    return values
