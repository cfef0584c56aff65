"""The tree of RFC 6962: published vectors, and how tiles are named."""

from __future__ import annotations

import hashlib

import pytest

from clearway.ledger import tiles as t
from clearway.ledger.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from clearway.ledger.tiles import ENTRIES, Tile
from clearway.records.errors import ClearwayError, InputError, IntegrityError, NotFoundError

# The reference tree of the Certificate Transparency project (merkletree test data, RFC 6962).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf, size) -> path; (old, new) -> proof, from the same test data.
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
PROOFS = {
    (1, 8): PATHS[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
TILES = t.grow(0, b"".join(HASHES), {})


def parts(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference_tree(size: int) -> None:
    assert root_of(b"".join(HASHES[:size])).hex() == ROOTS[size - 1]
    assert t.hashes(t.root_ranges(size), TILES)[0].hex() == ROOTS[size - 1]


def test_no_entries_have_the_hash_of_nothing_as_root() -> None:
    assert hashlib.sha256().digest() == EMPTY_ROOT
    assert root_of(b"") == EMPTY_ROOT
    assert t.root_ranges(0) == []


@pytest.mark.parametrize(("leaf", "size"), PATHS)
def test_inclusion_proofs_are_those_of_the_reference_tree(leaf: int, size: int) -> None:
    made = t.hashes(t.inclusion_ranges(leaf, size), TILES)
    assert made == parts(PATHS[leaf, size])
    verify_inclusion(HASHES[leaf], leaf, size, made, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "size"), PROOFS)
def test_consistency_proofs_are_those_of_the_reference_tree(old: int, size: int) -> None:
    made = t.hashes(t.consistency_ranges(old, size), TILES)
    assert made == parts(PROOFS[old, size])
    verify_consistency(old, bytes.fromhex(ROOTS[old - 1]), size, bytes.fromhex(ROOTS[size - 1]), made)


def test_a_leaf_can_not_pass_for_a_node() -> None:
    left, right = HASHES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize(
    ("old", "old_root", "size", "root", "proof"),
    [
        (0, ROOTS[0], 8, ROOTS[7], []),  # a wrong root for nothing
        (8, ROOTS[6], 8, ROOTS[7], []),  # two roots for one size
        (8, ROOTS[7], 6, ROOTS[5], []),  # it shrinks
        (3, ROOTS[2], 8, ROOTS[7], []),  # no proof
        (6, ROOTS[5], 8, ROOTS[7], [*PROOFS[6, 8], ROOTS[0]]),  # a proof too long
        (6, ROOTS[5], 8, ROOTS[7], PROOFS[6, 8][:-1]),  # too short
        (6, ROOTS[4], 8, ROOTS[7], PROOFS[6, 8]),
        (6, ROOTS[5], 8, ROOTS[6], PROOFS[6, 8]),
    ],
)
def test_a_wrong_consistency_proof_is_refused(
    old: int, old_root: str, size: int, root: str, proof: list[str]
) -> None:
    with pytest.raises(IntegrityError):
        verify_consistency(old, bytes.fromhex(old_root), size, bytes.fromhex(root), parts(proof))


@pytest.mark.parametrize("index", [-1, 8, 9])
def test_a_leaf_beyond_the_tree_has_no_proof(index: int) -> None:
    with pytest.raises(NotFoundError):
        t.inclusion_ranges(index, 8)
    with pytest.raises(IntegrityError):
        verify_inclusion(HASHES[0], index, 8, [], bytes.fromhex(ROOTS[7]))


@pytest.mark.parametrize(
    ("tile", "wide", "path"),
    [
        (Tile(0, 1_234_067), 256, "tile/0/x001/x234/067"),
        (Tile(0, 0), 256, "tile/0/000"),
        (Tile(1, 999), 17, "tile/1/999.p/17"),
        (Tile(63, 1000), 255, "tile/63/x001/000.p/255"),
        (Tile(ENTRIES, 273), 112, "tile/entries/273.p/112"),
    ],
)
def test_tiles_have_the_paths_of_the_standard(tile: Tile, wide: int, path: str) -> None:
    assert t.path(tile, wide) == path
    assert t.parse(path) == (tile, wide)


@pytest.mark.parametrize(
    "path",
    ["", "tile/0/0", "tile/0/x000/001", "tile/64/000", "tile/00/000", "tile/0/001.p/0", "tile/0/001.p/256",
     "tile/0/001.p/01", "tile/0/x1/001", "tile/-1/000", "tile/0/../000", "tile/0/001/", "checkpoint", "tile/0/٠٠١",
     "tile/0/" + "x999/" * 6 + "999"],
)  # fmt: skip
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(InputError):
        t.parse(path)


def test_a_tree_of_70000_has_the_tiles_that_the_standard_counts() -> None:
    found = list(t.at_size(70_000))
    assert [sum(tile.level == level for tile in found) for level in (0, 1, 2, 3)] == [274, 2, 1, 0]
    assert [t.width(Tile(*place), 70_000) for place in ((0, 272), (0, 273), (1, 0), (1, 1), (2, 0), (2, 1))] == [
        256, 112, 256, 17, 1, 0,
    ]  # fmt: skip


def test_a_missing_tile_is_named() -> None:
    with pytest.raises(IntegrityError, match="tile/0/000"):
        t.hashes(t.root_ranges(8), {})
    with pytest.raises(ClearwayError, match="tile/0/000"):
        t.grow(5, HASHES[0], {Tile(0, 0): HASHES[0]})
