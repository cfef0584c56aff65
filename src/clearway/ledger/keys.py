"""The keys that sign, in files of the home that only its owner may read.

    ledger/log.key            signs checkpoints (Ed25519)
    ledger/log-pq.key         signs them a second time (ML-DSA-87); made when asked for
    ledger/log.key.N          the keys before, after a rotation
    ledger/signed             the last checkpoint that was signed here; more of what was in `memory`

The database holds public keys only. Who steals a key can sign checkpoints, but not for a witness.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from clearway.records.errors import ConfigError, InputError
from clearway.store.failures import at
from clearway.store.key_file import sync_folder, write_first

from .checkpoint import Checkpoint, read
from .note import Kind, Note, SigningKey

FOLDER = "ledger"
LOG_KEY = "log.key"
POST_QUANTUM_KEY = "log-pq.key"
SIGNED = "signed"
_MAX_FILE = 1 << 20


class Signer:
    """Signs checkpoints with the keys of one home."""

    def __init__(self, folder: Path, keys: list[SigningKey]) -> None:
        self.folder = folder
        self.keys = keys

    @classmethod
    def of_home(cls, home: Path, name: str, *, make: bool = True) -> Signer:
        """The signer of `home`; with `make`, its key is made at the first use.

        Raises:
            ConfigError: there is no key, or its file can't be read, is readable by others, or is another log's.
        """
        folder = home / FOLDER
        if not make and not (folder / LOG_KEY).exists():
            raise ConfigError(
                "this home has no key, and the log is signed by another's",
                where=str(folder / LOG_KEY),
                mend=f"copy the folder {FOLDER}/ from the home that signs it, mode 0600",
            )
        keys = [load_or_make(folder / LOG_KEY, name, "ed25519")]
        if (folder / POST_QUANTUM_KEY).exists():
            keys.append(load_or_make(folder / POST_QUANTUM_KEY, name, "ml-dsa-87"))
        for key in keys:
            if key.name != name:
                raise ConfigError(
                    f"the key is for the log {key.name}, the database holds {name}",
                    where=str(folder),
                    mend="use the home that this database belongs to",
                )
        return cls(folder, keys)

    def sign(self, checkpoint: Checkpoint) -> Note:
        """The signed note of a checkpoint."""
        text = checkpoint.text()
        return Note(text, tuple(key.sign(text) for key in self.keys))

    def last(self) -> Checkpoint | None:
        """The last checkpoint that was signed here; None when there is none, or its file is damaged."""
        return last_signed(self.folder)


def last_signed(folder: Path) -> Checkpoint | None:
    """The last checkpoint that was signed with the keys in `folder`; None when there is none, or it can't be read."""
    try:
        return read((folder / SIGNED).read_bytes()[:_MAX_FILE])[0]
    except (OSError, InputError):
        return None


def load_or_make(path: Path, name: str, kind: Kind) -> SigningKey:
    """The key in `path`; a new one, written first, where there is none."""
    with at(path):
        try:
            return _load(path)
        except FileNotFoundError:
            pass
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = SigningKey(name, kind, secrets.token_bytes(32))
        write_key(path, key)
        return _load(path)


def write_key(path: Path, key: SigningKey) -> None:
    """Writes a key file whole and synced; leaves alone one that another process was first to write."""
    with at(path):
        write_first(path, key.text().encode())


def _load(path: Path) -> SigningKey:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        seen = os.fstat(fd)
        if seen.st_mode & 0o077:
            raise ConfigError(
                "the key can be read by others",
                where=str(path),
                mend="chmod 600 it, and think of it as known: rotate it",
            )
        return SigningKey.parse(file.read(_MAX_FILE).decode("utf-8", "replace"))


def _written(path: Path, text: str, *, sync: bool) -> Path:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        if sync:
            file.flush()
            os.fsync(fd)
    return Path(name)


def _replace(path: Path, text: str, *, sync: bool) -> None:
    _written(path, text, sync=sync).replace(path)
    if sync:
        sync_folder(path.parent)


def replace(path: Path, text: str, *, sync: bool = True) -> None:
    """Writes a file whole, synced, readable by its owner alone."""
    with at(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, text, sync=sync)
