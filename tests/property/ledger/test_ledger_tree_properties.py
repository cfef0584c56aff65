"""The tree against a second, naive writing of RFC 6962, and proofs that are bent."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.ledger import tiles as t
from clearway.ledger.canonical import canonical
from clearway.ledger.leaf import Opening, content_hash, header_hash, leaf_of, opens
from clearway.ledger.merkle import EMPTY_ROOT, root_of, verify_consistency, verify_inclusion
from clearway.ledger.tiles import Tile
from clearway.records.errors import IntegrityError

# RFC 6962 §2.1, word for word. It shares nothing with the room.


def mth(d: list[bytes]) -> bytes:
    n = len(d)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = largest_power_of_two_below(n)
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    n = len(d)
    if n == 1:
        return []
    k = largest_power_of_two_below(n)
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    return subproof(m, d, True)


def subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    n = len(d)
    if m == n:
        return [] if whole else [mth(d)]
    k = largest_power_of_two_below(n)
    if m <= k:
        return [*subproof(m, d[:k], whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


COUNT = 1_300
DATA = [str(n).encode() for n in range(COUNT)]
LEAVES = [hashlib.sha256(b"\x00" + d).digest() for d in DATA]
TILES = t.grow(0, b"".join(LEAVES), {})
ROOTS = [
    mth(DATA[:n]) for n in range(0, COUNT + 1, 1) if n < 40 or n % 97 == 0 or n in (255, 256, 257, 512, COUNT)
]
SIZES = [n for n in range(0, COUNT + 1, 1) if n < 40 or n % 97 == 0 or n in (255, 256, 257, 512, COUNT)]
KNOWN = dict(zip(SIZES, ROOTS, strict=True))
sizes = st.sampled_from([n for n in SIZES if n])


def root(size: int) -> bytes:
    return t.hashes(t.root_ranges(size), TILES)[0] if size else EMPTY_ROOT


@pytest.mark.parametrize("size", SIZES)
def test_the_root_is_the_naive_one(size: int) -> None:
    assert root(size) == KNOWN[size]
    assert root_of(b"".join(LEAVES[:size])) == KNOWN[size]


@given(sizes, st.data())
def test_an_inclusion_proof_is_the_naive_one_and_holds(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = t.hashes(t.inclusion_ranges(index, size), TILES)
    assert made == path(index, DATA[:size])
    verify_inclusion(LEAVES[index], index, size, made, KNOWN[size])


@given(sizes, st.data())
def test_a_consistency_proof_is_the_naive_one_and_holds(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    made = t.hashes(t.consistency_ranges(old, size), TILES)
    assert made == proof(old, DATA[:size])
    verify_consistency(old, root(old), size, KNOWN[size], made)


@given(sizes, st.data())
def test_a_bent_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = t.hashes(t.inclusion_ranges(index, size), TILES)
    bent, leaf, where, root_ = list(made), LEAVES[index], index, KNOWN[size]
    how = data.draw(st.sampled_from(["drop", "add", "swap", "flip", "leaf", "index", "root"]))
    if how == "drop" and bent:
        del bent[data.draw(st.integers(0, len(bent) - 1))]
    elif how == "add":
        bent.insert(data.draw(st.integers(0, len(bent))), LEAVES[0])
    elif how == "swap" and len(bent) > 1:
        bent[0], bent[-1] = bent[-1], bent[0]
    elif how == "flip" and bent:
        at = data.draw(st.integers(0, len(bent) - 1))
        bent[at] = bytes([bent[at][0] ^ 1]) + bent[at][1:]
    elif how == "leaf":
        leaf = LEAVES[(index + 1) % COUNT]
    elif how == "index":
        where = data.draw(st.integers(0, size - 1).filter(lambda n: n != index)) if size > 1 else 1
    else:
        root_ = bytes(32)
    with pytest.raises(IntegrityError):
        verify_inclusion(leaf, where, size, bent, root_)


@given(sizes, st.data())
def test_a_bent_consistency_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    made = t.hashes(t.consistency_ranges(old, size), TILES)
    old_root, new_root = root(old), KNOWN[size]
    how = data.draw(st.sampled_from(["drop", "add", "flip", "old", "new"]))
    bent = list(made)
    if how == "drop" and bent:
        bent.pop()
    elif how == "add":
        bent.append(LEAVES[0])
    elif how == "flip" and bent:
        at = data.draw(st.integers(0, len(bent) - 1))
        bent[at] = bytes([bent[at][0] ^ 1]) + bent[at][1:]
    elif how == "old":
        old_root = bytes(32)
    else:
        new_root = bytes(32)
    with pytest.raises(IntegrityError):
        verify_consistency(old, old_root, size, new_root, bent)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=8))
@settings(max_examples=40)
def test_however_a_tree_grows_its_tiles_are_the_same(steps: list[int]) -> None:
    grown: dict[Tile, bytes] = {}
    size = 0
    for step in steps:
        step = min(step, COUNT - size)
        edge = {tile: grown[tile] for tile in t.edge(size)}  # nothing but the edge is needed
        grown.update(t.grow(size, b"".join(LEAVES[size : size + step]), edge))
        size += step
    assert set(grown) == set(t.at_size(size))
    assert all(body == TILES[tile][: len(body)] for tile, body in grown.items())
    assert all(len(body) == 32 * t.width(tile, size) for tile, body in grown.items())


@given(st.integers(1, t.MAX_SIZE), st.data())
def test_a_proof_needs_few_tiles_however_large_the_tree(size: int, data: st.DataObject) -> None:
    ranges = t.inclusion_ranges(data.draw(st.integers(0, size - 1)), size)
    assert len(ranges) <= size.bit_length()
    assert len(t.needed(ranges)) <= 2 * (size.bit_length() // 8 + 1)


@given(st.integers(-1, 63), st.integers(0, t.MAX_SIZE), st.integers(1, 256))
def test_the_path_of_a_tile_reads_back(level: int, index: int, wide: int) -> None:
    place = Tile(level, index)
    assert t.parse(t.path(place, wide)) == (place, wide)


texts = st.text(st.characters(exclude_categories=["Cs"]))
# Beyond 2^53 a float is written without a point and reads back as an integer; the vectors of the RFC cover those.
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_canonical_json_reads_back_and_does_not_depend_on_order(value: dict[str, Any]) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(dict(reversed(list(value.items())))) == text
    assert canonical(json.loads(text)) == text


@given(
    st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.text(), st.text(), st.data()
)
def test_an_opening_opens_its_own_leaf_alone(
    one: bytes, other: bytes, header: str, content: str, data: st.DataObject
) -> None:
    header, content = (s.encode("utf-8", "ignore").decode() for s in (header, content))
    leaf = leaf_of(header_hash(one, header), content_hash(other, content))
    assert opens(Opening(1, header, one, content, other), leaf[-64:]) == ""
    assert opens(Opening(1, header + "x", one, content, other), leaf[-64:]) == "header"
    assert opens(Opening(1, header, one, content + "x", other), leaf[-64:]) == "content"
    if one != other:
        assert opens(Opening(1, header, other, content, other), leaf[-64:]) == "header"
    # A header can't be passed off as a content, nor the other way round.
    swapped = leaf_of(content_hash(one, header), header_hash(other, content))
    assert opens(Opening(1, header, one, content, other), swapped[-64:]) == "header"
