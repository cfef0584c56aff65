"""Files encrypted as age does (age-encryption.org/v1), for X25519 recipients or a passphrase; pure.

https://github.com/C2SP/C2SP/blob/main/age.md: what is written here opens with `age -d`, and the other way round.

    header    "age-encryption.org/v1", a stanza a recipient that wraps the file's key, and an HMAC over all that
    payload   a nonce, and chunks of 64 KiB in ChaCha20-Poly1305, each with its number and whether it is the last

Departures: no ASCII armour, no other kinds of recipients, and a file is held in memory whole. Why not by a library:
docs/decisions/0018-age-files.md.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from clearway.records.errors import InputError, IntegrityError, TooLargeError

from .bech32 import decode as _bech32

VERSION = b"age-encryption.org/v1"
WORK = 17  # log2 of scrypt's N: about half a second
MAX_WORK = 20  # of a file that is opened: 1 GiB of memory
MAX_BYTES = 1 << 30
_CHUNK = 64 << 10
_TAG = 16
_KEY = 16
_NONCE = 16
_MAX_HEADER = 64 << 10
_MAX_STANZAS = 100
_ARGUMENT = re.compile(rb"[\x21-\x7e]+")
_ZERO = bytes(12)  # each wrapping key is used once


class _Stanza(NamedTuple):
    arguments: tuple[bytes, ...]
    body: bytes


def encrypt(data: bytes, *, recipients: Sequence[str] = (), passphrase: str = "", work: int = WORK) -> bytes:
    """`data` for each of `recipients` ("age1…"), or under `passphrase`; never both, as the format has it.

    Raises:
        InputError: neither or both are given, or a recipient is none.
        TooLargeError: over `MAX_BYTES`.
    """
    if bool(recipients) == bool(passphrase):
        raise InputError("a file is for recipients, or under a passphrase", where="recipients")
    if len(recipients) > _MAX_STANZAS:
        raise InputError(f"at most {_MAX_STANZAS} recipients", where="recipients")
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"over {MAX_BYTES >> 20} MiB", where="data")
    key = secrets.token_bytes(_KEY)
    stanzas = [_for_recipient(key, text) for text in recipients] or [_under(key, passphrase, work)]
    head = VERSION + b"\n" + b"".join(_written(s) for s in stanzas) + b"---"
    nonce = secrets.token_bytes(_NONCE)
    sealed = _stream(_derived(key, nonce, b"payload"), data)
    return head + b" " + _b64(_mac(key, head)) + b"\n" + nonce + sealed


def decrypt(file: bytes, *, identities: Sequence[str] = (), passphrase: str = "") -> bytes:
    """What was encrypted for one of `identities` ("AGE-SECRET-KEY-1…"), or under `passphrase`.

    Raises:
        InputError: this is no such file, or an identity is none.
        TooLargeError: the file is larger than any that is written here.
        IntegrityError: none of the keys opens it, or it was changed or cut.
    """
    if len(file) > MAX_BYTES + (MAX_BYTES // _CHUNK + 2) * _TAG + _MAX_HEADER:
        raise TooLargeError(f"over {MAX_BYTES >> 20} MiB", where="file")
    stanzas, head, mac, payload = _read(file)
    key = _unwrapped(stanzas, identities, passphrase)
    if key is None:
        raise IntegrityError("it is not for this key, or the passphrase is another", where="file")
    if not hmac.compare_digest(mac, _mac(key, head)):
        raise IntegrityError("its header was changed", where="file")
    if len(payload) < _NONCE:
        raise IntegrityError("it breaks off", where="file")
    return _opened(_derived(key, payload[:_NONCE], b"payload"), payload[_NONCE:])


def _for_recipient(key: bytes, text: str) -> _Stanza:
    public = _bech32(text.strip(), "age", 32, "recipients")
    own = X25519PrivateKey.generate()
    share = own.public_key().public_bytes_raw()
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of low order
        raise InputError("this is no recipient", where="recipients", mend="such as age1…") from None
    wrap = _derived(shared, share + public, VERSION + b"/X25519")
    return _Stanza((b"X25519", _b64(share)), ChaCha20Poly1305(wrap).encrypt(_ZERO, key, None))


def _under(key: bytes, passphrase: str, work: int) -> _Stanza:
    salt = secrets.token_bytes(16)
    wrap = _scrypt(passphrase, salt, work)
    return _Stanza(
        (b"scrypt", _b64(salt), str(work).encode()), ChaCha20Poly1305(wrap).encrypt(_ZERO, key, None)
    )


def _scrypt(passphrase: str, salt: bytes, work: int) -> bytes:
    made = Scrypt(salt=VERSION + b"/scrypt" + salt, length=32, n=1 << work, r=8, p=1)
    return made.derive(passphrase.encode())


def _unwrapped(stanzas: Sequence[_Stanza], identities: Sequence[str], passphrase: str) -> bytes | None:
    """The file's key by the first stanza that one of the keys opens."""
    for stanza in stanzas:
        kind, *rest = stanza.arguments
        found: bytes | None = None
        if kind == b"scrypt":
            if len(stanzas) != 1:
                raise InputError("a passphrase is a file's only key", where="file")
            if passphrase:
                found = _by_passphrase(rest, stanza.body, passphrase)
        elif kind == b"X25519" and len(rest) == 1 and identities:
            share = _unb64(rest[0], 32)
            found = next((k for text in identities if (k := _by_identity(share, stanza.body, text))), None)
        if found is not None:
            return found
    return None


def _by_passphrase(rest: Sequence[bytes], body: bytes, passphrase: str) -> bytes | None:
    if len(rest) != 2 or not re.fullmatch(rb"[1-9][0-9]?", rest[1]):
        raise InputError("this is no file of age", where="file")
    work = int(rest[1])
    if work > MAX_WORK:
        raise InputError(f"its passphrase takes 2^{work} rounds", where="file", mend=f"at most 2^{MAX_WORK}")
    return _open(_scrypt(passphrase, _unb64(rest[0], 16), work), body)


def _by_identity(share: bytes, body: bytes, text: str) -> bytes | None:
    private = X25519PrivateKey.from_private_bytes(_bech32(text.strip(), "age-secret-key-", 32, "identity"))
    public = private.public_key().public_bytes_raw()
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        return None
    return _open(_derived(shared, share + public, VERSION + b"/X25519"), body)


def _open(wrap: bytes, body: bytes) -> bytes | None:
    if len(body) != _KEY + _TAG:  # else one file could be made to open under two keys
        return None
    try:
        return ChaCha20Poly1305(wrap).decrypt(_ZERO, body, None)
    except InvalidTag:
        return None


def _read(file: bytes) -> tuple[list[_Stanza], bytes, bytes, bytes]:
    """(stanzas, the header that the HMAC is over, the HMAC, the payload). Raises InputError."""
    wrong = InputError("this is no file of age", where="file", mend="the binary form, age-encryption.org/v1")
    at = file.find(b"\n---", 0, _MAX_HEADER)
    end = file.find(b"\n", at + 1, _MAX_HEADER) if at >= 0 else -1
    if not file.startswith(VERSION + b"\n-> ") or end < 0 or file[at + 4 : at + 5] != b" ":
        raise wrong
    stanzas: list[_Stanza] = []
    for part in file[len(VERSION) + 4 : at].split(b"\n-> "):
        first, *lines = part.split(b"\n")
        arguments = tuple(first.split(b" "))
        if not lines or len(lines[-1]) >= 64 or any(len(line) != 64 for line in lines[:-1]):
            raise wrong
        if not all(_ARGUMENT.fullmatch(a) for a in arguments) or len(stanzas) >= _MAX_STANZAS:
            raise wrong
        stanzas.append(_Stanza(arguments, _unb64(b"".join(lines))))
    return stanzas, file[: at + 4], _unb64(file[at + 5 : end], 32), file[end + 1 :]


def _written(stanza: _Stanza) -> bytes:
    body = _b64(stanza.body)
    lines = [body[n : n + 64] for n in range(0, len(body) + 1, 64)]
    return b"-> " + b" ".join(stanza.arguments) + b"\n" + b"\n".join(lines) + b"\n"


def _stream(key: bytes, data: bytes) -> bytes:
    cipher = ChaCha20Poly1305(key)
    starts = range(0, max(len(data), 1), _CHUNK)
    return b"".join(
        cipher.encrypt(_number(n, last=start == starts[-1]), data[start : start + _CHUNK], None)
        for n, start in enumerate(starts)
    )


def _opened(key: bytes, sealed: bytes) -> bytes:
    cipher = ChaCha20Poly1305(key)
    step = _CHUNK + _TAG
    starts = range(0, max(len(sealed), 1), step)
    found = []
    try:
        for n, start in enumerate(starts):
            last = start == starts[-1]
            piece = cipher.decrypt(_number(n, last=last), sealed[start : start + step], None)
            if last and n and not piece:
                raise InvalidTag
            found.append(piece)
    except InvalidTag:
        raise IntegrityError("it was changed, or breaks off", where="file") from None
    return b"".join(found)


def _number(n: int, *, last: bool) -> bytes:
    return n.to_bytes(11) + bytes([last])


def _derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.new(_derived(key, b"", b"header"), head, sha256).digest()


def _b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _unb64(text: bytes, size: int = -1) -> bytes:
    """Base64 without padding, as it is written and no other way. Raises InputError."""
    try:
        found = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        found = b"\0" * 999
    if _b64(found) != text or (size >= 0 and len(found) != size):
        raise InputError("this is no file of age", where="file")
    return found
