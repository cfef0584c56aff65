"""Canonical JSON against the vectors of RFC 8785."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime

import pytest

from clearway.ledger.canonical import MAX_BYTES, canonical
from clearway.records.errors import TooLargeError, UsageError

# RFC 8785 Appendix B: IEEE 754 bits and their one text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555555", "333333333.3333333"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_ecmascript_writes_them(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical({"x": value}) == f'{{"x":{text}}}'


def test_members_are_sorted_by_utf16_and_texts_escaped_as_little_as_can_be() -> None:
    # RFC 8785 §3.2.3
    value = {
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
    }  # fmt: skip
    assert canonical(value) == (
        '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
    )
    assert (
        canonical({"s": '\u20ac$\u000f\nA\'B"\\\\"/\u007f'})
        == '{"s":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"}'
    )


def test_what_acts_hold_is_written() -> None:
    value = {"b": [1, None, True, False, {}, []], "a": {"z": 1.0, "y": -7}, "when": date(2026, 11, 25)}
    assert canonical(value) == '{"a":{"y":-7,"z":1},"b":[1,null,true,false,{},[]],"when":"2026-11-25"}'
    assert canonical({"at": datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)}) == '{"at":"2026-11-25T01:02:03Z"}'
    assert canonical({}) == "{}"


@pytest.mark.parametrize(
    "value",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": 1 << 53},
        {"x": "\ud800"},
        {"\ud800": 1},
        {1: 2},
        {"x": object()},
    ],
)
def test_what_json_can_not_carry_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        canonical(value)


def test_what_is_too_deep_or_too_long_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(17):
        deep = {"x": deep}
    with pytest.raises(TooLargeError):
        canonical(deep)
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(TooLargeError):
        canonical(deep)
    assert len(canonical({"x": "a" * (MAX_BYTES - 8)})) == MAX_BYTES
    with pytest.raises(TooLargeError):
        canonical({"x": "a" * (MAX_BYTES - 7)})
