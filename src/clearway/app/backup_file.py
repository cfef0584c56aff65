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

import hashlib
import tarfile
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.ledger.note import Note
from clearway.ledger.tree_store import LogKey
from clearway.store.private_file import PrivateFile, writing

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.parts: list[Part] = []
        self._new = PrivateFile(path, what="backup")

    def __enter__(self) -> Writer:
        self._file: IO[bytes] = self._new.__enter__().file
        self._small(MAGIC, f"{LAYOUT}\n".encode())
        return self

    def __exit__(self, *why: object) -> None:
        self._new.__exit__(*why)

    def add(self, name: str, fill: Callable[[Callable[[bytes], None]], None]) -> Part:
        """Adds one part: `fill` is given a function that takes its bytes, piece by piece."""
        with writing(self.path):
            start = self._file.tell()
            self._file.write(bytes(BLOCK))
        digest = hashlib.sha256()
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            digest.update(piece)
            size += len(piece)
            with writing(self.path):
                self._file.write(piece)

        fill(take)
        with writing(self.path):
            self._file.write(bytes(-size % BLOCK))
            end = self._file.tell()
            self._file.seek(start)
            self._file.write(_header(name, size))
            self._file.seek(end)
        part = Part(name, size, digest.hexdigest())
        self.parts.append(part)
        return part

    def _small(self, name: str, data: bytes) -> None:
        with writing(self.path):
            self._file.write(_header(name, len(data)) + data + bytes(-len(data) % BLOCK))

    def finish(self, manifest: Manifest, key: SigningKey | None) -> None:
        """Writes the manifest, signs it and syncs the file; `publish` puts it in its place."""
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        text = statement(data)
        self._small(MANIFEST, data)
        self._small(NOTE, (Note(text, (key.sign(text),)).render() if key else text).encode())
        with writing(self.path):
            self._file.write(bytes(2 * BLOCK))
        self._new.sync()

    def publish(self) -> None:
        """Gives the finished file its name."""
        self._new.publish()


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
