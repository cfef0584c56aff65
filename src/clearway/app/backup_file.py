"""The file of a backup: a tar of parts, then a manifest that tells their sizes and hashes, then a note on the manifest.

    clearway-backup      "1\n": what this file is, and its layout
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
import re
import tarfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.ledger.note import MAX_BYTES, Note, VerifierKey, parse, verified
from clearway.records.errors import (
    ConfigError,
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    UsageError,
)
from clearway.store.failures import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearway.ledger.note import SigningKey

LAYOUT = 1
MAGIC = "clearway-backup"
DUMP = "database.dump"
HOME = "home/"
_MANIFEST = "manifest.json"
_NOTE = "manifest.note"
_MAX_MANIFEST = 1 << 20
_MAX_PARTS = 200
_MAX_HOME_FILE = 64 << 30
_BLOCK = 512
_PIECE = 1 << 20
# What a backup may put into a home, and nothing else: the names are from a file that anybody may have made.
_HOME_FILE = re.compile(
    r"home/(table/advisories\.(sqlite|changes)|feeds/status\.json|sign-in\.toml"
    r"|ledger/(signed|log(-pq)?\.key(\.\d{1,4})?))"
)
ANOTHER = "take another backup; this one can't be relied on"


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """One part: its size in bytes and SHA-256, hexadecimal."""

    name: str
    size: int
    sha256: str


class LogHead(Struct, frozen=True, forbid_unknown_fields=True):
    """The log as the dump has it. `root` is base64, as in a checkpoint; `keys` are all that ever signed."""

    origin: str
    size: int
    root: str
    epoch: int
    keys: list[str]


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
        with at(self.path):
            if self.path.exists() or self.path.is_symlink():
                raise UsageError("there is a file of that name", where=str(self.path), mend="name another")
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
        with at(self.path):
            start = self._file.tell()
            self._file.write(bytes(_BLOCK))
        digest = hashlib.sha256()
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            digest.update(piece)
            size += len(piece)
            with at(self.path):
                self._file.write(piece)

        fill(take)
        with at(self.path):
            self._file.write(bytes(-size % _BLOCK))
            end = self._file.tell()
            self._file.seek(start)
            self._file.write(_header(name, size))
            self._file.seek(end)
        part = Part(name, size, digest.hexdigest())
        self.parts.append(part)
        return part

    def _small(self, name: str, data: bytes) -> None:
        with at(self.path):
            self._file.write(_header(name, len(data)) + data + bytes(-len(data) % _BLOCK))

    def finish(self, manifest: Manifest, key: SigningKey | None) -> None:
        """Writes the manifest, signs it and syncs the file; `publish` puts it in its place."""
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        text = _statement(data)
        self._small(_MANIFEST, data)
        self._small(_NOTE, (Note(text, (key.sign(text),)).render() if key else text).encode())
        with at(self.path):
            self._file.write(bytes(2 * _BLOCK))
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Gives the finished file its name."""
        with at(self.path):
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


class Backup:
    """A backup that was read and whose every hash holds."""

    def __init__(self, path: Path, file: IO[bytes], manifest: Manifest, data: bytes, note: str) -> None:
        self.path = path
        self.manifest = manifest
        self.digest = hashlib.sha256(data).hexdigest()
        self.places: dict[str, tuple[int, int]] = {}
        self._file = file
        self._note = note

    @property
    def is_signed(self) -> bool:
        """Whether anybody has signed the manifest."""
        return "\n\n" in self._note

    def signed_by(self, keys: list[VerifierKey]) -> VerifierKey | None:
        """Which of `keys` has signed the manifest; None when none has.

        Raises:
            IntegrityError: a signature in the name of one does not hold.
        """
        if not self.is_signed:
            return None
        try:
            note = parse(self._note)
        except InputError as error:
            raise _damaged(self.path, _NOTE, error.what) from error
        return next((key for key in keys if verified(note, key) is not None), None)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part, piece by piece."""
        start, left = self.places[name]
        with at(self.path):
            self._file.seek(start)
            while left and (piece := self._file.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece

    @property
    def home_files(self) -> list[str]:
        """Names of the parts that belong into a home."""
        return [name for name in self.places if name.startswith(HOME)]


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """The backup in `path`, after every byte of it was held against the manifest.

    Raises:
        NotFoundError: there is none.
        InputError: it is no backup.
        ConfigError: a newer release made it.
        IntegrityError: it is damaged; the part is named.
    """
    with at(path):
        try:
            file = path.open("rb")
        except (FileNotFoundError, IsADirectoryError):
            raise NotFoundError("there is no such file", where=str(path), mend="name a backup") from None
    with file:
        yield _checked(path, file)


def _checked(path: Path, file: IO[bytes]) -> Backup:
    head = file.read(_BLOCK + 16)
    if not head.startswith(MAGIC.encode() + b"\0"):
        raise InputError(
            "this is no backup of Clearway",
            where=str(path),
            mend="name a file that `clearway backup` has written",
        )
    layout = head[_BLOCK:].split(b"\n")[0]
    if layout.isdigit() and int(layout) > LAYOUT:
        raise _newer(path, "layout " + layout.decode("ascii"))
    if layout != str(LAYOUT).encode():
        raise _damaged(path, MAGIC, "it does not say what it is")
    file.seek(0)
    places: dict[str, tuple[int, int]] = {}
    hashes: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:", errorlevel=2) as tar:
            for member in tar:
                if (
                    not member.isreg()
                    or member.name in places
                    or len(places) > _MAX_PARTS
                    or member.issparse()
                ):
                    raise _damaged(path, member.name, "there is something in it that does not belong there")
                places[member.name] = (member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, UnicodeError) as error:
        raise _damaged(path, "", "it is cut, or not readable from there on") from error
    for name in (_MANIFEST, _NOTE):
        if name not in places:
            raise _damaged(path, name, "it is missing: the file was cut")
    for name, (start, size) in places.items():
        hashes[name] = _hash(path, file, name, start, size)
    data = _read(path, file, _MANIFEST, places)
    note = _read(path, file, _NOTE, places, MAX_BYTES).decode("utf-8", "replace")
    if not note.startswith(_statement(data)):
        raise _damaged(path, _MANIFEST, "its hash is not the one that was written down")
    manifest = _manifest(path, data)
    backup = Backup(path, file, manifest, data, note)
    expected = {part.name: part for part in manifest.parts}
    for name, part in expected.items():
        if name not in places:
            raise _damaged(path, name, "it is missing")
        if places[name][1] != part.size or hashes[name] != part.sha256:
            raise _damaged(path, name, "its hash is not the one in the manifest")
        if name != DUMP and not _HOME_FILE.fullmatch(name):
            raise _damaged(path, name, "no such part belongs into a backup")
    if places.keys() - expected.keys() - {MAGIC, _MANIFEST, _NOTE} or DUMP not in expected:
        raise _damaged(path, _MANIFEST, "it does not tell of every part")
    backup.places = {name: places[name] for name in expected}
    return backup


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        # The layout first: what a newer one holds besides is not damage.
        layout = msgspec.json.decode(data, type=Layout).layout
        if layout > LAYOUT:
            raise _newer(path, f"layout {layout}")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _damaged(path, _MANIFEST, "it is not a manifest") from error


def _hash(path: Path, file: IO[bytes], name: str, start: int, size: int) -> str:
    digest = hashlib.sha256()
    file.seek(start)
    left = size
    while left:
        piece = file.read(min(_PIECE, left))
        if not piece:
            raise _damaged(path, name, "it is cut")
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def _read(
    path: Path, file: IO[bytes], name: str, places: dict[str, tuple[int, int]], most: int = _MAX_MANIFEST
) -> bytes:
    start, size = places[name]
    if size > most:
        raise _damaged(path, name, "it is too large")
    file.seek(start)
    return file.read(size)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    out = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    assert len(out) == _BLOCK, name
    return out


def _statement(manifest: bytes) -> str:
    return f"clearway backup\n{hashlib.sha256(manifest).hexdigest()}\n"


def _newer(path: Path, what: str) -> ConfigError:
    return ConfigError(f"a newer release made this backup ({what})", where=str(path), mend="upgrade Clearway")


def _damaged(path: Path, part: str, what: str) -> IntegrityError:
    where = f"{path}: {part}" if part else str(path)
    return IntegrityError(f"the backup is damaged: {what}", where=where, mend=ANOTHER)


def of_bytes(data: bytes) -> Callable[[Callable[[bytes], None]], None]:
    """A `fill` for `Writer.add` that gives these bytes."""
    return lambda take: take(data)


def of_file(file: IO[bytes]) -> Callable[[Callable[[bytes], None]], None]:
    """A `fill` for `Writer.add` that gives what an open file holds."""

    def fill(take: Callable[[bytes], None]) -> None:
        while piece := file.read(_PIECE):
            take(piece)

    return fill
