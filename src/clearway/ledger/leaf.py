"""What the tree commits to: the salted hashes of an entry's header and content. Pure.

    header commitment   SHA-256("clearway/header/1:"  || salt || header)    header: canonical JSON
    content commitment  SHA-256("clearway/content/1:" || salt || content)   content: canonical JSON, empty for none
    leaf                "clearway/entry/1\\n" || header commitment || content commitment

A salt is 32 bytes that the database made at random for this one commitment. Who has neither salt nor text
learns nothing from the leaf; who has both can check it against the tree.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from clearway.records.errors import IntegrityError

PREFIX = b"clearway/entry/1\n"
LEAF_BYTES = len(PREFIX) + 64
_FRAME = LEAF_BYTES.to_bytes(2, "big")  # C2SP tlog-tiles, "Log entries": a length before each entry
STRIDE = LEAF_BYTES + 2
PARTS = ("header", "content")  # in the order of their hashes in a leaf
_HEADER = b"clearway/header/1:"
_CONTENT = b"clearway/content/1:"


class Opening(Struct, frozen=True, array_like=True):
    """What opens one leaf. A part is None when it is withheld or erased, and its salt with it."""

    entry: int
    header: str | None = None
    header_salt: bytes | None = None
    content: str | None = None
    content_salt: bytes | None = None


def header_hash(salt: bytes, header: str) -> bytes:
    """The commitment to a header."""
    return sha256(_HEADER + salt + header.encode()).digest()


def content_hash(salt: bytes, content: str) -> bytes:
    """The commitment to a content."""
    return sha256(_CONTENT + salt + content.encode()).digest()


def leaf_of(header: bytes, content: bytes) -> bytes:
    """The leaf of two commitments."""
    return PREFIX + header + content


def bundled(leaves: list[bytes]) -> bytes:
    """Leaves as they stand in a bundle."""
    return b"".join([_FRAME + leaf for leaf in leaves])


def leaf_hashes(bundle: bytes) -> bytes:
    """The leaf hashes of a bundle, one after the other.

    Raises:
        IntegrityError: the bundle does not consist of whole leaves; `where` says "leaf N" within the bundle.
    """
    count, rest = divmod(len(bundle), STRIDE)
    expected = (_FRAME + PREFIX) * count
    # Checked in one go: the fixed part of every leaf.
    fixed = b"".join([bundle[at : at + STRIDE - 64] for at in range(0, count * STRIDE, STRIDE)])
    if rest or fixed != expected:
        step = STRIDE - 64
        bad = next((n for n in range(count) if fixed[n * step : (n + 1) * step] != expected[:step]), count)
        raise IntegrityError("a leaf is not of the one form", where=str(bad))
    return b"".join(
        [sha256(b"\x00" + bundle[at : at + LEAF_BYTES]).digest() for at in range(2, len(bundle), STRIDE)]
    )


def opens(opening: Opening, leaf: bytes) -> str:
    """What of `opening` does not belong to `leaf`: "header", "content", or "" when all does.

    `leaf` is the 64 bytes of the two commitments.
    """
    salt, text = opening.header_salt, opening.header
    if (salt is None) != (text is None) or (
        salt is not None and text is not None and sha256(_HEADER + salt + text.encode()).digest() != leaf[:32]
    ):
        return "header"
    salt, text = opening.content_salt, opening.content
    if (salt is None) != (text is None) or (
        salt is not None
        and text is not None
        and sha256(_CONTENT + salt + text.encode()).digest() != leaf[32:]
    ):
        return "content"
    return ""
