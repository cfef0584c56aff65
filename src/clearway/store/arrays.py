"""Many numbers, days or digests as one parameter, in PostgreSQL's binary form.

psycopg writes an array value by value in Python, which is a tenth of what an inventory with a thousand exposures costs.
What is handed over here is written in one piece (PostgreSQL, `array_send`: a head of the dimensions, then each value's
length and bytes, high byte first).
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

_INT4, _INT4_ARRAY = 23, 1007
_DATE, _DATE_ARRAY = 1082, 1182
_BYTEA, _BYTEA_ARRAY = 17, 1001
_EPOCH = 730_120  # 2000-01-01, PostgreSQL's day 0, as `date.toordinal` counts
_NULL = struct.pack("!i", -1)
_VALUE = struct.Struct("!ii")


class Ints:
    """Whole numbers of 32 bits, and None; for a parameter `%b`. With `times`, each value so many times in a row."""

    __slots__ = ("times", "values")

    def __init__(self, values: Sequence[int | None], times: Sequence[int] | None = None) -> None:
        self.values = values
        self.times = times


class Days(Ints):
    """Days, and None; for a parameter `%b`. With `times`, each day so many times in a row."""

    __slots__ = ()

    def __init__(self, values: Iterable[date | None], times: Sequence[int] | None = None) -> None:
        super().__init__([None if day is None else day.toordinal() - _EPOCH for day in values], times)


class Blobs:
    """Strings of bytes; for a parameter `%b`."""

    __slots__ = ("values",)

    def __init__(self, values: Collection[bytes]) -> None:
        self.values = values


class _IntsDumper(Dumper):
    format = Format.BINARY
    oid = _INT4_ARRAY
    element = _INT4

    def dump(self, obj: Ints) -> bytes:
        """Raises OverflowError, TypeError: a value is no whole number of 32 bits; ValueError: `times` are others."""
        values, times = obj.values, obj.times
        long = len(values) if times is None else sum(times)
        if not long:
            return struct.pack("!iii", 0, 0, self.element)
        head = struct.pack("!iiiii", 1, int(None in values), self.element, long, 1)
        if times is not None:
            return head + b"".join(_piece(v) * n for v, n in zip(values, times, strict=True))
        return head + (b"".join(map(_piece, values)) if None in values else _without(values))


class _DaysDumper(_IntsDumper):
    oid = _DATE_ARRAY
    element = _DATE


class _BlobsDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: Blobs) -> bytes:
        if not obj.values:
            return struct.pack("!iii", 0, 0, _BYTEA)
        pieces = [struct.pack("!iiiii", 1, 0, _BYTEA, len(obj.values), 1)]
        for value in obj.values:
            pieces += (len(value).to_bytes(4, "big"), value)
        return b"".join(pieces)


def _without(values: Sequence[Any]) -> bytes:
    each = array("i", (4, 0)) * len(values)
    each[1::2] = array("i", values)
    if sys.byteorder == "little":
        each.byteswap()
    return each.tobytes()


def _piece(value: int | None) -> bytes:
    if value is None:
        return _NULL
    try:
        return _VALUE.pack(4, value)
    except struct.error as error:
        raise OverflowError(str(error)) from None


def register() -> None:
    """Makes them known to every connection that is opened from here on."""
    psycopg.adapters.register_dumper(Ints, _IntsDumper)
    psycopg.adapters.register_dumper(Days, _DaysDumper)
    psycopg.adapters.register_dumper(Blobs, _BlobsDumper)
