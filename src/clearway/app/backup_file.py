"""The file of a backup: a tar of parts, then a manifest that tells their sizes and hashes, then a note on the manifest.

    clearway-backup      "2\n": what this file is, and its layout
    database.dump        of pg_dump, in its custom format
    home/...             files of the home
    manifest.json        `Manifest`
    manifest.note        the hash of manifest.json, signed by the log's key where the home has it

The manifest comes last, so that a part is written while it is made, and a file that was cut has none. Nothing in
it is believed before every hash holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tarfile
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.ledger.note import Note
from clearway.ledger.tree_store import LogKey
from clearway.records.errors import (
    ConflictError,
    UpstreamError,
    UsageError,
)
from clearway.store.failures import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearway.ledger.note import SigningKey

LAYOUT = 2
READABLE = (1, LAYOUT)  # 1 has no endorsements of keys
MAGIC = "clearway-backup"
DUMP = "database.dump"
HOME = "home/"
MANIFEST = "manifest.json"
NOTE = "manifest.note"
BLOCK = 512
PIECE = 1 << 20


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """One part: its size in bytes and SHA-256, hexadecimal."""

    name: str
    size: int
    sha256: str


class LogHead(Struct, frozen=True, forbid_unknown_fields=True):
    """The log as the dump has it. `root` is base64, as in a checkpoint; `keys` are all that ever signed, oldest first.

    `endorsements` are their notes, one for each: the first has none. Who knows an older key follows them to the one
    that signed the manifest, before anything of the dump is believed.
    """

    origin: str
    size: int
    root: str
    epoch: int
    keys: list[str]
    endorsements: list[str] = []

    def chain(self) -> list[LogKey]:
        """The keys with their endorsements."""
        return [
            LogKey(number=n, vkey=vkey, endorsement=note, retired=False)
            for n, (vkey, note) in enumerate(
                zip_longest(self.keys, self.endorsements[: len(self.keys)], fillvalue=""), 1
            )
        ]


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds, as of when."""

    layout: int
    release: str
    migration: str
    postgres: int  # the server's version, as 180001
    taken: str  # UTC; of the snapshot
    log: LogHead
    database_bytes: int  # on the server's disk
    owned: list[str]  # tables with a policy of their owner's, which is made anew for whoever owns them next
    with_keys: bool
    parts: list[Part]

    def part(self, name: str) -> Part | None:
        """The part of that name."""
        return next((p for p in self.parts if p.name == name), None)


class Layout(Struct, frozen=True):
    layout: int


class Writer:
    """Writes a backup beside its place and puts it there whole. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unfinished = path.with_name(f".{path.name}.unfinished")
        self.parts: list[Part] = []
        self._done = False

    def __enter__(self) -> Writer:
        with _writing(self.path):
            if self.path.exists() or self.path.is_symlink():
                raise UsageError("there is a file of that name", where=str(self.path), mend="name another")
            if not self.path.parent.is_dir():
                raise UsageError("there is no such folder", where=str(self.path.parent), mend="make it first")
            # Not truncated before the lock is held: another backup may be writing it.
            fd = os.open(self.unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._file: IO[bytes] = os.fdopen(fd, "r+b")
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise ConflictError(
                    "another backup is being written there", where=str(self.path), mend="name another file"
                ) from None
            os.fchmod(fd, 0o600)
            self._file.truncate(0)
        self._small(MAGIC, f"{LAYOUT}\n".encode())
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            with suppress(OSError):
                self.unfinished.unlink()
        with suppress(OSError):
            self._file.close()

    def add(self, name: str, fill: Callable[[Callable[[bytes], None]], None]) -> Part:
        """Adds one part: `fill` is given a function that takes its bytes, piece by piece."""
        with _writing(self.path):
            start = self._file.tell()
            self._file.write(bytes(BLOCK))
        digest = hashlib.sha256()
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            digest.update(piece)
            size += len(piece)
            with _writing(self.path):
                self._file.write(piece)

        fill(take)
        with _writing(self.path):
            self._file.write(bytes(-size % BLOCK))
            end = self._file.tell()
            self._file.seek(start)
            self._file.write(_header(name, size))
            self._file.seek(end)
        part = Part(name, size, digest.hexdigest())
        self.parts.append(part)
        return part

    def _small(self, name: str, data: bytes) -> None:
        with _writing(self.path):
            self._file.write(_header(name, len(data)) + data + bytes(-len(data) % BLOCK))

    def finish(self, manifest: Manifest, key: SigningKey | None) -> None:
        """Writes the manifest, signs it and syncs the file; `publish` puts it in its place."""
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        text = statement(data)
        self._small(MANIFEST, data)
        self._small(NOTE, (Note(text, (key.sign(text),)).render() if key else text).encode())
        with _writing(self.path):
            self._file.write(bytes(2 * BLOCK))
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Gives the finished file its name."""
        with _writing(self.path):
            # A link, not a rename: a file that has come there meanwhile is left alone.
            try:
                os.link(self.unfinished, self.path)
                self.unfinished.unlink()
            except FileExistsError:
                raise UsageError(
                    "there is a file of that name", where=str(self.path), mend="name another"
                ) from None
            except PermissionError:  # a file system without links
                self.unfinished.rename(self.path)
            self._done = True
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tells what a disk does wrong, and names the file that was asked for and not the one that is written beside it."""
    try:
        with at(path):
            yield
    except UpstreamError as error:
        full = "no space" in error.what
        mend = "free some space there, or name a file on another disk" if full else error.mend
        raise UpstreamError(error.what, where=str(path), mend=mend) from error


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    out = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    assert len(out) == BLOCK, name
    return out


def statement(manifest: bytes) -> str:
    return f"clearway backup\n{hashlib.sha256(manifest).hexdigest()}\n"


def of_bytes(data: bytes) -> Callable[[Callable[[bytes], None]], None]:
    """A `fill` for `Writer.add` that gives these bytes."""
    return lambda take: take(data)


def of_file(file: IO[bytes]) -> Callable[[Callable[[bytes], None]], None]:
    """A `fill` for `Writer.add` that gives what an open file holds."""

    def fill(take: Callable[[bytes], None]) -> None:
        while piece := file.read(PIECE):
            take(piece)

    return fill
