"""What the readers of scanners' JSON share: fields of foreign objects that never raise for a wrong type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError, TooLargeError

from ._fields import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NUL = b"\\u0000"
_FIRST_BYTES = 16 << 20  # a snapshot of a host's packages stands in one line
MAX_JSON_BYTES = 256 << 20


def load(data: bytes, place: str, *, by_row: bool = False) -> Any:
    """The value of a whole JSON document. With `by_row` the caller looks for a NUL in each row (`row_problem`).

    Raises:
        InputError: not JSON as `strict_json` reads it, or with a NUL in a string.
        TooLargeError: over `MAX_JSON_BYTES`, or nested too deep.
    """
    from .strict_json import loads, refuse_nul

    if len(data) > MAX_JSON_BYTES:
        raise TooLargeError(
            f"more than {MAX_JSON_BYTES >> 20} MiB of JSON", where=place, mend="split it by asset"
        )
    value = loads(data, place)
    if not by_row:
        refuse_nul(value, data, place)
    return value


def row_problem(row: Any, what: str = "is not an object") -> str:
    """Why a row can't be used, "" where it can: `what` for one that is no object, or that it holds a NUL."""
    from .strict_json import refuse_nul

    if not isinstance(row, dict):
        return what
    try:
        refuse_nul(row, _NUL)
    except InputError as e:
        return f"{e.what} ({e.mend})"
    return ""


def is_lines(data: bytes) -> bool:
    """Whether it is JSON lines: one of the first three is an object of its own, and there are others."""
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:_FIRST_BYTES]
    if text.startswith(b"["):
        return False
    first = [one for one in text.split(b"\n", 8) if one.strip()]
    return len(first) > 1 and any(_is_object(text) for text in first[:3])


def _is_object(text: bytes) -> bool:
    text = text.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    try:
        return isinstance(load(text, ""), dict)
    except InputError:
        return False


def read_lines(data: bytes, refuse: Callable[[str, InputError], None]) -> Iterator[tuple[str, Any]]:
    """("line 7", value) of each line of JSON lines; one that is no JSON goes to `refuse`, and the rest follows."""
    for number, text in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if text.strip():
            try:
                yield f"line {number}", load(text.strip(), "")
            except InputError as e:
                refuse(f"line {number}", e)


def obj(value: Any) -> dict[str, Any]:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """`value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def line(value: Any, limit: int = 300) -> str:
    """A string or number as one line; "" for anything else."""
    if isinstance(value, str):
        return one_line(value, limit)
    return str(value)[:limit] if isinstance(value, int | float) and not isinstance(value, bool) else ""


def lines(value: Any, limit: int = 300) -> tuple[str, ...]:
    """The strings of a list, as lines, without empty ones."""
    return tuple(found for item in items(value) if (found := line(item, limit)))


def entry(value: Any, what: str) -> dict[str, Any]:
    """`value` as an object.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, dict):
        raise InputError(f"{what} is not an object", mend="export the report again")
    return value
