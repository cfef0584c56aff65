"""Seals bytes under a key for each subject. The keys lie in files of the home, never in PostgreSQL.

    vault/ab/ab12….key     32 random bytes, of the subject whose name's SHA-256 is ab12…
    vault/destroyed        the names of keys that were destroyed, so that none comes back from a copy (`keyring`)

So a copy of the database, a backup or a stolen disk of its server opens no reproducer; and destroying the key of one
subject destroys its files in every copy of the database. A worker on another machine needs the folder: mount it.

Sealed bytes are AES-256-GCM (NIST SP 800-38D) with a random nonce, bound to their subject and to a label, so that what
is moved to another row does not open there:

    "CWV1" | nonce, 12 bytes | ciphertext and tag
"""

from __future__ import annotations

import os
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clearway.records.errors import ConfigError, IntegrityError, NotFoundError
from clearway.store.failures import at
from clearway.store.key_file import sync_folder, write_first

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "vault"
DESTROYED = "destroyed"
NAME = re.compile(r"[0-9a-f]{64}")
_MAGIC = b"CWV1"
_NONCE_BYTES = 12
KEY_BYTES = 32
OVERHEAD_BYTES = len(_MAGIC) + _NONCE_BYTES + 16  # how much longer sealed bytes are


class Vault:
    """The keys of one home. Safe between threads and processes: a key's file is made whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_home(cls, home: Path) -> Vault:
        """The vault of `home`; its folder is made with the first key."""
        return cls(home / FOLDER)

    def seal(self, subject: str, data: bytes, *, label: str) -> bytes:
        """`data` sealed for `subject` ("finding/CWF-7Q4K-9M2X"), whose key is made when it has none.

        The key is on the disk, synced, before this returns. `label` says what is sealed; `open` must say the same.

        Raises:
            ConfigError, UpstreamError: the key's file can't be written or read.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AESGCM(self._key(subject, make=True))
        return _MAGIC + nonce + cipher.encrypt(nonce, data, _bound(subject, label))

    def open(self, subject: str, sealed: bytes, *, label: str) -> bytes:
        """What was sealed for `subject` under that label.

        Raises:
            NotFoundError: the subject has no key here: it was destroyed, or this is another home.
            IntegrityError: the bytes are not what was sealed, or belong to another subject or label.
            ConfigError, UpstreamError: the key's file can't be read.
        """
        key = self._key(subject, make=False)
        if not sealed.startswith(_MAGIC) or len(sealed) < OVERHEAD_BYTES:
            raise IntegrityError("these bytes were not sealed here", where=subject)
        nonce, body = sealed[len(_MAGIC) : len(_MAGIC) + _NONCE_BYTES], sealed[len(_MAGIC) + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, body, _bound(subject, label))
        except InvalidTag:
            raise IntegrityError(
                "the sealed bytes were changed, or belong elsewhere", where=subject
            ) from None

    def destroy(self, subject: str) -> bool:
        """Destroys the key of `subject`, and with it all that was sealed for it; whether there was one.

        Copies of the folder keep theirs. The bytes on the disk are for the file system to reuse.
        """
        path = self._path(subject)
        with at(self.folder):
            if not path.exists():
                return False
            self.note_destroyed([path.stem])
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        return True

    def names(self) -> list[str]:
        """The names of its keys, sorted; they tell nothing of their subjects.

        Raises:
            ConfigError, UpstreamError: the folder can't be read.
        """
        with at(self.folder):
            return sorted(p.stem for p in self.folder.glob("??/*.key") if NAME.fullmatch(p.stem))

    def destroyed(self) -> frozenset[str]:
        """The names of keys that were destroyed here."""
        with at(self.folder):
            try:
                lines = (self.folder / DESTROYED).read_text("ascii", "replace").splitlines()
            except FileNotFoundError:
                return frozenset()
        return frozenset(line for line in lines if NAME.fullmatch(line))

    def note_destroyed(self, names: Iterable[str]) -> None:
        """Notes that keys of these names are not to come back; on the disk when this returns."""
        with at(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(
                self.folder / DESTROYED, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            with os.fdopen(fd, "ab") as file:
                # A line that a crash has cut is closed first; each name is one write, which no other comes between.
                for name in names:
                    os.write(file.fileno(), f"\n{name}\n".encode())
                os.fsync(file.fileno())
            sync_folder(self.folder)

    def key(self, name: str) -> bytes:
        """The key of that name, to be copied. Raises NotFoundError, ConfigError."""
        path = self._at(name)
        with at(self.folder):
            try:
                return _read(path)
            except FileNotFoundError:
                raise NotFoundError("no such key", where=str(path)) from None

    def put(self, name: str, key: bytes) -> None:
        """Keeps a copied key under its name; leaves alone one that is there."""
        path = self._at(name)
        with at(self.folder):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_first(path, key)

    @staticmethod
    def name_of(subject: str) -> str:
        """The name of a subject's key."""
        return sha256(b"clearway vault key\n" + subject.encode()).hexdigest()

    def _at(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.key"

    def _path(self, subject: str) -> Path:
        """Its name tells nothing of the subject to who can list the folder."""
        return self._at(self.name_of(subject))

    def _key(self, subject: str, *, make: bool) -> bytes:
        path = self._path(subject)
        with at(self.folder):
            try:
                return _read(path)
            except FileNotFoundError:
                if not make:
                    raise NotFoundError(
                        "the key of these files is not here",
                        where=subject,
                        mend=f"use the home that sealed them, or restore its folder {FOLDER}/",
                    ) from None
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_first(path, secrets.token_bytes(KEY_BYTES))
            return _read(path)


def _bound(subject: str, label: str) -> bytes:
    return f"clearway vault 1\n{subject}\n{label}".encode()


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_mode & 0o077:
            raise ConfigError(
                "a key of the vault can be read by others",
                where=str(path),
                mend=f"chmod -R go= the folder {FOLDER}/, and think of what it sealed as known",
            )
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigError("this is no key of the vault", where=str(path), mend="restore it from a backup")
    return key
