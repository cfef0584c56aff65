"""Big JSON read part by part."""

from __future__ import annotations

import pytest

from clearway.formats import json_parts
from clearway.formats.json_parts import Parts, count_strings
from clearway.records.errors import InputError, TooLargeError


def read(data: bytes) -> Parts:
    parts = Parts(data, "f.json")
    parts.finish()
    return parts


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a" : 1, "a"\n:2}',
        b'{"x":{"a":1,"a":1}}',
        b'{"x":[[{"a":1}],{"b":[{"c":1,"c":2}]}]}',
        b'{"x":"\\\\","x":"\\""}',
        b'{"a":[1],"a":"s"}',
        b'{"a":{"k":1,"k\\u0020":1,"\\u006b":2}}',
    ],
)
def test_a_repeated_key_is_refused_wherever_it_stands(data: bytes) -> None:
    with pytest.raises(InputError, match="occurs twice"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"a" : "b : c", "d"\t:\r\n"\\": "}',
        b'{"a\\\\":"\\\\\\"", "b":["\\\\", {"a\\\\":"\\\\\\\\"}]}',
        b'{"a":"\\": \\" :","b":null,"c":[[],[{}],"x",true,1.5]}',
        '{"ä":"€","n":{"m":"𝄞"}}'.encode(),
        b'\xef\xbb\xbf{"a":1}',
    ],
)
def test_honest_documents_pass_whatever_their_spacing_and_escapes(data: bytes) -> None:
    read(data)


def test_the_strict_reader_is_asked_only_when_the_counts_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Parts) -> None:
        raise AssertionError("the count was not exact")

    monkeypatch.setattr(Parts, "_find_repeated_key", refuse)
    read(b'{"a\\\\":"\\\\\\"", "b" :["\\\\", {"a\\\\"\n:"\\\\\\\\"}]}')


def test_a_repeated_key_in_a_large_text_is_found_without_reading_it_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_parts, "_REREAD_BYTES", 10)
    with pytest.raises(InputError, match="occurs twice") as caught:
        read(b'{"list":[{"a":1},{"b":1,"b":2}],"z":1}')
    assert caught.value.where == "f.json: list[1]"
    with pytest.raises(InputError, match="a top-level key occurs twice"):
        read(b'{"list":[{"a":1}],"list":[{"a":1}],"z":1}')


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"1", b"null"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not a JSON object"):
        Parts(data, "f.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":',
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":tru}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
    ],
)
def test_text_that_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert caught.value.where.startswith("f.json")


@pytest.mark.parametrize("size", [300, 100_000])
def test_deep_nesting_is_refused_and_never_recursed_into(size: int) -> None:
    with pytest.raises(TooLargeError, match="nested deeper than 200 levels"):
        read(b'{"a":' + b"[" * size + b"]" * size + b"}")
    with pytest.raises(TooLargeError, match="nested deeper than 200 levels"):
        read(b'{"a":' * size + b"1" + b"}" * size)


def test_batches_come_in_order_and_may_be_read_twice() -> None:
    items = ",".join(f'{{"i":{i}}}' for i in range(2500))
    parts = Parts(f'{{"list":[{items}],"other":3}}'.encode(), "f.json")
    for _ in range(2):
        numbers = [item["i"] for _, batch in parts.batches("list") for item in batch]
        assert numbers == list(range(2500))
    with pytest.raises(InputError, match="`other` is not a list"):
        list(parts.batches("other"))
    assert list(parts.batches("absent")) == []
    parts.finish()


def test_strings_are_counted_as_bytes() -> None:
    assert count_strings(rb'{"a\"b":"\\","c\\\"":["x"]}') == 4
