"""The Merkle tree of RFC 6962 §2.1: hashes, and checking what a proof says. Pure.

A log of `size` entries has one root. An *inclusion* proof shows that an entry is under a root, a
*consistency* proof that a larger tree begins with all of a smaller one. Proofs are made in `tiles`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from clearway.records.errors import IntegrityError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()  # RFC 6962 §2.1: the root of no entries
# RFC 6962 §2.1: leaves and nodes are hashed apart, so that none can stand for the other.
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry as a leaf."""
    return sha256(LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(NODE_PREFIX + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """The root of a perfect subtree, from its 2^h hashes one after the other."""
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            [sha256(NODE_PREFIX + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)]
        )
    return hashes


def join(parts: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that stand from large to small, left to right."""
    if not parts:
        return EMPTY_ROOT
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = node_hash(part, root)
    return root


def root_of(hashes: bytes) -> bytes:
    """The root over any number of leaf hashes, one after the other."""
    count = len(hashes) // HASH_BYTES
    return join(
        [fold(hashes[index << level << 5 : (index + 1) << level << 5]) for level, index in perfect(0, count)]
    )


def perfect(start: int, end: int) -> list[tuple[int, int]]:
    """The perfect subtrees (level, index) that cover the leaves [start, end), left to right.

    `start` is 0, or a multiple of a power of two that is no less than `end - start`, as every range is
    that a proof asks for.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf hash `leaf` stands at `index` in the tree of `size` with `root` (RFC 9162 §2.1.3.2).

    Raises:
        IntegrityError: it does not, or the proof is not one for that place.
    """
    if not 0 <= index < size:
        raise IntegrityError(f"leaf {index} is not in a tree of {size}", where="inclusion proof")
    node, last = index, size - 1
    found = leaf
    for part in proof:
        if last == 0:
            raise IntegrityError("the proof is too long", where="inclusion proof")
        if node & 1 or node == last:
            found = node_hash(part, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, part)
        node >>= 1
        last >>= 1
    if last or found != root:
        raise IntegrityError(f"leaf {index} is not under this root", where="inclusion proof")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Checks that the tree of `size` begins with the tree of `old_size` (RFC 9162 §2.1.4.2).

    The proof is empty when the old tree is empty or the sizes are equal.

    Raises:
        IntegrityError: it does not, or the proof is not one for these sizes.
    """
    if not 0 <= old_size <= size:
        raise IntegrityError(f"{old_size} entries can't grow to {size}", where="consistency proof")
    if old_size in (0, size):
        expected = EMPTY_ROOT if old_size == 0 else root
        if proof or old_root != expected:
            raise IntegrityError(f"two roots for {old_size} entries", where="consistency proof")
        return
    parts = list(proof)
    if old_size & (old_size - 1) == 0:
        parts.insert(0, old_root)
    if not parts:
        raise IntegrityError("the proof is empty", where="consistency proof")
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_found = found = parts[0]
    for part in parts[1:]:
        if last == 0:
            raise IntegrityError("the proof is too long", where="consistency proof")
        if node & 1 or node == last:
            old_found = node_hash(part, old_found)
            found = node_hash(part, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, part)
        node >>= 1
        last >>= 1
    if last or old_found != old_root or found != root:
        raise IntegrityError(
            f"the tree of {size} does not begin with the one of {old_size}", where="consistency proof"
        )
