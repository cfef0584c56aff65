"""One entry's proof, as it is handed to somebody else, and the check that needs nothing but it and a key. Pure."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError

from .checkpoint import Checkpoint, read
from .leaf import LEAF_BYTES, PARTS, PREFIX, Opening, opens
from .merkle import HASH_BYTES, leaf_hash, verify_inclusion
from .note import VerifierKey, verified

MAX_BYTES = 1 << 20


class Proof(Struct, frozen=True, kw_only=True):
    """What shows an outsider that an entry is in the log: everything that is hashed, and the signed root."""

    entry: int
    leaf: int
    size: int
    leaf_data: str  # the leaf, hexadecimal
    header: str | None
    header_salt: str | None  # hexadecimal, as the next
    content: str | None
    content_salt: str | None
    proof: tuple[str, ...]  # hashes from the leaf up, base64
    checkpoint: str  # the signed note

    @property
    def shown(self) -> tuple[str, ...]:
        """What of the entry is there to be held against the leaf; its number is not in the tree."""
        return tuple(part for part in PARTS if getattr(self, part) is not None)


_decode = msgspec.json.Decoder(Proof).decode


def checked(data: bytes, key: VerifierKey) -> tuple[Proof, Checkpoint]:
    """The proof in `data`, when the log whose `key` it is has signed for it.

    Raises:
        InputError: it is no proof.
        IntegrityError: it proves nothing: another leaf, another root, or no signature of the key.
    """
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("it is too long")
        found = _decode(data)
        leaf = bytes.fromhex(found.leaf_data)
        hashes = [base64.b64decode(part, validate=True) for part in found.proof]
        opening = Opening(
            found.entry, found.header, _salt(found.header_salt), found.content, _salt(found.content_salt)
        )
        if len(leaf) != LEAF_BYTES or any(len(part) != HASH_BYTES for part in hashes):
            raise ValueError("a hash is cut")
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
        raise InputError(f"this is no proof: {error}", where="proof") from None
    checkpoint, note = read(found.checkpoint)
    if verified(note, key) is None:
        raise IntegrityError(f"the root is not signed by {key.name}", where="proof")
    if not leaf.startswith(PREFIX) or (wrong := opens(opening, leaf[-64:])):
        raise IntegrityError(f"the {wrong or 'form'} is not what the leaf commits to", where="proof")
    verify_inclusion(leaf_hash(leaf), found.leaf, checkpoint.size, hashes, checkpoint.root)
    return found, checkpoint


def _salt(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
