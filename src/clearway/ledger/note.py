"""Signed notes (C2SP signed-note): a text, and lines of signatures under it. Pure.

Three kinds of key, by the type byte of the standard:

    0x01  Ed25519                      the log's signature
    0x04  Ed25519 with a timestamp     a witness's co-signature (C2SP tlog-cosignature, cosignature/v1)
    0xff  ML-DSA-87 (FIPS 204)         the log's second signature, against quantum computers; the standard
                                       has no type byte for it, so the identifier follows the byte
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError

MAX_BYTES = 256 << 10  # an ML-DSA-87 signature has 6.2 kB in base64
MAX_SIGNATURES = 32
Kind = Literal["ed25519", "cosignature", "ml-dsa-87"]
_TYPES: dict[Kind, bytes] = {
    "ed25519": b"\x01",
    "cosignature": b"\x04",
    "ml-dsa-87": b"\xffml-dsa-87\n",
}
_KEY_BYTES: dict[Kind, int] = {"ed25519": 32, "cosignature": 32, "ml-dsa-87": 2592}
_NAME = re.compile(r"[^\s+]{1,200}")
_PRIVATE = "PRIVATE+KEY"


class Signature(Struct, frozen=True):
    """One line under a note."""

    name: str
    key_id: bytes
    body: bytes

    def line(self) -> str:
        """The line with its newline."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.body).decode()}\n"


class Note(Struct, frozen=True):
    """A text, which ends in a newline, and what is signed under it. Nothing is checked yet."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def render(self) -> str:
        """The note as it is sent and kept."""
        return f"{self.text}\n{''.join(s.line() for s in self.signatures)}"

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The same text, with the signatures of `more` that it has not."""
        known = {(s.name, s.key_id) for s in self.signatures}
        return Note(self.text, (*self.signatures, *(s for s in more if (s.name, s.key_id) not in known)))


class VerifierKey(Struct, frozen=True):
    """A public key with the name it signs under."""

    name: str
    kind: Kind
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of name, type and key."""
        return sha256(self.name.encode() + b"\n" + _TYPES[self.kind] + self.key).digest()[:4]

    def text(self) -> str:
        """The key in one line ("vkey"): `NAME+ID+KEY`."""
        body = base64.b64encode(_TYPES[self.kind] + self.key).decode()
        return f"{self.name}+{self.key_id.hex()}+{body}"


def parse(data: bytes | str) -> Note:
    """The note in `data`.

    Raises:
        InputError: it is none.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        if len(text) > MAX_BYTES or re.search(r"[\x00-\x09\x0b-\x1f]", text):
            raise ValueError("it is too long, or has control characters")
        body, found, lines = text.rpartition("\n\n")
        if not found or not lines.endswith("\n"):
            raise ValueError("there is no signature under it")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise ValueError("too many signatures")
    except ValueError as error:
        raise InputError(f"this is no signed note: {error}", where="note") from None
    return Note(body + "\n", signatures)


def signature(line: str) -> Signature:
    """One signature line.

    Raises:
        InputError: it is none.
    """
    try:
        return _signature(line.removesuffix("\n"))
    except ValueError as error:
        raise InputError(f"this is no signature line: {error}", where="note") from None


def _signature(line: str) -> Signature:
    if len(line) > MAX_BYTES:
        raise ValueError("it is too long")
    dash, name, encoded = line.split(" ") if line.count(" ") == 2 else ("", "", "")
    if dash != "—" or not _NAME.fullmatch(name):
        raise ValueError("a signature line is `— NAME BASE64`")
    body = _base64(encoded)
    if len(body) < 5:
        raise ValueError("a signature is cut")
    return Signature(name, body[:4], body[4:])


def parse_key(text: str) -> VerifierKey:
    """The public key of a line `NAME+ID+KEY`.

    Raises:
        InputError: it is none, or its id is not its own.
    """
    try:
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        if not _NAME.fullmatch(name):
            raise ValueError("a key is written NAME+ID+KEY")
        kind, key = _typed(_base64(encoded))
        if len(key) != _KEY_BYTES[kind]:
            raise ValueError("the key is cut")
        found = VerifierKey(name, kind, key)
        if found.key_id.hex() != key_id:
            raise ValueError("its id is not that of the key")
    except ValueError as error:
        raise InputError(f"this is no public key: {error}", where="key", mend="copy the whole line") from None
    return found


def _typed(data: bytes) -> tuple[Kind, bytes]:
    for kind, prefix in _TYPES.items():
        if data.startswith(prefix):
            return kind, data[len(prefix) :]
    raise ValueError("its type is not known")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None


def verified(note: Note, key: VerifierKey) -> int | None:
    """Whether `key` has signed `note`: None when it has not, else the time it says, in seconds since 1970
    (0 for a kind that says none).

    Raises:
        IntegrityError: there is a signature in the key's name and with its id, and it does not hold.
    """
    for one in note.signatures:
        if (one.name, one.key_id) == (key.name, key.key_id):
            return _verify(note.text, one, key)
    return None


def _verify(text: str, one: Signature, key: VerifierKey) -> int:
    try:
        if key.kind == "ml-dsa-87":
            mldsa.MLDSA87PublicKey.from_public_bytes(key.key).verify(one.body, text.encode())
            return 0
        public = ed25519.Ed25519PublicKey.from_public_bytes(key.key)
        if key.kind == "ed25519":
            public.verify(one.body, text.encode())
            return 0
        when = int.from_bytes(one.body[:8], "big")
        public.verify(one.body[8:], cosigned(text, when))
        return when
    except (InvalidSignature, ValueError):
        raise IntegrityError(f"the signature of {key.name} does not hold", where="checkpoint") from None


def cosigned(text: str, when: int) -> bytes:
    """What a witness signs (C2SP tlog-cosignature, Ed25519): the time and the whole text of the note."""
    return f"cosignature/v1\ntime {when}\n{text}".encode()


class SigningKey:
    """A private key with the name it signs under. Its file's text is that of the Go package `note`."""

    def __init__(self, name: str, kind: Kind, seed: bytes) -> None:
        """`seed` has 32 bytes for every kind."""
        self.name = name
        self.kind: Kind = kind
        self._seed = seed
        self._key: ed25519.Ed25519PrivateKey | mldsa.MLDSA87PrivateKey
        if kind == "ml-dsa-87":
            self._key = mldsa.MLDSA87PrivateKey.from_seed_bytes(seed)
        else:
            self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.public = VerifierKey(name, kind, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """The signature of the log under a note's text."""
        return Signature(self.name, self.public.key_id, self._key.sign(text.encode()))

    def cosign(self, text: str, when: int) -> Signature:
        """The co-signature of a witness, as of `when` in seconds since 1970."""
        body = when.to_bytes(8, "big") + self._key.sign(cosigned(text, when))
        return Signature(self.name, self.public.key_id, body)

    def text(self) -> str:
        """The line for the key's file: `PRIVATE+KEY+NAME+ID+SEED`."""
        seed = base64.b64encode(_TYPES[self.kind] + self._seed).decode()
        return f"{_PRIVATE}+{self.name}+{self.public.key_id.hex()}+{seed}\n"

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """The key of such a line.

        Raises:
            InputError: it is none. The message quotes nothing of it.
        """
        try:
            if not text.startswith(_PRIVATE + "+"):
                raise ValueError("it does not begin with PRIVATE+KEY")
            name, key_id, encoded = text[len(_PRIVATE) + 1 :].strip().split("+", 2)
            if not _NAME.fullmatch(name):
                raise ValueError("its name is not one")
            kind, seed = _typed(_base64(encoded))
            if len(seed) != 32:
                raise ValueError("it is cut")
            found = cls(name, kind, seed)
            if found.public.key_id.hex() != key_id:
                raise ValueError("its id is not that of the key")
        except ValueError as error:
            raise InputError(f"this is no signing key: {error}", where="key") from None
        return found
