"""What is signed and issued reads one way everywhere: no name twice, no hidden character, days in their order."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from clearway import directives
from clearway.directives.attestation import Attested, address_report
from clearway.directives.entrance import check_new
from clearway.directives.files import load, names, parse
from clearway.directives.issue import Key, order_of, sign, verify
from clearway.records.errors import InputError

DATA = Path(directives.__file__).parent / "data"
DOCUMENT = (DATA / "bod-26-04.json").read_bytes()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Key(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def changed(**more: object) -> bytes:
    return json.dumps({**json.loads(DOCUMENT), **more}).encode()


def with_end(end: bytes) -> bytes:
    return DOCUMENT.rstrip()[:-1] + b"," + end + b"}"


@pytest.mark.parametrize("name", names())
def test_what_ships_could_be_issued(name: str) -> None:
    check_new((DATA / f"{name}.json").read_bytes(), load(name))


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (b'"version": "0.0.1"', "'version' more than once"),
        (b'"id": "bod-99-01"', "'id' more than once"),
        (rb'"\u0069d": "bod-99-01"', "'id' more than once"),
        (b'"Version": "0.0.1"', "'Version' more than once"),
        (b'"more": [{"a": 1, "b": {"a": 1, "a": 2}}]', "'a' more than once"),
    ],
)
def test_a_name_that_is_there_twice_is_signed_and_issued_by_nobody(end: bytes, said: str) -> None:
    document = with_end(end)
    with pytest.raises(InputError, match=said):
        sign(document, PRIVATE)
    with pytest.raises(InputError, match=said):
        check_new(document, parse(document, "d"))


@pytest.mark.parametrize("text", ["a\0b", "a\x1b[2J", "a\x85b", "a\u202etxt", "a\u2066b"])
@pytest.mark.parametrize("place", ["title", "note", "key"])
def test_text_that_hides_something_is_refused(text: str, place: str) -> None:
    more: dict[str, object] = {"title": text}
    if place == "note":
        more = {"notes": ["fine", text]}
    elif place == "key":
        more = {text: 1}
    with pytest.raises(InputError, match=r"U\+[0-9A-F]{4} in"):
        sign(changed(**more), PRIVATE)


def test_text_of_any_script_with_lines_and_tabs_is_taken() -> None:
    title = "\u0928\u094d\u200d \u05d0\u05d1 \U0001f9ef\nsecond\tline"
    assert sign(changed(title=title), PRIVATE).directive.title == title


def test_nothing_is_in_effect_before_it_is_published() -> None:
    with pytest.raises(
        InputError, match="in effect from 2026-06-10 on, before it is published on 2026-07-01"
    ):
        sign(changed(published="2026-07-01"), PRIVATE)
    phases = [{"phase": "I", "from": "2026-09-01", "what": "all"}]
    for document in (changed(published="2026-07-01", effective=phases), changed(effective=[])):
        sign(document, PRIVATE)


def test_what_is_kept_from_before_is_read_as_it_was() -> None:
    """Refusing it then would change dates by which people have worked."""
    document = with_end(b'"title": "a\\u0000b"')
    assert verify(document, PRIVATE.sign(document), [KEY]).directive.title == "a\0b"


@pytest.mark.parametrize("part", ["by", "role"])
def test_nobody_attests_under_a_name_with_control_characters(part: str) -> None:
    day = date(2026, 11, 1)
    said = Attested(**{"by": "A. Person", "role": "CISO", "on": day, part: "A\0B"})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"attested.{part}"):
        address_report("bod-26-04", [], as_of=day, organisation="water", attested=said)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.11-rc1", "1.11"),
        ("1.11rc1", "1.11"),
        ("1.11-RC1", "1.11"),
        ("1.11-draft", "1.11.0"),
        ("1.11-alpha.2", "1.11-beta"),
        ("1.11-rc1", "1.11-rc2"),
        ("1.11-rc9", "1.11-rc10"),
        ("1.10", "1.11-rc1"),
        ("1.11", "1.11a"),
        ("1.11a", "1.11b"),
        ("1580-21-01", "1580-21-01A"),
        ("2026-1", "2026-2"),
        ("2026", "2026-1"),
    ],
)
def test_a_pre_release_comes_before_its_release_and_a_revision_after_it(lower: str, higher: str) -> None:
    assert order_of(lower) < order_of(higher)


NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(NUMBERS, NUMBERS)
def test_numbers_are_ordered_as_tuples_and_their_pre_releases_with_them(a: str, b: str) -> None:
    key_a, key_b = ([int(part) for part in text.split(".")] for text in (a, b))
    assert (order_of(a) < order_of(b)) == (key_a < key_b)
    if key_a < key_b:
        assert order_of(a) < order_of(f"{b}.0-rc1") < order_of(f"{b}.0")
