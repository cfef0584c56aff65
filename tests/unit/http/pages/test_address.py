"""The URL is the state: reading, changing and writing addresses."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.http.pages import Address

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
ADDRESSES = st.builds(
    lambda path, pairs: Address("/" + path.lstrip("/\\"), tuple(pairs)),
    WORDS,
    st.lists(st.tuples(st.sampled_from(["tier", "tier!", "sort", "cursor", "q"]), WORDS), max_size=6),
)


@given(ADDRESSES)
def test_what_is_written_reads_as_the_same(address: Address) -> None:
    parts = urlsplit(str(address))
    assert tuple(parse_qsl(parts.query)) == address.query
    assert not parts.scheme
    assert not parts.netloc


@given(ADDRESSES, WORDS)
def test_a_filter_says_what_was_chosen_and_nothing_else_changes(address: Address, value: str) -> None:
    for choice in ("include", "exclude", "any"):
        changed = address.choose("tier", value, choice)
        assert changed.choice("tier", value) == choice
        assert changed.get("cursor") == ""
        assert changed.all("q") == address.all("q")
    assert address.choose("tier", value, "any").choose("tier", value, "any") == address.choose(
        "tier", value, "any"
    )


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "\\\\evil.example", "///x"])
def test_no_path_leads_to_another_host(path: str) -> None:
    assert str(Address.read(path)).startswith("/")
    assert not str(Address.read(path)).startswith(("//", "/\\"))


def test_a_filter_is_readable_in_the_address() -> None:
    address = Address("/exposure").choose("tier", "3D", "include").choose("tier", "60D", "exclude")
    assert str(address) == "/exposure?tier=3D&tier!=60D"
    assert address.chosen(["tier"]) == 2
    assert address.chosen(["owner"]) == 0
    assert str(address.without("tier")) == "/exposure"


def test_a_change_drops_the_cursor_and_a_format_what_only_pages_know() -> None:
    address = Address.read("/exposure", "cursor=abc&sort=-due&columns=due,flaw&org=north&words=plain&tier=3D")
    assert str(address.set(sort="due")) == "/exposure?columns=due,flaw&org=north&words=plain&tier=3D&sort=due"
    assert str(address.as_format("csv")) == "/exposure.csv?sort=-due&org=north&tier=3D"
    assert address.set(cursor="x").get("cursor") == "x"
    assert address.set(tier=None).all("tier") == ()


def test_more_than_a_hundred_parameters_are_not_read() -> None:
    assert Address.read("/x", "&".join(f"a={i}" for i in range(101))).query == ()
    assert len(Address.read("/x", "&".join(f"a={i}" for i in range(100))).query) == 100
