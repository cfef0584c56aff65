"""Hides scopes under a key of the home, so that the database can look them up and can't read them.

Names of packages, hosts and networks can be guessed: who has their plain hashes tries every name there is and has
them all. So what stands in the database is keyed, and the key lies in a file of the home, outside PostgreSQL, as the
vault's keys do (`leases/blind.key`, mode 0600). What containment needs is kept, and no more:

    paths      each step becomes HMAC-SHA-256 (RFC 2104) over all steps up to it, 80 bits in base 32; one path
               contains another when its text begins the other's
    networks   Crypto-PAn (Xu, Fan, Ammar, Moon: "Prefix-Preserving IP Address Anonymization", 2002): each bit is
               flipped by AES over the bits before it, so that two addresses share a prefix of n bits before and after

What that does not hide, and from whom: docs/explain/leases.md.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import b32encode
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec import Struct

from clearway.records.errors import ConfigError
from clearway.store.failures import at
from clearway.store.key_file import write_first

from .scope import WIDEST, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .scope import Target

FOLDER = "leases"
KEY = "blind.key"
KEY_BYTES = 32
STEP_CHARS = 17  # 16 of a token, and "/"
_TOKEN_BYTES = 10


class Blinded(Struct, frozen=True):
    """A target as the database has it: a network or a path, and the root that it shares with whatever meets it."""

    net: Network | None
    path: str | None
    live: bool
    root: str


class BlindKey:
    """Blinds for one home. Safe between threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(f"a blinding key has {KEY_BYTES} bytes")
        self._steps = _derived(key, b"steps")
        self._four = CryptoPan(_derived(key, b"ipv4"), 4)
        self._six = CryptoPan(_derived(key, b"ipv6"), 6)

    @classmethod
    def of_home(cls, home: Path) -> BlindKey:
        """The key of `home`, made at the first use.

        Raises:
            ConfigError: its file can be read by others, or holds something else.
            UpstreamError: it can't be read or written.
        """
        path = home / FOLDER / KEY
        with at(path):
            try:
                return cls(_read(path))
            except FileNotFoundError:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_first(path, secrets.token_bytes(KEY_BYTES))
                return cls(_read(path))

    def target(self, target: Target) -> Blinded:
        """`target` as the database has it."""
        if target.net is not None:
            net = self.network(target.net)
            root = net.supernet(new_prefix=WIDEST[net.version])
            return Blinded(net, None, True, str(root))
        path = self.path(target.tree, target.steps)
        return Blinded(None, path, target.live, path[: STEP_CHARS * target.root_steps])

    def network(self, net: Network) -> Network:
        """The network that stands for `net`: of the same length, and inside what stands for any that contains it."""
        return (self._four if net.version == 4 else self._six).network(net)

    def path(self, tree: str, steps: Sequence[str]) -> str:
        """The path that stands for these steps: a token and "/" for each."""
        found = []
        said = hmac.new(self._steps, tree.encode(), sha256)
        for step in steps:
            body = step.encode("utf-8", "surrogatepass")
            said.update(len(body).to_bytes(4) + body)
            found.append(b32encode(said.digest()[:_TOKEN_BYTES]).decode().lower() + "/")
        return "".join(found)


class CryptoPan:
    """Prefix-preserving addresses of one family, with 32 bytes of key: AES-128's, and 16 for the padding."""

    def __init__(self, key: bytes, version: int) -> None:
        # One block at a time is what the scheme asks for: AES as a pseudorandom function, not to hide a text.
        self._cipher = Cipher(algorithms.AES128(key[:16]), modes.ECB())  # noqa: S305
        self._pad = int.from_bytes(self._encrypted(key[16:]))
        self._bits = 32 if version == 4 else 128

    def network(self, net: Network) -> Network:
        """`net` with each bit of its prefix flipped, or not, by the bits before it."""
        length, bits = net.prefixlen, self._bits
        original = int(net.network_address) << (128 - bits)
        blocks = b"".join(
            ((original >> (128 - n) << (128 - n)) | (self._pad & ((1 << (128 - n)) - 1))).to_bytes(16)
            for n in range(length)
        )
        out = self._encrypted(blocks)
        flips = 0
        for n in range(length):
            flips = flips << 1 | out[16 * n] >> 7
        value = int(net.network_address) ^ (flips << (bits - length))
        return IPv4Network((value, length)) if bits == 32 else IPv6Network((value, length))

    def _encrypted(self, blocks: bytes) -> bytes:
        doing = self._cipher.encryptor()
        return doing.update(blocks) + doing.finalize()


def _derived(key: bytes, what: bytes) -> bytes:
    return hmac.new(key, b"clearway leases 1\n" + what, sha256).digest()


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_mode & 0o077:
            raise ConfigError(
                "the key that hides scopes can be read by others",
                where=str(path),
                mend=f"chmod 600 {path.name}",
            )
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigError("this is no blinding key", where=str(path), mend="restore it from a backup")
    return key
