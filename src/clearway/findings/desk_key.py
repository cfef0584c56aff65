"""The key with which the desk signs receipts and evidence, in DSSE envelopes (Dead Simple Signing Envelope 1.0).

    desk/desk.key      Ed25519 (RFC 8032), PKCS#8 in PEM; only the home's owner may read it

The database holds the public key, which anybody may have: what the desk has signed is verified offline with it.
Keys are named as TUF and in-toto name them: by the SHA-256 of the key's canonical JSON.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SecureSystemsError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from clearway import ledger
from clearway.records.errors import ConfigError, InputError, IntegrityError
from clearway.store.failures import at
from clearway.store.key_file import write_first

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    Connection = psycopg.Connection[Any]

FOLDER = "desk"
KEY = "desk.key"
MAX_ENVELOPE = 32 << 20  # bytes
_MAX_KEY_FILE = 1 << 14
_MAX_KEYS = 100
_PEM = re.compile(r"-----BEGIN [A-Z ]{1,40}-----[^-]{0,16384}-----END [A-Z ]{1,40}-----")
_CLEAR = 0  # the audience of what everybody may read


class PublicKey(Struct, frozen=True, kw_only=True):
    """A key of the desk as others have it. Verify with every one that was the desk's, retired ones too."""

    key_id: str
    public: str  # PEM, SubjectPublicKeyInfo
    added: datetime | None = None
    retired: datetime | None = None


class DeskKey:
    """Signs for the desk of one home."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._signer = CryptoSigner(private)
        self.public = _public(private.public_key())

    @classmethod
    def of_home(cls, home: Path, *, make: bool = True) -> DeskKey:
        """The key of `home`; with `make`, made at the first use.

        Raises:
            ConfigError: there is none, or its file can't be read, is readable by others, or holds something else.
        """
        path = home / FOLDER / KEY
        with at(path):
            try:
                return cls(_load(path))
            except FileNotFoundError:
                if not make:
                    raise ConfigError(
                        "this home has no key of the desk",
                        where=str(path),
                        mend=f"copy the folder {FOLDER}/ from the home that signs, mode 0600",
                    ) from None
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, Ed25519PrivateKey.generate())
            return cls(_load(path))

    def envelope(self, payload_type: str, payload: bytes) -> bytes:
        """The DSSE envelope of `payload`, as JSON: `payload`, `payloadType`, `signatures`."""
        made = Envelope(payload, payload_type, {})
        made.sign(self._signer)
        return msgspec.json.encode(made.to_dict())


def opened(envelope: bytes, keys: Iterable[PublicKey], payload_type: str) -> tuple[bytes, PublicKey]:
    """The payload of an envelope that one of `keys` has signed, and that key.

    Raises:
        InputError: it is no DSSE envelope, or holds something of another type.
        TooLargeError, InputError: a key is none.
        IntegrityError: none of the keys has signed it.
    """
    found = _envelope(envelope)
    if found.payload_type != payload_type:
        raise InputError(
            "the envelope holds something else", where="payloadType", mend=f"one of type {payload_type}"
        )
    mine = list(keys)
    by_id = {key.key_id: key for key in mine}
    try:
        accepted = found.verify([_key(key) for key in mine], 1) if mine else {}
    except (SecureSystemsError, ValueError):
        accepted = {}
    if not accepted:
        raise IntegrityError("no key of the desk has signed this", where="signatures")
    return found.payload, by_id[next(iter(accepted))]


def payload_of(envelope: bytes) -> tuple[str, bytes]:
    """Type and payload of an envelope, with nothing verified. Raises InputError."""
    found = _envelope(envelope)
    return found.payload_type, found.payload


def public_key(pem: str) -> PublicKey:
    """The public key of a PEM text.

    Raises:
        InputError: it holds no Ed25519 public key.
    """
    try:
        if len(pem) > _MAX_KEY_FILE:
            raise ValueError
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError("this is no public key in PEM", where="key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("the desk's keys are Ed25519", where="key")
    return _public(key)


def public_keys(data: bytes) -> list[PublicKey]:
    """The public keys of a file: PEM texts one after the other, or what `GET /api/v1/findings/keys` answers.

    Raises:
        InputError: it holds none, more than 100, or one that is no Ed25519 key.
    """
    if len(data) > _MAX_KEYS * _MAX_KEY_FILE:
        raise InputError(f"more than {_MAX_KEYS} keys", where="key")
    if data.lstrip()[:1] == b"{":
        try:
            texts = [key.public for key in msgspec.json.decode(data, type=_Keys).keys]
        except (msgspec.MsgspecError, RecursionError):
            raise InputError("these are no public keys of a desk", where="key") from None
    else:
        texts = _PEM.findall(data.decode("utf-8", "replace"))
    if not 0 < len(texts) <= _MAX_KEYS:
        raise InputError("this is no public key in PEM", where="key", mend=f"1 to {_MAX_KEYS} of them")
    return [public_key(text) for text in texts]


class _Text(Struct):
    public: str


class _Keys(Struct):
    keys: list[_Text]


def register(owner: Connection, key: DeskKey) -> None:
    """Makes the desk's public key known, by an act that is on the log; nothing when it is known. As the owner."""
    public = key.public
    if owner.execute("select from clearway.desk_key where key_id = %s", (public.key_id,)).fetchone():
        return
    with owner.transaction():
        owner.execute("lock table clearway.desk_key in share row exclusive mode")
        new = owner.execute(
            "insert into clearway.desk_key (key_id, public) values (%s, %s) on conflict do nothing returning key_id",
            (public.key_id, public.public),
        ).fetchone()
        if new:
            ledger.append(
                owner, "desk.key_added", f"desk-key/{public.key_id}", {"public": public.public}, aud=_CLEAR
            )


def known(db: Connection) -> list[PublicKey]:
    """Every key that is or was the desk's, oldest first."""
    return [
        PublicKey(key_id=row[0], public=row[1], added=row[2], retired=row[3])
        for row in db.execute(
            "select key_id, public, added, retired from clearway.desk_key order by added, key_id"
        )
    ]


def _envelope(data: bytes) -> Envelope:
    if len(data) > MAX_ENVELOPE:
        raise InputError(f"an envelope of over {MAX_ENVELOPE >> 20} MiB", where="envelope")
    try:
        raw = msgspec.json.decode(data, type=_Raw)
        return Envelope.from_dict(msgspec.to_builtins(raw))
    except (msgspec.MsgspecError, RecursionError, ValueError, KeyError, TypeError, SecureSystemsError):
        raise InputError(
            "this is no DSSE envelope",
            where="envelope",
            mend="`payload`, `payloadType` and `signatures` are wanted",
        ) from None


class _Signature(Struct):
    keyid: str
    sig: str


class _Raw(Struct):
    payload: str
    payloadType: str  # noqa: N815  the standard's spelling
    signatures: list[_Signature]

    def __post_init__(self) -> None:
        if not 1 <= len(self.signatures) <= 32:
            raise ValueError("1 to 32 signatures")


def _public(key: Ed25519PublicKey) -> PublicKey:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(key_id=SSlibKey.from_crypto(key).keyid, public=pem.decode())


def _key(key: PublicKey) -> SSlibKey:
    made = public_key(key.public)
    if made.key_id != key.key_id:
        raise InputError("a key's id is not its own", where=key.key_id)
    return SSlibKey.from_crypto(serialization.load_pem_public_key(key.public.encode()))


def _load(path: Path) -> Ed25519PrivateKey:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_mode & 0o077:
            raise ConfigError(
                "the key of the desk can be read by others",
                where=str(path),
                mend="chmod 600 it, and think of it as known: make another",
            )
        data = file.read(_MAX_KEY_FILE)
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("this is no Ed25519 key in PEM", where=str(path), mend="restore it from a backup")
    return key


def checked(pem: bytes, where: str) -> None:
    """Raises InputError for what is no private key of a desk."""
    try:
        key = serialization.load_pem_private_key(pem, None) if len(pem) <= _MAX_KEY_FILE else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("this is no Ed25519 key in PEM", where=where)


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    """Writes a key file whole and synced; leaves alone the one that another process was first to write."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_first(path, pem)
