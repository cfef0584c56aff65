"""Canonical JSON (RFC 8785, JCS): one text for one value, so that a hash commits to the value.

The subset that acts need: objects, arrays, text, booleans, null, integers up to 2^53 - 1 and finite
numbers. The `rfc8785` package does the same for any document; it is not among our run-time
dependencies, and acts need bounds that it has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

import msgspec

from clearway.records.errors import TooLargeError, UsageError

MAX_DEPTH = 16
MAX_BYTES = 65_536
_MAX_INT = (1 << 53) - 1  # RFC 8785 §3.2.2.3: beyond, a number is not the same everywhere


def canonical(value: Mapping[str, Any]) -> str:
    """`value` as canonical JSON. What `msgspec.to_builtins` knows (dates, structs, …) is written as it writes it.

    Raises:
        UsageError: it holds a value that JSON or RFC 8785 can't carry.
        TooLargeError: it is deeper than `MAX_DEPTH` or longer than `MAX_BYTES`.
    """
    parts: list[str] = []
    try:
        _write(msgspec.to_builtins(value), "$", 0, parts)
        text = "".join(parts)
        length = len(text.encode())
    except RecursionError:
        raise _deep() from None
    except (TypeError, UnicodeEncodeError) as error:
        raise UsageError(f"the content of an act can't be written: {error}", where="content") from None
    if length > MAX_BYTES:
        raise TooLargeError(
            f"the content of an act has {length:,} bytes", where="content", mend=f"at most {MAX_BYTES:,}"
        )
    return text


def _write(value: Any, place: str, depth: int, parts: list[str]) -> None:
    if depth > MAX_DEPTH:
        raise _deep()
    if value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, str):
        parts.append(encode_basestring(value))  # escapes as ECMAScript does, and nothing else
    elif isinstance(value, int):
        if abs(value) > _MAX_INT:
            raise UsageError("an integer is beyond 2^53 - 1", where=place, mend="write it as text")
        parts.append(str(int(value)))
    elif isinstance(value, float):
        parts.append(_number(value, place))
    elif isinstance(value, list | tuple):
        parts.append("[")
        for index, item in enumerate(value):
            if index:
                parts.append(",")
            _write(item, place, depth + 1, parts)
        parts.append("]")
    else:
        _write_object(value, place, depth, parts)


def _write_object(value: dict[Any, Any], place: str, depth: int, parts: list[str]) -> None:
    opened = "{"
    # RFC 8785 §3.2.3: members are sorted by UTF-16 code units.
    for key in sorted(value, key=_utf16):
        parts.append(opened)
        opened = ","
        parts.append(encode_basestring(key))
        parts.append(":")
        _write(value[key], f"{place}.{key}", depth + 1, parts)
    parts.append("{}" if opened == "{" else "}")


def _utf16(key: Any) -> bytes:
    if not isinstance(key, str):
        raise UsageError("a member's name is not text", where="content")
    return key.encode("utf-16-be")


def _number(value: float, place: str) -> str:
    """ECMAScript's `Number::toString` (ECMA-262 §6.1.6.1.20): shortest digits that read back as `value`."""
    if value != value or value in (float("inf"), float("-inf")):
        raise UsageError("a number is not finite", where=place)
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + ("" if fraction == "0" else fraction)
    point = len(whole) + int(exponent or 0)  # the value is 0.DIGITS x 10^point
    leading = len(digits) - len(digits.lstrip("0"))
    digits = digits[leading:].rstrip("0")
    point -= leading
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        tail = f".{digits[1:]}" if count > 1 else ""
        text = f"{digits[0]}{tail}e{point - 1:+d}"
    return sign + text


def _deep() -> TooLargeError:
    return TooLargeError(
        "the content of an act is nested too deeply", where="content", mend=f"at most {MAX_DEPTH}"
    )
