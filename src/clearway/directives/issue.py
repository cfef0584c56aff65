"""Issuing a directive: an authority signs the exact bytes of its data file, and each version stands for ever. Pure.

The signature is detached: Ed25519 (RFC 8032) over the file's bytes as they are, base64 in a file beside it. Nothing
is normalised first, so that any tool can check it:

    openssl pkeyutl -verify -pubin -inkey authority.pem -rawin -in bod.json -sigfile signature.bin

The signing key never reaches the server: what is handed in is the document and its signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError, NotFoundError, TooLargeError

from .directive import Directive
from .entrance import check_new
from .files import parse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LARGEST = 1 << 20  # bytes of a directive's data file
_KEY_FILE = 64 << 10
_PARTS = re.compile(r"(-?)([0-9]+|[^0-9.\s_-]+)")
_PRE_RELEASES = frozenset(("alpha", "beta", "dev", "draft", "pre", "preview", "rc", "snapshot"))
_SIGNATURE = 64  # bytes, RFC 8032 section 5.1.6


class Key(Struct, frozen=True):
    """An authority's public key: 32 raw bytes (RFC 8032). `id` names it: 16 hexadecimal digits of its SHA-256."""

    raw: bytes

    @property
    def id(self) -> str:
        """The name of the key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]


class Signed(Struct, frozen=True, kw_only=True):
    """A directive's bytes with a signature that holds, and what they say."""

    document: bytes
    signature: bytes
    key: str
    directive: Directive

    @property
    def sha256(self) -> bytes:
        """The hash of the document."""
        return hashlib.sha256(self.document).digest()


class Issue(Struct, frozen=True, kw_only=True):
    """One issued version in the history: it governs from `begins` on, and from `revoked` on it no longer stands.

    `begins` is never before `issued`.
    """

    directive: str
    version: str
    issued: date
    begins: date
    revoked: date | None = None

    def stands(self, day: date) -> bool:
        """Whether it has begun by the end of that day, and is not revoked by then."""
        return self.begins <= day and (self.revoked is None or self.revoked > day)

    @property
    def idle(self) -> bool:
        """Whether it stands on no day at all: it is revoked from its own day on, or from an earlier one."""
        return self.revoked is not None and self.revoked <= self.begins


def verify(document: bytes, signature: bytes, keys: Iterable[Key], place: str = "directive") -> Signed:
    """The directive, once one of `keys` is found to have signed these very bytes.

    `signature` is 64 raw bytes, or these in base64.

    Raises:
        IntegrityError: none of the keys signed this.
        InputError: not a signature, or not a directive.
        TooLargeError: a document over 1 MiB.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(document) > LARGEST:
        raise TooLargeError(f"a directive of more than {LARGEST:,} bytes", where=place)
    raw = read_signature(signature, place)
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(raw, document)
        except InvalidSignature:
            continue
        # Only what is signed is parsed.
        return Signed(document=document, signature=raw, key=key.id, directive=parse(document, place))
    raise IntegrityError(
        "signed by none of the keys given", where=place, mend="get the authority's key, or the file, anew"
    )


def sign(document: bytes, private: Ed25519PrivateKey, place: str = "directive") -> Signed:
    """The document with the authority's signature. Raises InputError for what is no directive, or could not enter."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if len(document) > LARGEST:
        raise TooLargeError(f"a directive of more than {LARGEST:,} bytes", where=place)
    directive = parse(document, place)  # nothing is signed that nobody could read
    check_new(document, directive, place)
    key = Key(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return Signed(document=document, signature=private.sign(document), key=key.id, directive=directive)


def read_signature(data: bytes, place: str) -> bytes:
    """64 raw bytes from themselves or their base64. Raises InputError."""
    if len(data) == _SIGNATURE:
        return data
    try:
        raw = base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SIGNATURE:
        raise InputError("not an Ed25519 signature", where=place, mend="give 64 bytes, raw or in base64")
    return raw


def read_public_key(data: bytes, place: str) -> Key:
    """An Ed25519 public key from PEM (SubjectPublicKeyInfo), or 32 raw bytes in base64 or hexadecimal.

    Raises InputError naming `place`.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    if len(data) <= _KEY_FILE:
        text = data.strip()
        for read in (bytes.fromhex, base64.b64decode):
            try:
                raw = read(text.decode("ascii"))
            except (ValueError, binascii.Error):  # also what is not ASCII
                continue
            if len(raw) == 32:
                return Key(raw)
        try:
            key = load_pem_public_key(text)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, Ed25519PublicKey):
            return Key(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    raise InputError("not an Ed25519 public key", where=place, mend="give a PEM file, base64 or hexadecimal")


def read_private_key(data: bytes, place: str) -> Ed25519PrivateKey:
    """An unencrypted Ed25519 private key from PEM (PKCS #8). Raises InputError, which never shows the key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if len(data) <= _KEY_FILE:
        try:
            key = load_pem_private_key(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise InputError(
        "not an Ed25519 private key in PEM without a passphrase",
        where=place,
        mend="openssl genpkey -algorithm ed25519 -out key.pem",
    )


def order_of(version: str) -> tuple[tuple[int, int, str], ...]:
    """What versions of a directive are ordered by: digits as numbers, so that 1.10 comes after 1.9.

    A pre-release comes before its release (Semantic Versioning 2.0.0, clause 11): letters after a hyphen, such as
    1.11-rc1, and the usual words without one, 1.11rc1. Other letters are a revision: 1.11a comes after 1.11.
    """
    found = []
    for hyphen, part in _PARTS.findall(version):
        word = part.casefold()
        if part.isdecimal():
            found.append((3, int(part), ""))
        else:
            found.append((0 if hyphen or word in _PRE_RELEASES else 2, 0, word))
    return (*found, (1, 0, ""))


def in_force(issues: Iterable[Issue], directive: str, as_of: date) -> Issue:
    """The version of `directive` that stood at the end of `as_of`: of those begun and not revoked the last one issued.

    A version that was superseded or revoked later is found again for a day on which it stood, and a revocation brings
    back the version before; so does the one before stand until a version that is issued ahead begins. Of two issued on
    one day the later in the sequence stands.

    Raises NotFoundError where none stood.
    """
    found = [issue for issue in issues if issue.directive == directive]
    held = _standing(found, as_of)
    if held is not None:
        return held
    comes = coming(found, directive, as_of)
    if comes is not None:
        raise NotFoundError(
            f"{directive} {comes.version} is in effect from {comes.begins} on",
            mend="ask for that day, or a later one",
        )
    known = [issue for issue in found if issue.issued <= as_of]
    if not known:
        raise NotFoundError(f"no version of {directive} was issued by {as_of}", mend="ask for a later day")
    # All that is known is revoked: what stood until the latest day tells more than what never did.
    said = max(known, key=lambda issue: (not issue.idle, issue.revoked or date.max))
    if said.idle:
        raise NotFoundError(
            f"{directive} {said.version} is revoked from {said.revoked} on, and was to begin on {said.begins}",
            mend="ask for another version, or a later day",
        )
    raise NotFoundError(
        f"{directive} {said.version} was revoked on {said.revoked}", mend="ask for an earlier day"
    )


def coming(issues: Iterable[Issue], directive: str, as_of: date) -> Issue | None:
    """The version, issued by `as_of`, that takes over next, on a later day, its own; None where none does.

    One that is revoked by its own day, or overtaken by then, never comes: what comes on a day is what stands on it.
    """
    found = [issue for issue in issues if issue.directive == directive and issue.issued <= as_of]
    for day in sorted({issue.begins for issue in found if issue.begins > as_of}):
        new = _standing(found, day)
        if new is not None and new.begins == day:
            return new
    return None


def last_of(issues: Iterable[Issue], directive: str, as_of: date) -> Issue:
    """What `in_force` gives; where all were revoked by then, the version that stood on the last day on which one did.

    Where none has stood on any day, the last one issued of those whose own day has come.

    Raises NotFoundError where the day of none has come.
    """
    found = [issue for issue in issues if issue.directive == directive]
    try:
        return in_force(found, directive, as_of)
    except NotFoundError:
        begun = [issue for issue in found if issue.begins <= as_of]
        if not begun:
            raise
    ends = [issue.revoked for issue in begun if issue.revoked is not None and not issue.idle]
    if ends:
        return in_force(found, directive, max(ends) - timedelta(days=1))
    return sorted(begun, key=lambda issue: issue.issued)[-1]


def _standing(found: Iterable[Issue], day: date) -> Issue | None:
    """Of one directive's versions the one that stands at the end of the day."""
    held: Issue | None = None
    for issue in found:
        if issue.stands(day) and (held is None or held.issued <= issue.issued):
            held = issue
    return held
