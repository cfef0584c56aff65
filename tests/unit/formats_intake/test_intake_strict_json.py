"""JSON from strangers is read as RFC 8259 and RFC 7493 say, or refused by name."""

from __future__ import annotations

import time

import pytest

from clearway.formats import strict_json
from clearway.records.errors import InputError


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "empty", id="an empty file"),
        pytest.param(b"  \n", "Expecting value", id="only white space"),
        pytest.param(b'{"a": 1', "not JSON", id="a truncated object"),
        pytest.param(b'{"a": "b', "Unterminated string", id="a truncated string"),
        pytest.param(b"[1] 2", "Extra data", id="text after the value"),
        pytest.param(
            b'{"a": 1, "b": [{"c": 1, "c": 2}]}', "'c' occurs twice in $.b[0]", id="a duplicate key"
        ),
        pytest.param(b'{"a": 1, "\\u0061": 2}', "'a' occurs twice in $", id="a duplicate key in disguise"),
        pytest.param(b"[NaN]", "NaN is no JSON value", id="NaN"),
        pytest.param(b"[-Infinity]", "-Infinity is no JSON value", id="infinity"),
        pytest.param(b"[1e999]", "beyond a double", id="a number that reads as infinity"),
        pytest.param(b"1" * 5000, "thousands of digits", id="a number of 5,000 digits"),
        pytest.param(b'["a\xff"]', "invalid UTF-8 at byte 3 (0xff)", id="invalid UTF-8"),
        pytest.param(b'\xef\xbb\xbf["a\xff"]', "invalid UTF-8 at byte 6", id="invalid UTF-8 behind a mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), "UTF-16 or UTF-32", id="UTF-16"),
        pytest.param('{"a": 1}'.encode("utf-32-le"), "UTF-16 or UTF-32", id="UTF-32 without a mark"),
        pytest.param(b'"\\ud800"', "half a surrogate pair", id="a lone surrogate"),
        pytest.param(b'{"\\uDC00x": 1}', "half a surrogate pair", id="a lone surrogate in a key"),
        pytest.param(b'"\x01"', "Invalid control character", id="a bare control character"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "deeper than 200", id="100,000 levels of arrays"),
        pytest.param(b'{"a":' * 100_000, "deeper than 200", id="100,000 levels of objects, never closed"),
        pytest.param(b"[" * 201 + b"]" * 201, "deeper than 200", id="one level too many"),
        pytest.param(
            b'[["[[]]\\"",' * 101 + b"1" + b"]]" * 101, "deeper than 200", id="brackets in strings too"
        ),
    ],
)
def test_what_the_standards_forbid_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        strict_json.loads(data, "feed.json")
    assert says in caught.value.what
    assert caught.value.where == "feed.json"


def test_what_the_standards_allow_is_read() -> None:
    deep = b"[" * 200 + b'"[[[[{{\\\\\\"[["' + b"]" * 200
    assert strict_json.loads(deep)
    assert strict_json.loads(b'"\\ud83d\\ude00"') == "😀"
    assert strict_json.loads(b' {"a": [1, -0.5, 1E2, true, null]} \n') == {"a": [1, -0.5, 100.0, True, None]}


def test_a_byte_order_mark_is_skipped_and_can_be_reported() -> None:
    data = b'\xef\xbb\xbf{"a": 1}'
    assert strict_json.loads(data) == {"a": 1}
    assert strict_json.has_bom(data)
    assert not strict_json.has_bom(b"{}")


def test_sixty_megabytes_of_open_brackets_are_refused_at_once() -> None:
    start = time.process_time()
    with pytest.raises(InputError):
        strict_json.loads(b"[" * 60_000_000)
    assert time.process_time() - start < 2


def test_nul_characters_are_found_and_their_spelling_in_words_is_not() -> None:
    for data in (b'{"a": ["x\\u0000"]}', b'{"\\u0000": 1}'):
        with pytest.raises(InputError, match="NUL"):
            strict_json.refuse_nul(strict_json.loads(data), data)
    words = b'{"a": "written as \\\\u0000"}'
    strict_json.refuse_nul(strict_json.loads(words), words)


def test_entries_keep_their_exact_bytes() -> None:
    data = b'\xef\xbb\xbf{"list": [{"a":  1.50}, "x" ,\n{"b":"\\u00e9"} ]}'
    record = strict_json.loads(data)
    assert list(strict_json.entries(data, record, "list")) == [
        (b'{"a":  1.50}', {"a": 1.5}),
        (b'"x"', "x"),
        (b'{"b":"\\u00e9"}', {"b": "é"}),
    ]
    with pytest.raises(InputError, match="not a list"):
        list(strict_json.entries(b"{}", {}, "list"))
